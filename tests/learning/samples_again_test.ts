import assert from "node:assert/strict";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { lostSamples } from "../../streams/learning/learner_records.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeLearner, makeSamples } from "../learner/batches.ts";
import { AdministeredLog } from "../log/administered_log.ts";

const topics = topicNames();
const samples = makeSamples(40, 3);
const records = (from: number, to: number): NewRecord[] =>
  samples.slice(from, to).map((sample, n) => ({
    topic: topics.samples,
    partition: 0,
    key: sample.user,
    value: encodeSample(sample),
    time: 1000 + from + n,
  }));

async function learn(log: AdministeredLog): Promise<{ readonly rows: number; readonly lost: number }> {
  await using learning = await Learning.open(log, topics, makeLearner("base"), { batchRows: 8 });
  await learning.drain(true);
  return { rows: learning.validation.rows.length, lost: learning.lost };
}

const rowsOf = (from: number, to: number) =>
  samples.slice(from, to).reduce((sum, { rows }) => sum + rows.length, 0);

Deno.test("Learning reads a topic of samples that was created again from its start, even if it is longer", async () => {
  for (const to of [25, 40]) {
    await using log = new AdministeredLog();
    await log.createTopics(topicSpecs(topics, 1));
    await log.append(records(0, 10));
    assert.equal((await learn(log)).rows, rowsOf(0, 10));
    await log.recreate(topics.samples);
    await log.append(records(10, to));
    assert.equal((await learn(log)).rows, rowsOf(0, to));
    assert.equal((await learn(log)).rows, rowsOf(0, to), "once");
  }
});

Deno.test("Learning counts samples that were dropped before it learnt them, except those before its first", async () => {
  await using log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(records(0, 20));
  await log.trim(topics.samples, 0, 5);
  assert.equal(await lostSamples(log, topics, "base"), 0);
  assert.deepEqual(await learn(log), { rows: rowsOf(5, 20), lost: 0 });
  await log.append(records(20, 40));
  await log.trim(topics.samples, 0, 30);
  assert.deepEqual(await learn(log), { rows: rowsOf(5, 20) + rowsOf(30, 40), lost: 10 });
  assert.equal((await learn(log)).lost, 10, "also after a restart");
  assert.equal(await lostSamples(log, topics, "base"), 10);
});
