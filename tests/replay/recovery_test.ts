import assert from "node:assert/strict";
import type { Event } from "../../src/events/event.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { ReplayOptions } from "../../streams/replay/replay.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { breadth } from "../breadth.ts";
import { Crash, CrashingLog } from "./crashing_log.ts";
import { outcomeOf, replayOn, smallReplay } from "./harness.ts";

const topics = topicNames();
const records = syntheticRecords({ views: 120, users: 12, seed: 9 });

/** Asserts that all predictions made and all weights published are finite. */
async function assertSound(log: Log): Promise<void> {
  for await (const { value } of readAll(log, topics.samples, 0)) {
    if (value === null) continue;
    for (const { prediction, numerics } of decodeSample(value).rows) {
      assert.ok(prediction >= 0 && prediction <= 1, `prediction ${prediction}`);
      assert.ok(numerics.every(Number.isFinite));
    }
  }
  for await (const { value } of readAll(log, topics.recommendations, 0)) {
    const { items } = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0)));
    for (const { score } of items) assert.ok(score >= 0 && score <= 1, `score ${score}`);
  }
  for await (const { value } of readAll(log, topics.parameters, 0)) {
    const { dense, head } = decodeVersion(value ?? new Uint8Array(0));
    assert.ok(dense.every(Number.isFinite) && head.every(Number.isFinite));
  }
}

const ABSURD: [string, Partial<ReplayOptions["learner"]>][] = [
  ["dense", { learningRate: 1e20 }],
  ["heads", { headLearningRate: 1e20 }],
  ["vectors", { embeddingLearningRate: 1e20 }],
  ["first-order weights", { firstOrderLearningRate: 1e20 }],
  ["everything by Adam", { optimiser: "adam", learningRate: 1e38, embeddingLearningRate: 1e38 }],
];

for (const model of MODEL_NAMES) {
  Deno.test(`replay() of ${model} neither publishes nor predicts nonsense at absurd learning rates`, async () => {
    for (const [what, rates] of ABSURD) {
      const log = new MemoryLog();
      const options = smallReplay(model);
      const { learning } = await replayOn(log, records, {
        ...options,
        learner: { ...options.learner, ...rates },
        learning: { ...options.learning, snapshotVersions: 1e6 },
      });
      assert.ok(learning.failures > 0, what);
      await assertSound(log);
    }
  });

  Deno.test(`replay() of ${model} stays sound with the most extreme values that an event may have`, async () => {
    const log = new MemoryLog();
    const { learning } = await replayOn(log, extreme(records), smallReplay(model));
    await assertSound(log);
    assert.equal(learning.failures, 0, "and it goes on learning");
  });
}

Deno.test("replay() with failing batches gives the same bits after crashes in the middle of recoveries", async () => {
  const base = smallReplay("din");
  const options = { ...base, learner: { ...base.learner, learningRate: 4e5 } };
  const few = records.slice(0, 330);
  const whole = new CrashingLog(new MemoryLog());
  const result = await replayOn(whole, few, options);
  const want = outcomeOf(result);
  const { operations } = whole;
  const { failures, version } = result.learning;
  assert.ok(failures > 0 && version > 3, `${failures} failures, ${version} versions`);
  const random = mulberry32(3);
  for (let run = 0; run < breadth(8, 25); run++) {
    const log = new MemoryLog();
    const at = 1 + Math.floor(random() * (operations - 1));
    await assert.rejects(replayOn(new CrashingLog(log, at), few, options), Crash);
    assert.deepEqual(outcomeOf(await replayOn(log, few, options)), want, `after a crash at operation ${at}`);
  }
});

/** The stream with ratings, prices and times at the ends of what the validator accepts. */
function extreme(stream: readonly SourceRecord[]): SourceRecord[] {
  const values = [Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -0, 1e300];
  return stream.flatMap((record, r): SourceRecord[] => {
    if (record.kind !== "event" || record.event.type !== "interaction" || r % 3 > 0) return [record];
    const value = values[r % values.length] ?? 0;
    const { user, time, item } = record.event;
    const more: Event[] = ["rating", "purchase", "view"].map((action) => (
      { type: "interaction", user, time, item, action, value }
    ));
    return [record, ...more.map((event): SourceRecord => ({ ...record, event }))];
  });
}
