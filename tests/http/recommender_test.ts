import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { AdministeredLog } from "../log/administered_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { Recommender } from "../../streams/http/recommender.ts";
import { Problem } from "../../streams/http/contract/problem.ts";
import { Service } from "../../streams/service/service.ts";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { reject } from "../../src/events/rejected.ts";
import { LimitedLog } from "../log/limited_log.ts";
import { OPTIONS } from "../service/deployment.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const TIME = 1.7e12;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const id = fc.string({
  unit: fc.constantFrom("a", "7", " ", "\ufeff", '"', "\\", "é", "😀", "{", ":"),
  minLength: 1,
  maxLength: 6,
});

Deno.test("Recommender.ask() returns the bytes of its own answer, whatever the ids and the order of fields", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(id, id, fc.boolean()), {
        selector: ([user, request]) => `${user}\n${request}`,
        minLength: 1,
      }),
      async (asked) => {
        await using log = new MemoryLog();
        await log.createTopics([
          { name: topics.events, partitions: 1, cleanup: "delete" },
          { name: topics.recommendations, partitions: 1, cleanup: "delete" },
        ]);
        await using answers = new Recommender(log, topics, 1, { timeoutMs: 60_000 });
        const asking = asked.map(([user, request]) =>
          answers.ask({ type: "request", user, request, time: TIME, count: 1 }, TIME)
        );
        while ((await log.bounds(topics.events, 0)).end < asked.length);
        const values = asked.map(([user, request, isFirst], n) =>
          encode(isFirst ? { request, user, n } : { n, user, items: [{ request: "other" }], request })
        );
        await log.append(
          values.map((value, n) => ({ topic: topics.recommendations, key: asked[n]![0], value, time: TIME })),
        );
        assert.deepEqual(await Promise.all(asking), values);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("Recommender.ask() gets answers again after their topic was recreated", async () => {
  await using log = new AdministeredLog();
  await log.createTopics([
    { name: topics.events, partitions: 1, cleanup: "delete" },
    { name: topics.recommendations, partitions: 1, cleanup: "delete" },
  ]);
  const answer = async (request: string) => {
    while (!asked.has(request)) await delay(1);
    const value = encode({ request });
    await log.append([{ topic: topics.recommendations, key: "ann", value, time: TIME }]);
  };
  const asked = new Set<string>();
  await using answers = new Recommender(log, topics, 1, { timeoutMs: 500 });
  const ask = async (request: string) => {
    const { end } = await log.bounds(topics.events, 0);
    const asking = answers.ask({ type: "request", user: "ann", request, time: TIME, count: 1 }, TIME);
    while ((await log.bounds(topics.events, 0)).end === end) await delay(1);
    asked.add(request);
    return await asking;
  };
  asked.add("none");
  for (let n = 0; n < 100; n++) await answer("none");
  await Promise.all([ask("first"), answer("first")]);
  await log.recreate(topics.recommendations);
  const ids = Array.from({ length: 20 }, (_, n) => `later-${n}`);
  for (const id of ids) {
    const [outcome] = await Promise.allSettled([ask(id), answer(id)]);
    if (outcome.status === "fulfilled") return;
  }
  assert.fail("nothing is answered any more");
});

Deno.test("Recommender.ask() appends no request of a client that has given up", async () => {
  await using log = new MemoryLog();
  await log.createTopics([
    { name: topics.events, partitions: 1, cleanup: "delete" },
    { name: topics.recommendations, partitions: 1, cleanup: "delete" },
  ]);
  const back = Promise.withResolvers<void>();
  const away = layered(log, {
    bounds: (...place) => back.promise.then(() => log.bounds(...place)),
  });
  await using answers = new Recommender(away, topics, 1, { timeoutMs: 20 });
  const ask = (request: string) =>
    answers.ask({ type: "request", user: "ann", request, time: TIME, count: 1 }, TIME);
  await assert.rejects(ask("first"), /has not received the request/);
  back.resolve();
  await assert.rejects(ask("second"), /the request is on the log/);
  const { records } = await log.read(topics.events, 0, 0, {});
  assert.deepEqual(records.map(({ value }) => JSON.parse(new TextDecoder().decode(value!)).request), [
    "second",
  ]);
});

Deno.test("Recommender.ask() of a repeated request waits for its own answer, not for the first one's", async () => {
  await using log = new MemoryLog();
  await log.createTopics([
    { name: topics.events, partitions: 1, cleanup: "delete" },
    { name: topics.recommendations, partitions: 1, cleanup: "delete" },
  ]);
  const event = { type: "request", user: "ann", request: "r", time: TIME, count: 1 } as const;
  await using hasty = new Recommender(log, topics, 1, { timeoutMs: 200 });
  await assert.rejects(hasty.ask(event, TIME), /No answer within 200 ms/);
  await using answers = new Recommender(log, topics, 1, { timeoutMs: 60_000 });
  const again = answers.ask(event, TIME);
  const other = answers.ask({ ...event, request: "other" }, TIME);
  while ((await log.bounds(topics.events, 0)).end < 3) await delay(1);
  const answer = async (request: string, n: number) => {
    const [headers, value] = [{ input: `0/${n}/0` }, encode({ request, n })];
    await log.append([{ topic: topics.recommendations, key: "ann", value, time: TIME, headers }]);
  };
  await answer("r", 0);
  await answer("other", 2);
  await other; // so the first one's answer has been read
  await answer("r", 1);
  assert.deepEqual(await again, encode({ request: "r", n: 1 }));
});

Deno.test("Recommender.ask() fails at once when the request is rejected, unless it is answered as well", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await using answers = new Recommender(log, topics, 1, { timeoutMs: 60_000 });
  const rejection = (offset: number, topic = topics.events) => ({
    topic: topics.rejected,
    key: "ann",
    time: TIME,
    value: encodeRejection(
      rejectionOf({ topic, partition: 0, offset }, reject("too-large", "at most 7 bytes"), new Uint8Array()),
    ),
  });
  const ask = async (request: string) => {
    const { end } = await log.bounds(topics.events, 0);
    const asking = answers.ask({ type: "request", user: "ann", request, time: TIME, count: 1 }, TIME);
    while ((await log.bounds(topics.events, 0)).end === end) await delay(1);
    return { asking, offset: end };
  };
  const first = await ask("first");
  const refused = assert.rejects(first.asking, (error: unknown) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.code, error.message], ["refused", "at most 7 bytes"]);
    return true;
  });
  const { offset: at } = first;
  await log.append([rejection(at + 9), rejection(at, topics.items), rejection(at)]);
  await refused;
  const { asking, offset } = await ask("second");
  const value = encode({ request: "second" });
  const answer = { topic: topics.recommendations, key: "ann", value, time: TIME };
  const [answered] = await Promise.all([asking, log.append([rejection(offset), answer])]);
  assert.deepEqual(answered, value);
});

