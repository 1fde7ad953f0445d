import assert from "node:assert/strict";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import { logisticLoss } from "../../src/nn/losses/logistic.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { ReplayOptions, ReplayResult } from "../../streams/replay/replay.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { breadth } from "../breadth.ts";
import { Crash, CrashingLog } from "./crashing_log.ts";
import { outcomeOf, replayOn, smallReplay } from "./harness.ts";
import { churned, cleanRecords, clockedLog, exploding, flipped, flooded, jumped } from "./poison.ts";

const topics = topicNames();
const GUARD = { windowRows: 256, referenceRows: 1280, warmUpRows: 1024, patienceRows: 1536 };
/** Rows at the end, long after the poison. */
const TAIL = 1200;

function options(guard: LearningOptions["guard"] = GUARD): ReplayOptions {
  return smallReplay("base", {
    learning: { batchRows: 32, checkpointBatches: 10, snapshotVersions: null, guard },
  });
}

interface Run {
  readonly log: Log;
  readonly result: ReplayResult;
}

async function run(records: readonly SourceRecord[], guard?: LearningOptions["guard"]): Promise<Run> {
  const log = new MemoryLog();
  return { log, result: await replayOn(log, records, options(guard)) };
}

/** Log loss in the last rows. */
function tailLoss({ result: { learning: { validation: { rows } } } }: Run): number {
  return rows.report(rows.length - TAIL).logLoss ?? NaN;
}

/** Mean log loss of every version published from `from` on, minus that of the prior, on clean samples. */
async function excesses({ log }: Run, samples: readonly Sample[], from: number): Promise<number[]> {
  const { task, modelConfig, learner: { embeddingWidth: k = 4 } } = options();
  const sizes = modelSizes(task.schema, k);
  const serving = new ServingModel(createModel("base", sizes, modelConfig, mulberry32(0)), task.schema, k);
  const found: number[] = [];
  for await (const { value } of readAll(log, topics.parameters, 0)) {
    const version = decodeVersion(value ?? new Uint8Array(0));
    assert.ok(serving.apply(version));
    if (version.version < from) continue;
    let excess = 0, rows = 0;
    for (const sample of samples) {
      const logits = serving.score(sample);
      for (const [k, { label, offset }] of [...sample.rows].entries()) {
        excess += logisticLoss(logits[k] ?? NaN, label).value - logisticLoss(offset, label).value;
        rows++;
      }
    }
    found.push(excess / rows);
  }
  return found;
}

const records = cleanRecords();
const clean = await run(records);
const samples = (await Array.fromAsync(readAll(clean.log, topics.samples, 0)))
  .flatMap(({ value }) => value === null ? [] : [decodeSample(value)]);
/** Samples of the clean run, from where the poison is until long after it. */
const held = samples.slice(
  Math.floor(0.55 * samples.length),
  Math.floor(breadth(0.58, 0.65) * samples.length),
);

Deno.test("Guard does nothing in a replay without poison", async () => {
  const { learning, digests } = clean.result;
  assert.deepEqual(learning.guard.changes, []);
  assert.equal(learning.heldBatches, 0);
  assert.deepEqual((await run(records, null)).result.digests, digests, "as if there were no guard");
});

/** One run per poison, made for the first test that needs it. */
const guarded = new Map<typeof flipped, Promise<Run>>();

function guardedRun(poison: typeof flipped): Promise<Run> {
  return guarded.getOrInsertComputed(poison, () => run(poison(records)));
}

/** In nats per row: every version is at least so much better than the prior on clean rows. */
const BAND = 0.05;

for (
  const [what, poison, distance] of [
    // How much worse than the clean run it may be at the end, in nats per row.
    ["a stretch of flipped clicks", flipped, 0.02],
    ["a robot that clicks on everything", flooded, 0.01],
    ["ratings of ±1e308", exploding, 0.03],
    ["items that are never seen again", churned, 0.01],
  ] as const
) {
  Deno.test(`Guard publishes no version that is worse than the prior through ${what}`, async () => {
    const poisoned = await guardedRun(poison);
    const found = await excesses(poisoned, held, 60);
    assert.ok(Math.max(...found) < -BAND, `the worst is ${Math.max(...found)}`);
    const { guard, failures, version } = poisoned.result.learning;
    assert.ok(guard.publishes, `at the end it is ${guard.health}`);
    assert.equal(failures, 0);
    assert.ok(version > 130, `${version} versions`);
    const far = tailLoss(poisoned) - tailLoss(clean);
    assert.ok(far < distance, `${far} from the clean run`);
  });
}

Deno.test("Guard rolls back what flipped clicks taught, which is served without it", async () => {
  const guarded = await guardedRun(flipped);
  const { learning } = guarded.result;
  assert.deepEqual(learning.guard.changes.map(({ to }) => to), [
    "suspect",
    "rolled back",
    "recovering",
    "healthy",
  ]);
  assert.equal(learning.rollbacks, 1);
  assert.ok(learning.heldBatches > 10);
  const [with_, without] = [guarded, await run(flipped(records), null)];
  const bad = (found: readonly number[]) => found.filter((excess) => excess > 0).length;
  const [few, many] = [bad(await excesses(with_, held, 60)), bad(await excesses(without, held, 60))];
  assert.ok(few === 0 && many >= 20, `${few} bad versions with it, ${many} without`);
});

Deno.test("Guard comes to the same end after crashes during a rollback", async () => {
  const poison = flipped(records).slice(0, 4400);
  const whole = new CrashingLog(new MemoryLog());
  const result = await replayOn(whole, poison, options());
  assert.ok(result.learning.rollbacks > 0);
  const facts = ({ learning }: ReplayResult) => ({
    changes: learning.guard.changes,
    rollbacks: learning.rollbacks,
    heldBatches: learning.heldBatches,
  });
  const random = mulberry32(5);
  for (let n = 0; n < breadth(2, 4); n++) {
    const log = new MemoryLog();
    const at = Math.floor((0.4 + 0.6 * random()) * whole.operations);
    await assert.rejects(replayOn(new CrashingLog(log, at), poison, options()), Crash);
    const again = await replayOn(log, poison, options());
    assert.deepEqual(outcomeOf(again), outcomeOf(result), `after a crash at operation ${at}`);
    assert.deepEqual(facts(again), facts(result));
  }
});

Deno.test("replay() rejects events of a clock ten years ahead, and learns the rest undisturbed", async () => {
  const log = new MemoryLog();
  const stream = jumped(records);
  const before = Date.UTC(2030, 0, 1);
  const ahead = stream.filter((record) => record.kind === "event" && record.event.time > before).length;
  const { rejections, learning } = await replayOn(clockedLog(log, before), stream, options());
  assert.equal(rejections.groups.find(({ code }) => code === "in-the-future")?.count, ahead);
  assert.deepEqual(learning.guard.changes, []);
  const found = await excesses({ log, result: clean.result }, held, 60);
  assert.ok(Math.max(...found) < -BAND);
});
