import assert from "node:assert/strict";
import fc from "fast-check";
import { mulberry32 } from "../../src/draws/random.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { type Row, Rows } from "../../src/samples/rows.ts";
import { decodeDelta } from "../../src/embeddings/delta.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import type { InputGradients, Model, TrainingInput } from "../../src/nn/models/core/model.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import { type Log, LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { unreadable } from "../../streams/log/unreadable.ts";
import { readAll } from "../../streams/log/reading.ts";
import { readChunks } from "../../streams/topics/chunks.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { warnings } from "../log/warnings.ts";
import { makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";

const topics = topicNames();
/** Batches of 8 samples of 4 rows. */
const OPTIONS: LearningOptions = {
  batchRows: 32,
  checkpointBatches: 4,
  snapshotVersions: 3,
  recoveryBatches: 2,
};

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  return log;
}

const sampleRecord = (sample: Sample): NewRecord => ({
  topic: topics.samples,
  partition: 0,
  key: sample.user,
  value: encodeSample(sample),
  time: sample.time,
});

const tombstone = (user: string): NewRecord => ({
  topic: topics.samples,
  partition: 0,
  key: user,
  value: null,
  time: 0,
});

async function versionsOn(log: Log): Promise<ParameterVersion[]> {
  const records = await Array.fromAsync(readAll(log, topics.parameters, 0));
  return records.map(({ value }) => decodeVersion(value ?? new Uint8Array(0)));
}

/** State that must not depend on how often the learner was stopped. */
const stateOf = (learning: Learning) => ({
  learner: learning.learner.encode(),
  version: learning.version,
  failures: learning.failures,
  digest: learning.validation.digest,
  orderers: learning.proof?.changes,
  marks: learning.validation.marks,
  rows: learning.validation.rows.encode(),
});

/** A base model that is broken from its `from`-th call of loss on, for `count` calls. */
function brokenModel(
  from: number,
  count: number,
  breakIt: (model: Model, result: InputGradients) => InputGradients,
) {
  const model = makeModel("base");
  let calls = 0;
  return new Proxy(model, {
    get(target, name) {
      if (name !== "loss") return Reflect.get(target, name, target);
      return (input: TrainingInput, gradients: Float32Array) => {
        const result = target.loss(input, gradients);
        calls++;
        return calls >= from && calls < from + count ? breakIt(target, result) : result;
      };
    },
  });
}

Deno.test("Learning.open() publishes the initial parameters once, as version 1", async () => {
  const log = await createLog();
  for (let n = 0; n < 2; n++) {
    await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
    assert.equal(learning.version, 1);
  }
  const versions = await versionsOn(log);
  assert.deepEqual(versions.map(({ kind, version }) => [kind, version]), [["full", 1]]);
});

Deno.test("Learning.drain() learns full batches, publishes each, and trims the topic below the last snapshot", async () => {
  const log = await createLog();
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const samples = makeSamples(8 * 4 + 5);
  await log.append(samples.map(sampleRecord));
  await learning.drain();
  assert.equal(learning.learner.steps, 4);
  assert.equal(learning.version, 5);
  // Versions 1, 2, then 3 with a snapshot that replaces all before it, then 4 and 5.
  assert.deepEqual(
    (await versionsOn(log)).map(({ kind, version, predecessor }) => [kind, version, predecessor]),
    [
      ["delta", 3, 2],
      ["full", 3, 2],
      ["delta", 4, 3],
      ["delta", 5, 4],
    ],
  );
  await learning.drain();
  assert.equal(learning.learner.steps, 4, "five samples do not fill a batch");
  await learning.drain(true);
  assert.equal(learning.learner.steps, 5);
  assert.equal(learning.validation.rows.length, 4 * samples.length);
});

for (const take of ["learnRound", "learnLeftover"] as const) {
  Deno.test(`Learning.${take}() publishes the last version of a round, once`, async () => {
    const log = await createLog();
    const options = { ...OPTIONS, checkpointBatches: 100 };
    await using learning = await Learning.open(log, topics, makeLearner("base"), options);
    for (const batches of [3, 2]) {
      await log.append(makeSamples(8 * batches, batches).map(sampleRecord));
      await learning[take]();
      await learning[take]();
    }
    assert.equal(learning.version, 6);
    assert.deepEqual(
      (await versionsOn(log)).map(({ kind, version, predecessor }) => [kind, version, predecessor]),
      [["delta", 6, 4], ["full", 6, 4]],
    );
    await using again = await Learning.open(log, topics, makeLearner("base"), options);
    await again[take]();
    assert.deepEqual(stateOf(again), stateOf(learning));
    assert.equal((await versionsOn(log)).length, 2);
  });
}

Deno.test("Learning.drain() cuts the same batches, however samples arrive", async () => {
  const samples = makeSamples(60, 3);
  const run = async (parts: readonly number[]) => {
    const log = await createLog();
    await using learning = await Learning.open(log, topics, makeLearner("dien"), OPTIONS);
    let at = 0;
    for (const part of [...parts, samples.length]) {
      await log.append(samples.slice(at, at += part).map(sampleRecord));
      await learning.drain();
    }
    await learning.drain(true);
    return stateOf(learning);
  };
  const want = await run([]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 10 }), async (parts) => {
      assert.deepEqual(await run(parts), want);
    }),
    { numRuns: 10 },
  );
});

