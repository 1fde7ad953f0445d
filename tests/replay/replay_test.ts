import assert from "node:assert/strict";
import fc from "fast-check";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import type { Log, ReadOptions, TopicSpec } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import type { ReplayResult } from "../../streams/replay/replay.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { outcomeOf, replayOn, smallReplay } from "./harness.ts";
import { countEvents, sourceOf, syntheticRecords } from "../sources/synthetic.ts";

const records = syntheticRecords({ views: 150, users: 15, seed: 7 });

for (const model of MODEL_NAMES) {
  Deno.test(`replay() of ${model} gives the same bits again, in memory or on SQLite, with records kept or dropped`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "meander-replay-" });
    try {
      const options = smallReplay(model);
      const want = outcomeOf(await replayOn(new MemoryLog(), records, options));
      assert.deepEqual(outcomeOf(await replayOn(new MemoryLog(), records, options)), want, "again");
      const dropping = { ...options, retain: false };
      assert.deepEqual(outcomeOf(await replayOn(new MemoryLog(), records, dropping)), want, "dropped");
      await using sqlite = await SqliteLog.open(`${folder}/log.sqlite`);
      assert.deepEqual(outcomeOf(await replayOn(sqlite, records, options)), want, "SQLite");
      const bounded = { ...options, stateBytes: 20_000 };
      const cold = await replayOn(new MemoryLog(), records, bounded);
      assert.ok(cold.task.memory.evicted > 50, "the bound on memory is too high to test anything");
      assert.deepEqual(outcomeOf(cold), want, "in little memory");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("replay() does not depend on how the log is fed and how reads are cut", async () => {
  const options = smallReplay("dien");
  const few = records.slice(0, 300);
  const want = outcomeOf(await replayOn(new MemoryLog(), few, options));
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 300 }),
      async (batch, most) => {
        const log = new ShortReads(most);
        await feedAll(log, batch, await topicsOfReplay(options));
        assert.deepEqual(outcomeOf(await replayOn(log, few, options)), want);
      },
    ),
    { numRuns: 12 },
  );

  async function feedAll(log: Log, batch: number, specs: readonly TopicSpec[]): Promise<void> {
    await log.createTopics(specs);
    await using feeder = await Feeder.open(log, topicNames(), sourceOf(few), { batch });
    while (await feeder.feed());
  }
});

Deno.test("replay() with another seed learns differently, and counts the same", async () => {
  const options = smallReplay("base");
  const one = await replayOn(new MemoryLog(), records, options);
  const other = await replayOn(new MemoryLog(), records, {
    ...options,
    learner: { ...options.learner, seed: 1 },
    task: { ...options.task, seed: 1 },
  });
  assert.notEqual(one.digests.parameters, other.digests.parameters);
  assert.notEqual(one.digests.samples, other.digests.samples, "predictions are part of the samples");
  assert.deepEqual(one.task.counters, other.task.counters);
});

Deno.test("replay() counts the events, items and rejected records of its source", async () => {
  const { task, events, rejections, learning } = await replayOn(
    new MemoryLog(),
    records,
    smallReplay("base"),
  );
  const { counters } = task;
  assert.equal(events, countEvents(records));
  assert.equal(counters.events + counters.duplicates, events);
  assert.equal(counters.items, records.filter(({ kind }) => kind === "item").length);
  const broken = records.filter(({ kind }) => kind === "rejected").length;
  assert.ok(broken > 0 && counters.tooLate > 0 && counters.forgotten > 0 && counters.unshown > 0);
  const byCode = Object.fromEntries(rejections.groups.map(({ code, count }) => [code, count]));
  assert.deepEqual(byCode, { "truncated-json": broken, "too-late": counters.tooLate });
  assert.equal(learning.validation.rows.length, counters.rows);
  assert.ok((learning.validation.rows.report().auc ?? 0) > 0.65, "the tastes of the stream can be learnt");
});

Deno.test("replay() stops at its limit as at the end of a shorter source", async () => {
  const options = smallReplay("base");
  const limited = await replayOn(new MemoryLog(), records, { ...options, limit: 200 });
  assert.equal(limited.events, 200);
  const cut = records.findIndex((_, i) => countEvents(records.slice(0, i + 1)) === 200) + 1;
  const short = await replayOn(new MemoryLog(), records.slice(0, cut), options);
  assert.deepEqual(outcomeOf(limited), outcomeOf(short));
});

Deno.test("replay() refuses a log of another replay and says what differs", async () => {
  const log = new MemoryLog();
  const manifest = (seed: number) => JSON.stringify({ data: "a", task: { seed, impressions: "logged" } });
  const options = smallReplay("base", { manifest: manifest(1) });
  const want = outcomeOf(await replayOn(log, records, options));
  await assert.rejects(replayOn(log, records, { ...options, manifest: manifest(2) }), (error: unknown) => {
    assert.ok(error instanceof RangeError);
    assert.match(error.message, /task\.seed is 1, not 2/);
    assert.ok(!error.message.includes("impressions"), "only what differs is named");
    return true;
  });
  assert.deepEqual(outcomeOf(await replayOn(log, records, options)), want, "the log is as it was");
});

Deno.test("replay() stops when its signal aborts, and goes on later", async () => {
  const log = new MemoryLog();
  const options = smallReplay("base");
  const controller = new AbortController();
  let rounds = 0;
  const onRound = () => {
    if (++rounds === 5) controller.abort(new Error("enough"));
  };
  await assert.rejects(
    replayOn(log, records, { ...options, onRound, signal: controller.signal }),
    /enough/,
  );
  const want = outcomeOf(await replayOn(new MemoryLog(), records, options));
  assert.deepEqual(outcomeOf(await replayOn(log, records, options)), want);
});

Deno.test("replay() of an empty source reports nothing", async () => {
  const result: ReplayResult = await replayOn(new MemoryLog(), [], smallReplay("dien"));
  assert.equal(result.events, 0);
  assert.equal(result.learning.validation.rows.report().auc, null);
  assert.equal(result.learning.version, 1);
});

/** The topics that a replay makes. */
async function topicsOfReplay(options: Parameters<typeof replayOn>[2]): Promise<TopicSpec[]> {
  const log = new MemoryLog();
  await replayOn(log, [], options);
  return [...(await log.topics()).values()];
}

/** A log that returns at most so many records per read. */
class ShortReads extends MemoryLog {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override read(topic: string, partition: number, from: number, options: ReadOptions = {}) {
    const maxRecords = Math.min(this.#most, options.maxRecords ?? 1000);
    return super.read(topic, partition, from, { ...options, maxRecords });
  }
}
