import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Rows } from "../../src/samples/rows.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { decodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { makeLearner, makeSamples } from "../learner/batches.ts";

const topics = topicNames();
const GONE = "gone-7f3a9c51";
const INTERVAL_MS = 10_000;

async function serving(log: MemoryLog): Promise<ParameterVersion> {
  const [newest] = (await Array.fromAsync(readAll(log, topics.parameters, 0))).slice(-1);
  return decodeVersion(newest!.value!);
}

/** Where the id occurs in what the learner has written. */
async function traces(log: MemoryLog): Promise<string[]> {
  const found: string[] = [];
  for (const topic of [topics.checkpoints, topics.parameters]) {
    for await (const { offset, value } of readAll(log, topic, 0)) {
      if (value !== null && Buffer.from(value).includes(GONE)) found.push(`${topic}@${offset}`);
    }
  }
  return found;
}

for (
  const [what, later] of [["when no more samples arrive", 0], ["when those of others go on", 400]] as const
) {
  Deno.test(`Learning.step() leaves no trace of an erased user ${what}`, async () => {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    let now = 0;
    const options = { batchRows: 8, checkpointBatches: 2, checkpointIntervalMs: INTERVAL_MS };
    await using learning = await Learning.open(log, topics, makeLearner("base"), {
      ...options,
      now: () => now,
    });
    const record = (sample: ReturnType<typeof makeSamples>[number]) => ({
      topic: topics.samples,
      partition: 0,
      key: sample.user,
      time: sample.time,
      value: encodeSample(sample),
    });
    const all = makeSamples(60 + later).map((sample, s) =>
      s % 3 === 1 && s < 60 ? { ...sample, user: GONE } : sample
    );
    await log.append(all.slice(0, 60).map(record));
    while (await learning.step({ maxSamples: 100 })) now += 3000; // with checkpoints in between
    assert.notDeepEqual(await traces(log), [], "it was there");

    await log.append([{ topic: topics.samples, partition: 0, key: GONE, value: null, time: 0 }]);
    await log.append(all.slice(60).map(record));
    while (await learning.step({ maxSamples: 10 })) now += 100;
    now += INTERVAL_MS;
    while (await learning.step({ maxSamples: 10 }));
    assert.deepEqual(await traces(log), []);
    assert.equal(learning.learner.tables.get("user")?.lookup(GONE), 1);
  });
}

const GUARD = { windowRows: 64, referenceRows: 128, warmUpRows: 128 };
const TOMBSTONE = { topic: topics.samples, partition: 0, key: GONE, value: null, time: 0 };

/** Records of samples, the last quarter of them with flipped labels, so that a guard rolls back. */
function brokenRecords() {
  const all = makeSamples(400).map((sample, s) => {
    const sign = s < 300 ? 1 : 0; // then labels are flipped
    const rows = Rows.of(
      sample.rows.map((row) => ({ ...row, prediction: row.label === sign ? 0.9 : 0.1 })),
    );
    return { ...sample, rows, user: s % 3 === 1 ? GONE : sample.user };
  });
  return all.map((sample) => ({
    topic: topics.samples,
    partition: 0,
    key: sample.user,
    time: sample.time,
    value: encodeSample(sample),
  }));
}

Deno.test("Learning.step() leaves no trace of an erased user in versions while the guard holds its own back", async () => {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  let now = 0;
  const options = { batchRows: 8, checkpointBatches: 2, checkpointIntervalMs: INTERVAL_MS, guard: GUARD };
  const records = brokenRecords();
  await using learning = await Learning.open(log, topics, makeLearner("base"), {
    ...options,
    now: () => now,
  });
  await log.append(records);
  while (await learning.step({ maxSamples: 100 })) now += 3000;
  assert.equal(learning.guard.health, "rolled back");
  assert.notDeepEqual(await traces(log), [], "it was there");
  const before = await serving(log);

  await log.append([TOMBSTONE]);
  const own = learning.learner.model.parameters.values.slice();
  while (await learning.step({ maxSamples: 10 }));
  now += INTERVAL_MS;
  while (await learning.step({ maxSamples: 10 }));
  assert.deepEqual(await traces(log), []);
  assert.equal(learning.guard.health, "rolled back", "nothing else has changed");
  assert.deepEqual(learning.learner.model.parameters.values, own, "it goes on from its own weights");
  const after = await serving(log);
  assert.equal(after.kind, "full");
  assert.deepEqual(after.dense, before.dense, "those that the guard has chosen serve");
});

Deno.test("Learning.drain() erases a user after any crash while the guard holds versions back", async () => {
  const records = [...brokenRecords(), TOMBSTONE];
  const options = { batchRows: 8, checkpointBatches: 2, guard: GUARD };
  const run = async (log: Log) => {
    await using learning = await Learning.open(log, topics, makeLearner("base"), options);
    await learning.drain(true);
    return { health: learning.guard.health, version: learning.version, learner: learning.learner.encode() };
  };
  const start = async () => {
    const log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    await log.append(records);
    return log;
  };
  const log = await start();
  const whole = new CrashingLog(log);
  const want = await run(whole);
  assert.equal(want.health, "rolled back");
  assert.deepEqual(await traces(log), []);
  const served = await serving(log);
  const { operations } = whole;
  for (let at = Math.max(1, operations - 12); at < operations; at++) {
    const cut = await start();
    await assert.rejects(run(new CrashingLog(cut, at)), Crash);
    assert.deepEqual(await run(cut), want, `after a crash at operation ${at}`);
    assert.deepEqual(await serving(cut), served, `the last version after ${at}`);
    assert.deepEqual(await traces(cut), [], `after ${at}`);
  }
});
