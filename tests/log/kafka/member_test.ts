import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { KafkaClient } from "../../../streams/log/kafka/client.ts";
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

Deno.test("KafkaMember that was silent for longer than a session does not ask the brokers without a pause", async () => {
  let asked = 0, paused = 0;
  let member: KafkaMember | undefined;
  const often = Promise.withResolvers<void>();
  const lost = lostClient(() => {
    if (++asked === 10) often.resolve();
  }, () => paused++);
  const options = {
    ...{ group: "g", topics: ["t"], partitions: 1, rebalanceMs: 1000 },
    ...{ sessionMs: -1, heartbeatMs: 10 },
  };
  const handlers = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve() };
  const joining = KafkaMember.join(lost, lost, options, handlers, (one) => member = one);
  await often.promise;
  assert.equal(paused, 9);
  await member?.leave();
  await assert.rejects(joining, { code: "closed" });
});
