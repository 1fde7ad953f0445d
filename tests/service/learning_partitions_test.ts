import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { decodeOrder, encodeOrder, SampleOrder } from "../../streams/learning/sample_order.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";

const topics = topicNames();
const PARTITIONS = 3;
/** Batches of 8 samples of 4 rows. */
const OPTIONS: LearningOptions = { batchRows: 32, checkpointBatches: 5, snapshotVersions: 3 };

const sampleRecord = (sample: Sample, s: number): NewRecord => ({
  topic: topics.samples,
  partition: (s * s) % PARTITIONS,
  key: sample.user,
  value: encodeSample(sample),
  time: sample.time,
});

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  return log;
}

const stateOf = (learning: Learning) => ({
  learner: learning.learner.encode(),
  version: learning.version,
  digest: learning.validation.digest,
});

Deno.test("Learning.step() judges every sample of all partitions once, a few at a time", async () => {
  const log = await createLog();
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const samples = makeSamples(50);
  await log.append(samples.map(sampleRecord));
  assert.equal(await learning.lag(), 50);
  let steps = 0;
  while (await learning.step({ maxSamples: 4 })) steps++;
  assert.ok(steps >= 13);
  assert.equal(learning.learner.steps, 6);
  assert.equal(await learning.lag(), 2);
});

Deno.test("Learning.step() waits for a sample on any partition, and no longer than its signal allows", async () => {
  const log = await createLog();
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const waiting = learning.step({ waitMs: 60_000 });
  const [sample] = makeSamples(1);
  assert.ok(sample);
  await log.append([{ ...sampleRecord(sample, 0), partition: 2 }]);
  assert.equal(await waiting, true);
  const stop = new AbortController();
  const stopped = learning.step({ waitMs: 60_000, signal: stop.signal });
  stop.abort();
  await assert.rejects(stopped, { name: "AbortError" });
});

Deno.test("Learning.step() that waits takes samples from all partitions, even if the first always has some", async () => {
  const log = await createLog();
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const samples = makeSamples(40);
  const even = (sample: Sample, s: number) => ({ ...sampleRecord(sample, s), partition: s % PARTITIONS });
  await log.append(samples.splice(0, 4 * PARTITIONS).map(even));
  for (let step = 0; step < 2 * PARTITIONS; step++) {
    assert.equal(await learning.step({ maxSamples: 4, waitMs: 60_000 }), true);
    await log.append(samples.splice(0, 4).map((sample) => sampleRecord(sample, 0)));
  }
  const learnt = Array.from({ length: PARTITIONS }, (_, partition) => learning.positions[partition]! > 0);
  assert.deepEqual(learnt, learnt.map(() => true), `${learning.positions}`);
});

Deno.test("Learning.open() remakes the versions that a crash left, in whatever order samples came", async () => {
  const samples = makeSamples(8 * 12 + 3, 4);
  const parts = [20, 45, 70, samples.length];
  /** Samples come while it learns, so that the order in which it takes them is that of this run alone. */
  const live = async (log: Log, inner: Log) => {
    let time = 0; // with the real clock each run would publish at other samples, with other operations
    const now = () => time += 10;
    await using learning = await Learning.open(log, topics, makeLearner("base"), { ...OPTIONS, now });
    let at = await total(inner);
    for (const part of parts) {
      if (part > at) {
        await inner.append(samples.slice(at, part).map((sample, s) => sampleRecord(sample, at + s)));
      }
      at = Math.max(at, part);
      while (await learning.step({ maxSamples: 5 }));
    }
    await learning.checkpoint();
    return stateOf(learning);
  };
  const inner = await createLog();
  const whole = new CrashingLog(inner);
  const want = await live(whole, inner);
  const { operations } = whole;
  let same = 0;
  for (let at = 5; at < operations; at += 3) {
    const log = await createLog();
    await assert.rejects(live(new CrashingLog(log, at), log), Crash);
    const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
    const subscriber = new ParameterSubscriber(log, topics.parameters, serving);
    const version = await subscriber.update();
    const probe = makeSamples(1, 70)[0] ?? assert.fail();
    {
      // It is at the published version again, as if it had never stopped.
      await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
      assert.ok(learning.version >= version, `after ${at}`);
      if (learning.version === version) {
        const made = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
        made.apply(learning.learner.version("full", version));
        assert.deepEqual(made.score(probe), serving.score(probe), `version ${version} after ${at}`);
        same++;
      }
    }
    const result = await live(log, log);
    assert.equal(result.version, want.version, `after ${at}`);
  }
  assert.ok(same > 10, `${same} versions were remade`);
});

Deno.test("Learning.open() yields while it learns again, and stops at its signal", async () => {
  const log = await createLog();
  const options = { ...OPTIONS, checkpointBatches: 1000, publishIntervalMs: 0 };
  {
    await using learning = await Learning.open(log, topics, makeLearner("base"), options);
    await log.append(makeSamples(400).map(sampleRecord));
    while (await learning.step());
  }
  const stop = new AbortController();
  setImmediate(() => stop.abort());
  const opening = Learning.open(log, topics, makeLearner("base"), { ...options, signal: stop.signal });
  await assert.rejects(opening, { name: "AbortError" });
  await using learning = await Learning.open(log, topics, makeLearner("base"), options);
  assert.ok(learning.learner.steps > 0);
});

Deno.test("SampleOrder separates what was learnt from what waits, and survives its codec", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.nat(300)), { maxLength: 50 }),
      fc.nat(50),
      (steps, sealAt) => {
        const order = new SampleOrder();
        const ends = new Map<number, number>();
        for (const [s, [partition, count]] of steps.entries()) {
          const end = (ends.get(partition) ?? 0) + 1 + count;
          ends.set(partition, end);
          order.add(partition, end);
          if (s === sealAt) order.seal();
        }
        const learnt = steps.slice(0, sealAt < steps.length ? sealAt + 1 : 0);
        const stretches = learnt.filter(([partition], s) => learnt[s + 1]?.[0] !== partition);
        assert.deepEqual(
          order.sealed.map(({ partition }) => partition),
          stretches.map(([partition]) => partition),
        );
        assert.deepEqual(decodeOrder(encodeOrder(order.sealed)), order.sealed);
        order.forget();
        assert.deepEqual(order.sealed, []);
      },
    ),
  );
  assert.throws(() => decodeOrder(Uint8Array.of(9)), SyntaxError);
});

async function total(log: Log): Promise<number> {
  let sum = 0;
  for (let p = 0; p < PARTITIONS; p++) sum += (await log.bounds(topics.samples, p)).end;
  return sum;
}
