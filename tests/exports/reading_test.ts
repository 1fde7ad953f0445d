import assert from "node:assert/strict";
import { encodeEvent, encodeItem, encodeRecommendation } from "../../src/events/codec.ts";
import { chunksOf } from "../../streams/exports/chunks.ts";
import { type ContentName, CONTENTS } from "../../streams/exports/contents.ts";
import { type Choice, TopicLines } from "../../streams/exports/reading.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();
const START = Date.UTC(2026, 0, 1);

const click = (user: string, at: number, partition: number): NewRecord => ({
  topic: topics.events,
  partition,
  key: user,
  value: encodeEvent({ type: "interaction", user, item: "tent", action: "click", time: START + at }),
  time: 0,
});

const item = (id: string, category: string | null): NewRecord => ({
  topic: topics.items,
  key: id,
  value: category === null ? null : encodeItem({ item: id, time: START, category }),
  time: 0,
});

async function linesOf(log: Log, what: ContentName, choice: Choice = {}): Promise<string[]> {
  const lines = await TopicLines.open(log, topics[CONTENTS[what].topic], CONTENTS[what], choice);
  return await Array.fromAsync(lines);
}

const seen = (lines: readonly string[]) =>
  lines.map((line) => {
    const { user, time } = JSON.parse(line);
    return `${user}${time - START}`;
  });

Deno.test("TopicLines merges partitions by event time, keeps the order of each, and filters", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 3));
  await log.append([
    click("a", 1, 0),
    click("a", 5, 0),
    click("b", 3, 0),
    click("a", 9, 0),
    click("c", 2, 1),
    click("c", 5, 1),
    { topic: topics.events, partition: 2, key: null, value: new Uint8Array([1]), time: 0 },
    { topic: topics.events, partition: 2, key: null, value: null, time: 0 },
  ]);
  assert.deepEqual(seen(await linesOf(log, "events")), ["a1", "c2", "a5", "b3", "c5", "a9"]);
  assert.deepEqual(seen(await linesOf(log, "events", { from: START + 3, until: START + 9 })), [
    "a5",
    "b3",
    "c5",
  ]);
  assert.deepEqual(seen(await linesOf(log, "events", { user: "c" })), ["c2", "c5"]);
  const lines = await TopicLines.open(log, topics.events, CONTENTS.events, {});
  await Array.fromAsync(lines);
  assert.deepEqual([lines.leftOut, lines.lost, lines.next], [2, 0, [4, 2, 2]]);
});

/** A log without an index of keys, whose topics are not compacted yet. */
async function uncompacted(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1).map((spec) => ({ ...spec, cleanup: "delete" as const })));
  const specs = new Map(topicSpecs(topics, 1).map((spec) => [spec.name, spec]));
  return Object.assign(log, {
    latest: undefined,
    topics: () => Promise.resolve(specs),
  }) as unknown as MemoryLog;
}

for (const [what, open] of Object.entries({ "": () => memoryLog(), ", not compacted yet": uncompacted })) {
  Deno.test(`TopicLines takes the newest record of each key, and no deleted one${what}`, async () => {
    await using log = await open();
    const records = [
      item("tent", "camping"),
      item("mat", "camping"),
      item("tent", "sale"),
      item("mat", null),
    ];
    for (const record of records) await log.append([record]);
    let reads = 0;
    const read = log.read.bind(log);
    log.read = (...args) => {
      reads++;
      return read(...args);
    };
    const lines = await linesOf(log, "items");
    assert.deepEqual(lines.map((line) => JSON.parse(line)), [{
      item: "tent",
      time: START,
      category: "sale",
    }]);
    assert.equal(reads, what === "" ? 1 : 2, "a log with an index of keys is read once");
  });
}

async function memoryLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  return log;
}

Deno.test("TopicLines counts what the log drops while it reads, and refuses a position beyond the end", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(Array.from({ length: 2000 }, (_, n) => click("a", n, 0)));
  const lines = await TopicLines.open(log, topics.events, CONTENTS.events, {});
  const all = lines[Symbol.asyncIterator]();
  await all.next();
  await log.trim(topics.events, 0, 1200);
  let count = 1;
  while (!(await all.next()).done) count++;
  assert.deepEqual([count, lines.lost], [500 + 800, 700]);
  await assert.rejects(
    TopicLines.open(log, topics.events, CONTENTS.events, {}, [2001]),
    /Cannot export meander\.events\/0 from 2001: it ends at 2000, so it is not what was exported before/,
  );
});

Deno.test("TopicLines reads no further ahead than a slow reader needs", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(Array.from({ length: 5000 }, (_, n) => click("a", n, 0)));
  let reads = 0;
  const read = log.read.bind(log);
  log.read = (...args) => {
    reads++;
    return read(...args);
  };
  const lines = await TopicLines.open(log, topics.events, CONTENTS.events, {});
  for await (const _ of lines) break;
  assert.equal(reads, 1);
  const chunks = chunksOf(await TopicLines.open(log, topics.events, CONTENTS.events, {}), false);
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  assert.equal(reads, 11);
  assert.ok(bytes > 5000 * 80);
});

Deno.test("TopicLines takes each user's current list", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const list = (user: string, partition: number, ms: number, item: string | null): NewRecord => {
    const recommended = { score: 0.2, position: 0, propensity: 1, source: "popular" };
    const value = item === null ? null : encodeRecommendation({
      request: `list:${ms}`,
      user,
      time: START + ms,
      items: [{ item, ...recommended }],
      model: "dien",
      version: 1,
      stateVersion: 0,
      tookMicros: 900,
    });
    return { topic: topics.lists, partition, key: user, value, time: START + ms };
  };
  await log.append([list("a", 0, 1, "i1"), list("b", 1, 2, "i2"), list("c", 0, 3, "i1")]);
  await log.append([list("a", 0, 4, "i3"), list("b", 1, 5, null)]);
  assert.deepEqual(seen(await linesOf(log, "lists")), ["c3", "a4"]);
  assert.deepEqual(seen(await linesOf(log, "lists", { user: "a" })), ["a4"]);
});

Deno.test("TopicLines reports its progress, even when nothing is selected", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  await log.append(Array.from({ length: 1200 }, (_, n) => click("ann", n, n % 3 === 0 ? 0 : 1)));
  const content = CONTENTS.events;
  const lines = await TopicLines.open(log, topics.events, content, { user: "nobody" }, [100]);
  const told: (readonly [number, number])[] = [];
  lines.tell = (done, all) => void told.push([done, all]);
  assert.deepEqual(await Array.fromAsync(lines), []);
  assert.deepEqual(told, [[300, 1100], [800, 1100], [1100, 1100]]);
});