Deno.test("Recommender.ask() fails at once when the answer is too large for its topic, which is rejected", async () => {
  await using log = new LimitedLog({ [topics.recommendations]: 1500 });
  await using _service = await Service.start(log, OPTIONS);
  await using answers = new Recommender(log, topics, 1, { timeoutMs: 60_000 });
  const ask = (request: string, count: number) => {
    const candidates = Array.from({ length: count }, (_, n) => `${n}`.padEnd(60, "x"));
    return answers.ask({ type: "request", user: "ann", request, time: TIME, count, candidates }, TIME);
  };
  await assert.rejects(ask("large", 50), /Cannot append to meander.recommendations: at most 1500 bytes/);
  const { end } = await log.bounds(topics.rejected, 0);
  assert.equal(end, 1);
  await ask("small", 1);
});

Deno.test("Recommender.ask() has room for each caller, however often others ask", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await using answers = new Recommender(log, topics, 1, { timeoutMs: 60_000, maxWaiting: 3 });
  const ended: string[] = [];
  /** Asks, and waits until so many requests are appended or refused. */
  const ask = async (caller: string, request: string, changes = 1) => {
    const event = { type: "request", user: "ann", request, time: TIME, count: 1 } as const;
    const seen = async () => (await log.bounds(topics.events, 0)).end + ended.length;
    const before = await seen();
    answers.ask(event, TIME, caller).then(
      () => ended.push(`${request} is answered`),
      ({ code }) => ended.push(`${request} is ${code}`),
    );
    while (await seen() < before + changes) await delay(1);
  };
  for (const request of ["a1", "a2", "a3", "a4"]) await ask("greedy", request);
  assert.deepEqual(ended, ["a4 is unavailable"]);
  await ask("polite", "p1", 2);
  assert.deepEqual(ended.splice(0), ["a4 is unavailable", "a3 is unavailable"]);
  await ask("greedy", "a5");
  await ask("polite", "p2");
  assert.deepEqual(
    ended.splice(0),
    ["a5 is unavailable", "p2 is unavailable"],
    "neither has more than its share",
  );
  assert.equal(answers.waiting, 3);
  for (const request of ["a1", "a2", "p1"]) {
    const answer = { topic: topics.recommendations, key: "ann", value: encode({ request }), time: TIME };
    await log.append([answer]);
  }
  while (ended.length < 3) await delay(1);
  assert.deepEqual(ended.sort(), ["a1 is answered", "a2 is answered", "p1 is answered"]);
  assert.equal(answers.waiting, 0);
});