Deno.test("Learning.open() resumes after any crash as if there had been none", async () => {
  const samples = makeSamples(8 * 11 + 3, 4);
  const records = [
    ...samples.slice(0, 40).map(sampleRecord),
    tombstone("u2"),
    ...samples.slice(40).map(sampleRecord),
    tombstone("u3"),
  ];
  const run = async (log: Log) => {
    await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
    await learning.drain();
    await learning.drain(true);
    return stateOf(learning);
  };
  const start = async () => {
    const log = await createLog();
    await log.append(records);
    return log;
  };
  const whole = new CrashingLog(await start());
  const want = await run(whole);
  const { operations } = whole;
  const versions = await versionsOn(whole);
  assert.ok(versions.length > 0);
  assert.ok(versions.every(({ share }) => share === 0.5), "64 rows were judged");
  for (let at = 1; at < operations; at++) {
    const log = await start();
    await assert.rejects(run(new CrashingLog(log, at)), Crash);
    assert.deepEqual(await run(log), want, `after a crash at operation ${at}`);
    const published = await versionsOn(log);
    assert.deepEqual(published.slice(-1), versions.slice(-1), `the last version after ${at}`);
    const names = published.map(({ kind, version }) => `${kind} ${version}`);
    assert.deepEqual(names, [...new Set(names)], `each version once after ${at}`);
  }
});

Deno.test("Learning.step() reads an idle log once per step, and counts the samples that it takes", async () => {
  const log = await createLog();
  let reads = 0;
  const counted = layered(log, {
    read: (...args: Parameters<Log["read"]>) => {
      reads++;
      return log.read(...args);
    },
  });
  await using learning = await Learning.open(counted, topics, makeLearner("base"), OPTIONS);
  const step = async (come: number, waitMs: number) => {
    await log.append(makeSamples(come).map(sampleRecord));
    reads = 0;
    return [await learning.step({ maxSamples: 4, waitMs }), reads, learning.taken];
  };
  assert.deepEqual(await step(0, 0), [false, 1, 0]);
  assert.deepEqual(await step(0, 1), [false, 1, 0]);
  assert.deepEqual(await step(3, 1), [true, 1, 3]);
  assert.deepEqual(await step(5, 1), [true, 1, 4]);
  assert.deepEqual(await step(0, 0), [true, 1, 1]);
  assert.deepEqual(await step(0, 1), [false, 2, 0]);
});

Deno.test("Learning.step() publishes one version per interval, and the last one when no more samples arrive", async () => {
  const log = await createLog();
  let now = 0;
  const options = { ...OPTIONS, checkpointBatches: 1e6, publishIntervalMs: 100 };
  await using learning = await Learning.open(log, topics, makeLearner("base"), {
    ...options,
    now: () => now,
  });
  const learn = async (batches: number) => {
    await log.append(makeSamples(8 * batches, now).map(sampleRecord));
    while (await learning.step());
    return (await versionsOn(log)).map(({ kind, version, predecessor }) => [kind, version, predecessor]);
  };
  assert.deepEqual(await learn(2), [["full", 1, 0]]);
  assert.equal(learning.version, 3);
  now = 99;
  assert.equal(await learning.step(), false);
  now = 100;
  assert.equal(await learning.step(), true);
  assert.equal(await learning.step(), false, "all is published");
  now = 220;
  // The first of the three is due, and a snapshot with it; the others wait.
  assert.deepEqual(await learn(3), [["delta", 4, 3], ["full", 4, 3]]);
  await learning.step({ waitMs: 1 });
  assert.equal((await versionsOn(log)).length, 2);
  await learning.checkpoint();
  assert.deepEqual((await versionsOn(log)).at(-1)?.version, 6, "a checkpoint leaves nothing behind");
});

