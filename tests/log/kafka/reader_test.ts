import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { KafkaClient } from "../../../streams/log/kafka/client.ts";
import { isPassing } from "../../../streams/log/kafka/protocol/errors.ts";
import { KafkaReader } from "../../../streams/log/kafka/reader.ts";
import { OwnEnds } from "../../../streams/log/kafka/reading/own_ends.ts";
import type { Leader } from "../../../streams/log/kafka/protocol/identity.ts";
import { encodeBatch } from "../../../streams/log/kafka/protocol/record_batch.ts";
import type { Fetched } from "../../../streams/log/kafka/protocol/requests.ts";
import { texts } from "../../contracts/log_suite.ts";

const OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC = 3;
const NOT_LEADER = 6;
const RETRY_MS = 60_000;

/** A client of one broker whose fetches are answered when the test says so. */
function fakeClient(
  bounds: { readonly start: number; readonly end: number },
  {
    refreshed = Promise.resolve(),
    paused = Promise.resolve(),
    isRetrying = false,
    leaders = [{ node: 0, epoch: -1 }],
  }: {
    readonly refreshed?: Promise<void>;
    readonly paused?: Promise<void>;
    readonly isRetrying?: boolean;
    readonly leaders?: readonly (Leader | undefined)[];
  } = {},
) {
  let leader = 0;
  const asked: ((fetched: Partial<Fetched> | null) => void)[] = [];
  const broker = {
    versions: {},
    connectionPool: {
      pool: [{ requestTimeout: 60_000 }],
      send: () =>
        new Promise((resolve) =>
          asked.push((fetched) =>
            resolve({
              clientSideThrottleTime: 0,
              fetched: fetched === null ? [] : [{
                topic: "t",
                partition: 0,
                errorCode: 0,
                stableEnd: -1,
                aborted: [],
                bytes: new Uint8Array(),
                ...fetched,
              }],
            })
          )
        ),
    },
    listOffsets: ({ topics }: { topics: readonly [{ partitions: readonly [{ timestamp: number }] }] }) => {
      const offset = topics[0].partitions[0].timestamp === -2 ? bounds.start : bounds.end;
      return Promise.resolve({ responses: [{ partitions: [{ partition: 0, offset: `${offset}` }] }] });
    },
  };
  const run = <T>(operation: () => Promise<T>) => operation();
  const client = {
    closing: new AbortController().signal,
    throwIfClosed() {},
    leaderId: () => Promise.resolve(leader),
    leader: () => Promise.resolve(broker),
    node: () => Promise.resolve(broker),
    retry: <T>(operation: () => Promise<T>) =>
      operation().catch((error) => isRetrying && isPassing(error) ? operation() : Promise.reject(error)),
    once: run,
    refresh: () => refreshed,
    askAll: () => Promise.resolve(leaders),
    pause: () => paused,
    lasting: (error: unknown) => error,
  };
  /** The next fetch to be answered. */
  const next = async () => {
    for (;;) {
      const answer = asked.shift();
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  return {
    client: client as unknown as KafkaClient,
    next,
    asked: () => asked.length,
    lead: (by: number) => leader = by,
  };
}

async function batchAt(offset: number, value: string): Promise<Uint8Array> {
  const producer = { id: -1, epoch: -1, transactional: false };
  const record = { topic: "t", key: "k", value: new TextEncoder().encode(value), time: 0 };
  const bytes = new Uint8Array(await encodeBatch([record], producer, -1, "none"));
  new DataView(bytes.buffer).setBigInt64(0, BigInt(offset));
  return bytes;
}

Deno.test("KafkaReader.read() goes on when a poll brought the records that a trim took from a fetch", async () => {
  const own = fakeClient({ start: 301, end: 301 });
  const polls = fakeClient({ start: 301, end: 301 });
  const reader = new KafkaReader(own.client, polls.client, RETRY_MS);
  const waiting = reader.read("t", 0, 300, () => 0, { waitMs: 60_000 });
  (await own.next())({ stableEnd: 300 }); // nothing there yet: it waits, and is polled for
  const answerPoll = await polls.next();
  const other = reader.read("t", 0, 300, () => 0, { waitMs: 0 });
  const answerFetch = await own.next();
  answerPoll({ stableEnd: 301, bytes: await batchAt(300, "a") });
  assert.deepEqual(texts((await waiting).records), ["a"]);
  // The records were trimmed right after the poll had read them.
  answerFetch({ errorCode: OUT_OF_RANGE });
  assert.deepEqual(texts((await other).records), ["a"]);
  (await polls.next())({ stableEnd: 301 });
});

Deno.test("KafkaReader.read() in a loop fetches for itself when its poll fails, and learns why it cannot go on", async () => {
  const own = fakeClient({ start: 0, end: 300 });
  const polls = fakeClient({ start: 0, end: 300 });
  const reader = new KafkaReader(own.client, polls.client, RETRY_MS);
  const follow = async () => {
    for (let next = 300;;) ({ next } = await reader.read("t", 0, next, () => 0, { waitMs: 60_000 }));
  };
  const following = follow().catch((error) => error);
  (await own.next())({ stableEnd: 300 });
  for (const errorCode of [NOT_LEADER, UNKNOWN_TOPIC]) {
    (await polls.next())({ errorCode });
    for (let turn = 0; turn < 20 && own.asked() === 0; turn++) await delay(0);
    assert.deepEqual([own.asked(), polls.asked()], [1, 0], "the read asks, and the poller does not");
    (await own.next())(errorCode === NOT_LEADER ? { stableEnd: 300 } : { errorCode });
  }
  assert.match(String(await following), /does not host this topic-partition/);
});

Deno.test("KafkaReader.read() that begins while a failed poll looks for the new leader does not poll the old one", async () => {
  const refreshed = Promise.withResolvers<void>();
  const own = fakeClient({ start: 0, end: 300 });
  const polls = fakeClient({ start: 0, end: 300 }, { refreshed: refreshed.promise });
  const reader = new KafkaReader(own.client, polls.client, RETRY_MS);
  const read = () => reader.read("t", 0, 300, () => 0, { waitMs: 60_000 });
  const before = read();
  (await own.next())({ stableEnd: 300 });
  const answerPoll = await polls.next();
  own.lead(1);
  answerPoll({ errorCode: NOT_LEADER });
  await delay(0);
  const meanwhile = read();
  refreshed.resolve();
  for (let turn = 0; turn < 20 && own.asked() === 0; turn++) await delay(0);
  assert.deepEqual([own.asked(), polls.asked()], [1, 0]);
  (await own.next())({ stableEnd: 301, bytes: await batchAt(300, "a") });
  assert.deepEqual(texts([...(await before).records, ...(await meanwhile).records]), ["a", "a"]);
});

Deno.test("KafkaReader.read() fetches once for itself while polls fail, and waits until they are tried again", async () => {
  const paused = Promise.withResolvers<void>();
  const own = fakeClient({ start: 0, end: 300 });
  const polls = fakeClient({ start: 0, end: 300 }, { paused: paused.promise });
  const reader = new KafkaReader(own.client, polls.client, RETRY_MS);
  const reading = reader.read("t", 0, 300, () => 0, { waitMs: 60_000 });
  (await own.next())({ stableEnd: 300 });
  (await polls.next())({ errorCode: NOT_LEADER });
  (await own.next())({ stableEnd: 300 });
  for (let turn = 0; turn < 20; turn++) await delay(0);
  assert.deepEqual([own.asked(), polls.asked()], [0, 0]);
  paused.resolve();
  (await polls.next())({ stableEnd: 301, bytes: await batchAt(300, "a") });
  assert.deepEqual(texts((await reading).records), ["a"]);
});

Deno.test("KafkaReader.read() resumes at the start of what is left, and rejects an offset beyond the end", async () => {
  const { client, next } = fakeClient({ start: 301, end: 302 });
  const reader = new KafkaReader(client, client, RETRY_MS);
  const trimmed = reader.read("t", 0, 7, () => 0, { waitMs: 0 });
  (await next())({ errorCode: OUT_OF_RANGE });
  (await next())({ stableEnd: 302, bytes: await batchAt(301, "b") });
  assert.deepEqual(texts((await trimmed).records), ["b"]);
  const beyond = reader.read("t", 0, 400, () => 0, { waitMs: 0 });
  for (let times = 0; times < 2; times++) (await next())({ errorCode: OUT_OF_RANGE });
  await assert.rejects(beyond, { code: "beyond-end", message: "Cannot read t/0 from 400: its end is 302" });
});

Deno.test("KafkaReader.read() believes that records are lost if the newest leader says so, and no other broker", async () => {
  const odd = { diverging: { epoch: 6, end: 2 } }, fine = {};
  const leader = { node: 0, epoch: 7 };
  const old = { node: 0, epoch: 6 };
  const cases = [
    ["another broker lags behind", [leader, old], [odd, fine, fine], "goes on"],
    ["whoever knows the newest leader is away", [old, undefined], [odd, fine], "goes on"],
    ["it was elected without them", [leader, old, undefined], [odd, odd], "throws"],
    ["all brokers have an older copy", [old, old], [odd, odd], "throws"],
  ] as const;
  for (const [what, leaders, answers, outcome] of cases) {
    const { client, next } = fakeClient({ start: 0, end: 9 }, { isRetrying: true, leaders });
    const { epoch } = leader;
    const reading = new KafkaReader(client, client, RETRY_MS).read("t", 0, 5, () => 0, { waitMs: 0, epoch });
    for (const answer of answers) (await next())({ stableEnd: 5, ...answer });
    if (outcome === "goes on") assert.deepEqual(await reading, { records: [], next: 5, epoch }, what);
    else {
      const message =
        "Cannot read t/0 from 5: it has lost what was read from 2 on, and has other records there";
      await assert.rejects(reading, { code: "beyond-end", end: 2, message }, what);
    }
  }
});

Deno.test("KafkaReader.read() does not wait for ever for what we wrote and the brokers have lost", async () => {
  const { client, next } = fakeClient({ start: 0, end: 5 });
  const reader = new KafkaReader(client, client, 0);
  const lost = reader.read("t", 0, 5, () => 9, { waitMs: 0 });
  (await next())({ stableEnd: 5 });
  await assert.rejects(lost, { name: "LogError", code: "closed", message: /t\/0 before offset 9/ });
});

Deno.test("KafkaReader.read() asks again when a quota left it without an answer", async () => {
  const { client, next } = fakeClient({ start: 0, end: 1 });
  const reading = new KafkaReader(client, client, RETRY_MS).read("t", 0, 0, () => 0, {
    waitMs: 0,
  });
  (await next())(null);
  (await next())({ stableEnd: 1, bytes: await batchAt(0, "a") });
  assert.deepEqual(texts((await reading).records), ["a"]);
});

Deno.test("OwnEnds keeps ends while a broker does not know the topic, and drops those of another topic of its name", () => {
  const written = [0, 1, 1].map((partition) => ({
    record: { topic: "t", key: "k", value: null, time: 1 },
    partition,
  }));
  for (const id of ["a", null]) {
    const ends = new OwnEnds();
    const look = () => [0, 1, 2].map((partition) => ends.get("t", partition));
    ends.note(written, [3, 7, 5], () => id);
    assert.deepEqual(look(), [4, 8, 0]);
    ends.doubt("t");
    assert.deepEqual(look(), id === null ? [0, 0, 0] : [4, 8, 0], "a topic without an id may be another one");
    ends.note(written, [3, 7, 5], () => undefined);
    for (const same of [id, undefined, null]) ends.confirm("t", same);
    assert.deepEqual(look(), [4, 8, 0]);
    ends.note(written.slice(0, 1), [0], () => "b");
    assert.deepEqual(look(), id === null ? [4, 8, 0] : [1, 0, 0], "it begins anew");
    if (id !== null) ends.confirm("t", "c");
    else ends.forget("t");
    assert.deepEqual(look(), [0, 0, 0]);
  }
});
