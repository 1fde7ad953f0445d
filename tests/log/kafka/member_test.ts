import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { encodeShare } from "../../../streams/log/kafka/group/assigner.ts";
import { KafkaMember } from "../../../streams/log/kafka/member.ts";

/** A client whose brokers are away. */
function lostClient(asked: () => void, paused: () => void): KafkaClient {
  const away = () => {
    asked();
    return Promise.reject(Object.assign(new Error("refused"), { name: "KafkaJSConnectionError" }));
  };
  const client = {
    coordinator: away,
    refresh: () => Promise.resolve(),
    once: (operation: () => Promise<unknown>) => operation(),
    pause: () => {
      paused();
      return turn();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return client as unknown as KafkaClient;
}

Deno.test("KafkaMember pauses between requests after it was silent for longer than a session", async () => {
  let asked = 0, paused = 0;
  let member: KafkaMember | undefined;
  const often = Promise.withResolvers<void>();
  const lost = lostClient(() => {
    if (++asked === 10) often.resolve();
  }, () => paused++);
  const options = {
    group: "g",
    topics: ["t"],
    partitions: 1,
    rebalanceMs: 1000,
    sessionMs: -1,
    heartbeatMs: 10,
  };
  const handlers = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve() };
  const joining = KafkaMember.join(lost, lost, options, handlers, (one) => member = one);
  await often.promise;
  assert.equal(paused, 9);
  await member?.leave();
  await assert.rejects(joining, { code: "closed" });
});

/** A broker's side of one group, as a client sees it: who else is in it, what is assigned, how heartbeats end. */
class Coordinator {
  others: string[] = [];
  share: readonly number[] = [0, 1];
  error: string | undefined;
  joins = 0;

  joinGroup = ({ memberId }: { memberId: string }) => {
    const id = memberId || `me-${++this.joins}`;
    return Promise.resolve({ memberId: id, leaderId: "leader", generationId: 1, members: [] });
  };
  syncGroup = () =>
    Promise.resolve({ memberAssignment: encodeShare(["t"], { partitions: this.share, more: false }) });
  heartbeat = () => {
    const type = this.error;
    this.error = undefined;
    return type === undefined
      ? Promise.resolve()
      : Promise.reject(Object.assign(new Error(type), { name: "KafkaJSProtocolError", type }));
  };
  describeGroups = () => {
    const members = this.others.map((memberId) => ({
      memberId,
      clientHost: "/10.0.0.7",
      memberAssignment: new Uint8Array(),
    }));
    return Promise.resolve({ groups: [{ members }] });
  };
  leaveGroup = () => Promise.resolve();
}

Deno.test("KafkaMember says why it revokes: who has joined, that it was expelled, or that it leaves", async () => {
  const group = new Coordinator();
  const client = {
    coordinator: () => Promise.resolve(group),
    refresh: () => Promise.resolve(),
    once: (operation: () => Promise<unknown>) => operation(),
    pause: () => turn(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } as unknown as KafkaClient;
  const options = {
    group: "g",
    topics: ["t"],
    partitions: 2,
    rebalanceMs: 1000,
    sessionMs: 60_000,
    heartbeatMs: 1,
  };
  let told = Promise.withResolvers<string>();
  let assigned = Promise.withResolvers<void>();
  const handlers = {
    assigned: () => Promise.resolve(assigned.resolve()),
    revoked: (partitions: readonly number[], why: string) => {
      told.resolve(`${partitions}: ${why}`);
      return Promise.resolve();
    },
  };
  const next = async () => {
    const text = await told.promise;
    told = Promise.withResolvers();
    return text;
  };
  const member = await KafkaMember.join(client, client, options, handlers, () => {});
  group.others = ["me-1", "b-2"];
  group.share = [0];
  group.error = "REBALANCE_IN_PROGRESS";
  assert.equal(await next(), "1: members: 2, joined: b-2 at 10.0.0.7, left: nobody");
  assigned = Promise.withResolvers();
  group.error = "UNKNOWN_MEMBER_ID";
  assert.match(
    await next(),
    /^0: the group has expelled it \(UNKNOWN_MEMBER_ID\), as it may after 60000 ms of silence; its last heartbeat was \d+ ms ago$/,
  );
  await assigned.promise;
  assigned = Promise.withResolvers();
  group.error = "GROUP_AUTHORIZATION_FAILED";
  assert.equal(await next(), "0: the group refuses it: GROUP_AUTHORIZATION_FAILED");
  await assigned.promise;
  const left = member.leave();
  assert.equal(await next(), "0: it leaves the group");
  await left;
});