Deno.test("Learning.step() with intervals ends the same as without, even after a crash, and serves that", async () => {
  const samples = makeSamples(8 * 11 + 3, 7);
  const options = { ...OPTIONS, publishIntervalMs: 70, checkpointIntervalMs: 150 };
  const start = async () => {
    const log = await createLog();
    await log.append(samples.map(sampleRecord));
    return log;
  };
  const run = async (log: Log, paced: boolean) => {
    let now = 0;
    await using learning = await Learning.open(log, topics, makeLearner("dien"), {
      ...options,
      now: () => now,
    });
    while (paced && await learning.step({ maxSamples: 5 })) now += 20;
    await learning.drain(true);
    return stateOf(learning);
  };
  const want = await run(await start(), false);
  const whole = new CrashingLog(await start());
  assert.deepEqual(await run(whole, true), want);
  const { operations } = whole;
  const sample = samples[0];
  assert.ok(sample);
  const served = async (log: Log) => {
    const serving = new ServingModel(makeModel("dien"), SCHEMA, WIDTH);
    await new ParameterSubscriber(log, topics.parameters, serving).update();
    return { version: serving.version, scores: serving.score(sample) };
  };
  const wantServed = await served(whole);
  assert.equal(wantServed.version, want.version);
  assert.ok((await versionsOn(whole)).length < want.version);
  for (let at = 1; at < operations; at++) {
    const log = await start();
    await assert.rejects(run(new CrashingLog(log, at), true), Crash);
    assert.deepEqual(await run(log, true), want, `after a crash at operation ${at}`);
    assert.deepEqual(await served(log), wantServed, `served after a crash at operation ${at}`);
  }
});

Deno.test("Learning.step() publishes a dropped snapshot again, and goes on after it when killed", async () => {
  const log = await createLog();
  const samples = makeSamples(40);
  const options = { ...OPTIONS, publishIntervalMs: 0, snapshotVersions: 100 };
  let now = 0;
  const open = () => Learning.open(log, topics, makeLearner("base"), { ...options, now: () => now });
  const served = async () => {
    const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
    await new ParameterSubscriber(log, topics.parameters, serving).update();
    return serving;
  };
  const learnAll = async (learning: Learning) => {
    for (let idle = 0; idle < 3; now += 1000) idle = await learning.step() ? 0 : idle + 1;
  };
  await log.append(samples.slice(0, 16).map(sampleRecord));
  let version: number;
  {
    await using learning = await open();
    await learnAll(learning);
    version = (await served()).version;
    await log.trim(topics.parameters, 0, (await log.bounds(topics.parameters, 0)).end);
    assert.equal((await served()).version, 0, "there is nothing to start from");
    now += 60_000;
    await learnAll(learning);
    assert.equal((await served()).version, version + 1);
    assert.equal(learning.version, version + 1);
    await log.append(samples.slice(16, 24).map(sampleRecord));
    await learnAll(learning);
    // It is killed: no checkpoint.
  }
  await log.append(samples.slice(24).map(sampleRecord));
  await using again = await open();
  await learnAll(again);
  await again.checkpoint();
  const serving = await served();
  assert.ok(serving.version > version + 1);
  assert.equal(again.version, serving.version);
  const whole = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  whole.apply(again.learner.version("full", again.version, 0));
  for (const sample of samples) assert.deepEqual(serving.score(sample), whole.score(sample));
});

