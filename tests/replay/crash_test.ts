import assert from "node:assert/strict";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import type { ReplayOptions } from "../../streams/replay/replay.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { oneIn } from "../breadth.ts";
import { Crash, CrashingLog } from "./crashing_log.ts";
import { outcomeOf, replayOn, smallReplay } from "./harness.ts";

/** Replays on `log`, crashing at operation `at`. @returns whether it crashed */
async function dies(
  log: Log,
  records: readonly SourceRecord[],
  options: ReplayOptions,
  at: number,
): Promise<boolean> {
  try {
    await replayOn(new CrashingLog(log, at), records, options);
    return false;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return true;
  }
}

/** All answers, in order. */
async function answersOn(log: Log): Promise<Recommendation[]> {
  const records = await Array.fromAsync(readAll(log, topicNames().recommendations, 0));
  return records.map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0))));
}

for (const model of ["base", "din", "dien"] as const) {
  Deno.test(`replay() of ${model} gives the same bits after a crash at any operation of the log`, async () => {
    const records = syntheticRecords({ views: 40, users: 8, seed: 3 });
    const options = smallReplay(model);
    const whole = new CrashingLog(new MemoryLog());
    const want = outcomeOf(await replayOn(whole, records, options));
    // The log is changed in the same order with every model.
    for (const at of model === "base" ? whole.moments : oneIn(4, whole.moments)) {
      const log = new MemoryLog();
      assert.ok(await dies(log, records, options, at), `operation ${at}`);
      const got = outcomeOf(await replayOn(log, records, options));
      assert.deepEqual(got, want, `after a crash at operation ${at}`);
    }
  });
}

Deno.test("replay() gives the same answers after a crash, with its own retrieval and without a catalogue", async () => {
  const records = syntheticRecords({ views: 60, users: 8, seed: 6 }).flatMap((record): SourceRecord[] => {
    if (record.kind === "item") return [];
    if (record.kind === "rejected" || record.event.type !== "request") return [record];
    const { candidates: _given, ...event } = record.event;
    return [{ ...record, event }];
  });
  const options = smallReplay("dien", { task: { ...smallReplay("dien").task, impressions: "served" } });
  const whole = new CrashingLog(new MemoryLog());
  const want = outcomeOf(await replayOn(whole, records, options));
  const answers = await answersOn(whole);
  assert.ok(answers.some(({ items }) => items.length > 3));
  for (const at of oneIn(4, whole.moments)) {
    const log = new MemoryLog();
    assert.ok(await dies(log, records, options, at));
    assert.deepEqual(outcomeOf(await replayOn(log, records, options)), want, `operation ${at}`);
    assert.deepEqual(await answersOn(log), answers, `answers after a crash at operation ${at}`);
  }
});

Deno.test("replay() gives the same bits after many crashes in a row, and when repeated at the end", async () => {
  const records = syntheticRecords({ views: 120, users: 12, seed: 4 });
  const options = smallReplay("dien");
  const want = outcomeOf(await replayOn(new MemoryLog(), records, options));
  for (const seed of oneIn(3, [1, 2, 3])) {
    const random = mulberry32(seed);
    const log = new MemoryLog();
    let crashes = 0;
    // A process that dies within its first operations makes no progress: leave it time to start and to go on a little.
    while (await dies(log, records, options, 20 + Math.floor(random() * 60))) {
      if (++crashes > 200) assert.fail("the replay never ends");
    }
    assert.ok(crashes >= 5, `${crashes} crashes with seed ${seed}`);
    assert.deepEqual(outcomeOf(await replayOn(log, records, options)), want, `seed ${seed}`);
  }
});

Deno.test("replay() on a SQLite log that is closed by crashes and opened again ends with the same bits", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-crash-" });
  try {
    const records = syntheticRecords({ views: 120, users: 12, seed: 5 });
    const options = smallReplay("dien");
    const want = outcomeOf(await replayOn(new MemoryLog(), records, options));
    const random = mulberry32(6);
    const path = `${folder}/log.sqlite`;
    for (let crashes = 0;; crashes++) {
      await using log = await SqliteLog.open(path);
      if (await dies(log, records, options, 40 + Math.floor(random() * 80))) continue;
      assert.ok(crashes >= 3, `${crashes} crashes`);
      assert.deepEqual(outcomeOf(await replayOn(log, records, options)), want);
      return;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