Deno.test("Learning.drain() writes a large checkpoint again only after learning as much, and resumes the same", async () => {
  const samples = makeSamples(8 * 12, 3);
  const start = async () => {
    const log = await createLog();
    await log.append(samples.map(sampleRecord));
    return log;
  };
  const wide = () =>
    makeLearner(createModel("base", modelSizes(SCHEMA, WIDTH), { widths: [1024, 256] }, mulberry32(0)));
  const run = async (log: Log) => {
    await using learning = await Learning.open(log, topics, wide(), OPTIONS);
    await learning.drain();
    const { steps } = learning.learner;
    await learning.checkpoint();
    return { ...stateOf(learning), steps };
  };
  const whole = new CrashingLog(await start());
  const want = await run(whole);
  const { operations } = whole;
  const pieces = (await Array.fromAsync(readAll(whole, topics.checkpoints, 0))).at(-1)!.offset + 1;
  const size = (await readChunks(whole, topics.checkpoints, "base"))!.length;
  // After batch 4, and at the end: by the batches alone, after batches 8 and 12, too.
  assert.ok(size > 4 << 20 && pieces < 3 * size / 2 ** 19, `${pieces} pieces of ${size} bytes`);
  for (let at = 1; at < operations; at += 4) {
    const log = await start();
    await assert.rejects(run(new CrashingLog(log, at)), Crash);
    assert.deepEqual(await run(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Learning.drain() erases a user without waiting for a full batch, and publishes that", async () => {
  const log = await createLog();
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  const subscriber = new ParameterSubscriber(log, topics.parameters, serving);
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const samples = makeSamples(80);
  await log.append([...samples.map(sampleRecord), tombstone("u1")]);
  await learning.drain();
  await subscriber.update();
  const sample = samples.find(({ user }) => user === "u1");
  assert.ok(sample);
  const stranger = { ...sample, user: "nobody" };
  assert.deepEqual(serving.score(sample), serving.score(stranger));
  assert.equal(learning.learner.tables.get("user")?.lookup("u1"), 1);
});

for (
  const [what, breakIt] of [
    ["the loss", (_, result) => ({ ...result, loss: NaN })],
    ["the weights", (model, result) => {
      model.parameters.values.fill(Infinity);
      return result;
    }],
  ] satisfies [string, (model: Model, result: InputGradients) => InputGradients][]
) {
  Deno.test(`Learning.drain() publishes nothing unsound when ${what} break, rolls back and recovers`, async () => {
    const log = await createLog();
    // The seventh batch of eight samples is the broken one.
    await using learning = await Learning.open(
      log,
      topics,
      makeLearner(brokenModel(6 * 8 + 3, 1, breakIt)),
      { ...OPTIONS, snapshotVersions: 100 },
    );
    const samples = makeSamples(8 * 12, 5);
    await log.append(samples.slice(0, 8 * 4).map(sampleRecord));
    await learning.drain();
    const good = learning.learner.model.parameters.values.slice();
    await log.append(samples.slice(8 * 4, 8 * 7).map(sampleRecord));
    await learning.drain();
    assert.equal(learning.failures, 1);
    assert.equal(learning.version, 7, "the broken batch made no version");
    assert.deepEqual(learning.learner.model.parameters.values, good, "back at the checkpoint of batch 4");

    await log.append(samples.slice(8 * 7, 8 * 8).map(sampleRecord));
    await learning.drain();
    assert.equal(learning.version, 7, "one usable batch is not enough");
    await log.append(samples.slice(8 * 8).map(sampleRecord));
    await learning.drain(true);
    assert.equal(learning.failures, 1);
    const versions = await versionsOn(log);
    assert.ok(versions.every(isSound));
    assert.equal(versions.at(-1)?.version, learning.version);

    const resumed = versions.find(({ version }) => version === 8);
    assert.equal(resumed?.kind, "full", "deltas would be wrong after the rollback");
    const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
    await new ParameterSubscriber(log, topics.parameters, serving).update();
    assert.equal(serving.version, learning.version);
    assert.deepEqual(learning.validation.rows.length, 4 * samples.length, "every row was judged");
  });
}

Deno.test("Learning.drain() rolls back to the same weights after a crash in the middle of a recovery", async () => {
  const samples = makeSamples(8 * 12, 6);
  const poisoned = samples.map((sample, s) =>
    s === 52 ? { ...sample, rows: Rows.of(sample.rows.map(poison)) } : sample
  );
  const records = [
    ...poisoned.slice(0, 36).map(sampleRecord),
    // Erased between the checkpoint and the failure: the rollback must not bring u4 back.
    tombstone("u4"),
    ...poisoned.slice(36).map(sampleRecord).filter(({ key }) => key !== "u4"),
  ];
  const run = async (log: Log) => {
    await using learning = await Learning.open(log, topics, makeLearner("dien"), OPTIONS);
    await learning.drain();
    await learning.drain(true);
    assert.equal(learning.failures, 1);
    assert.equal(learning.learner.tables.get("user")?.lookup("u4"), 1);
    return stateOf(learning);
  };
  const start = async () => {
    const log = await createLog();
    await log.append(records);
    return log;
  };
  const whole = new CrashingLog(await start());
  const want = await run(whole);
  const { operations } = whole;
  assert.ok((await versionsOn(whole)).every(isSound));
  for (let at = 1; at < operations; at += 2) {
    const log = await start();
    await assert.rejects(run(new CrashingLog(log, at)), Crash);
    assert.deepEqual(await run(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Learning.drain() stays at its last sound version when every batch fails", async () => {
  const log = await createLog();
  const learner = makeLearner("din", { embeddingLearningRate: 1e30, learningRate: 1e30 });
  await using learning = await Learning.open(log, topics, learner, OPTIONS);
  await log.append(makeSamples(8 * 6).map(sampleRecord));
  await learning.drain(true);
  assert.ok(learning.failures > 0);
  const versions = await versionsOn(log);
  assert.ok(versions.length > 0 && versions.every(isSound));
});

Deno.test("Learning.open() refuses a damaged checkpoint; Learning.drain() leaves out damaged samples", async () => {
  const log = await createLog();
  await log.append(makeSamples(40).map(sampleRecord));
  {
    await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
    await learning.drain(true);
  }
  const [checkpoint] = await Array.fromAsync(readAll(log, topics.checkpoints, 0));
  const bytes = checkpoint?.value?.slice();
  assert.ok(checkpoint?.key && bytes);
  const write = (value: Uint8Array) =>
    log.append([{ topic: topics.checkpoints, partition: 0, key: checkpoint.key, value, time: 0 }]);
  for (const place of [0, 3, 100, bytes.length - 1]) {
    const damaged = bytes.slice();
    damaged[place] = (damaged[place] ?? 0) ^ 0x55;
    await write(damaged);
    await assert.rejects(Learning.open(log, topics, makeLearner("base"), OPTIONS), corrupt, `byte ${place}`);
  }
  await write(bytes.subarray(0, 5));
  await assert.rejects(Learning.open(log, topics, makeLearner("base"), OPTIONS), corrupt);
  await write(bytes);
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  const { end } = await log.bounds(topics.samples, 0);
  const sample = makeSamples(1)[0];
  assert.ok(sample);
  const damaged = encodeSample(sample).subarray(0, 40);
  const newer = { ...sampleRecord(sample), value: damaged.with(0, 12) };
  await log.append([{ ...newer, value: damaged }, newer, ...makeSamples(8).map(sampleRecord)]);
  const before = unreadable.counts.get(topics.samples) ?? 0;
  await learning.drain();
  assert.deepEqual([unreadable.counts.get(topics.samples), learning.positions], [before + 2, [end + 10]]);
  await log.append([{ ...newer, headers: { [INPUT]: "0/1/0" } }]); // as every release writes them
  await assert.rejects(learning.drain(), (error: unknown) => {
    assert.ok(corrupt(error));
    assert.match((error as Error).message, new RegExp(`${topics.samples}/0@${end + 10} .*a newer release`));
    return true;
  });
});

Deno.test("Learning.checkpoint() trims samples that are no longer needed, if told to", async () => {
  const log = await createLog();
  await using learning = await Learning.open(log, topics, makeLearner("base"), {
    ...OPTIONS,
    trimSamples: true,
  });
  await log.append(makeSamples(8 * 5 + 2).map(sampleRecord));
  await learning.drain();
  assert.equal((await log.bounds(topics.samples, 0)).start, 8 * 4, "the checkpoint of batch 4");
  await learning.drain(true);
  const { start, end } = await log.bounds(topics.samples, 0);
  assert.equal(start, end);
});

Deno.test("Learning.open() fences another learner of the same model", async () => {
  const log = await createLog();
  await using first = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  await using second = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  await log.append(makeSamples(8).map(sampleRecord));
  await assert.rejects(
    first.drain(),
    (error: unknown) => error instanceof LogError && error.code === "fenced",
  );
  await second.drain();
  assert.equal(second.version, 2);
});

function poison(row: Row): Row {
  return { ...row, numerics: row.numerics.map(() => NaN) };
}

function corrupt(error: unknown): boolean {
  assert.ok(error instanceof LogError, String(error));
  assert.equal(error.code, "corrupt");
  return true;
}

function isSound({ dense, head, tables }: ParameterVersion): boolean {
  const rows = [...tables.values()].map((bytes) => decodeDelta(bytes).values);
  return [dense, head, ...rows].every((values) => values.every((value) => Math.abs(value) <= 1e6));
}

Deno.test("Learning uses its own model's state of a list that another model scored, and no other model's", async () => {
  const { stateSize } = makeModel("mimn");
  const stateFrom = (from: number) => ({ from, values: new Float32Array(stateSize).fill(0.3) });
  const weights = async (over: (sample: Sample) => Partial<Sample>) => {
    const log = await createLog();
    const samples = makeSamples(16).map((sample) => ({ ...sample, ...over(sample) }));
    await log.append(samples.map(sampleRecord));
    await using learning = await Learning.open(log, topics, makeLearner("mimn"), OPTIONS);
    await learning.drain();
    return learning.learner.model.parameters.values.slice();
  };
  const recent = ({ history }: Sample) => Math.max(0, history.items.length - 2);
  const itself = await weights((sample) => ({ purpose: "learn", state: stateFrom(recent(sample)) }));
  const others = (model: string) => (sample: Sample) => ({
    model: "dien",
    otherStates: [{ model, ...stateFrom(recent(sample)) }],
  });
  assert.deepEqual(await weights(others("mimn")), itself);
  assert.deepEqual(await weights(others("dien")), await weights(() => ({ purpose: "learn" })));
  assert.notDeepEqual(await weights(others("dien")), itself);
});

Deno.test("Learning.open() treats a checkpoint without a proof as proved, since its model has ordered lists", async () => {
  const log = await createLog();
  await log.append(makeSamples(40, 9).map(sampleRecord));
  {
    await using learning = await Learning.open(log, topics, makeLearner("base"), { ...OPTIONS, proof: null });
    await learning.drain(true);
  }
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  assert.equal(learning.proof?.share, 1);
  await log.append(makeSamples(40, 10).map(sampleRecord));
  await learning.drain(true);
  assert.deepEqual([...new Set((await versionsOn(log)).map(({ share }) => share))], [1]);
});

Deno.test("Learning.continueFrom() publishes once that a model is proved, and nothing if it is not", async () => {
  for (const isProved of [true, false]) {
    await using was = await createLog();
    await using before = await Learning.open(was, topics, makeLearner("base"), OPTIONS);
    if (isProved) before.proof?.trust();
    const log = await createLog();
    for (const _life of [1, 2]) { // the second after a kill
      await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
      await learning.continueFrom({ proof: before.proof, learntBefore: [] });
    }
    const versions = (await versionsOn(log)).filter(({ kind }, n) => kind === "delta" || n === 0);
    assert.deepEqual(versions.map(({ share }) => share), isProved ? [0, 1] : [0]);
  }
});

Deno.test("Learning notices after a restart that samples were replaced, also before it has read others", async () => {
  await using log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 1));
  const append = (count: number) =>
    log.append(Array.from({ length: count }, (_, n) => (
      { topic: topics.samples, partition: 0, key: `u${n}`, value: null, time: 0 }
    )));
  await append(5);
  {
    await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
    await learning.drain(true);
    assert.deepEqual(learning.positions, [5]);
  }
  await using learning = await Learning.open(log, topics, makeLearner("base"), OPTIONS);
  await log.lose(topics.samples);
  await append(7);
  const said = await warnings(() => learning.drain());
  await learning.drain();
  assert.match(said.join(), /samples has lost samples that base had read .*: it resumes at 0/);
  assert.deepEqual(learning.positions, [7]);
});
