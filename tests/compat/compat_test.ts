/** Today's code reads what each release has written: see README.md beside. */

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { agreeOn } from "../../scripts/run/agreement.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { POOLED_NAMES } from "../../src/features/pooled/pair_statistics.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { Rows } from "../../src/samples/rows.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import { taskOptions } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const SCHEMA = { ...DEFAULT_SCHEMA, userIds: false };
const newModel = () => createModel("base", modelSizes(SCHEMA, 2), { widths: [3] }, mulberry32(9));
const read = (name: string) => Deno.readFile(new URL(`0.2.0/${name}`, import.meta.url));

Deno.test("0.2.0: a version is served, and a learner goes on from its checkpoint", async () => {
  const version = decodeVersion(await read("version.bin"));
  const serving = new ServingModel(newModel(), SCHEMA, 2);
  assert.equal(serving.apply(version), true);
  for (const learnsNext of [false, true]) {
    const learner = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2, learnsNext });
    learner.decode(gunzipSync(await read("learner.bin.gz")));
    assert.deepEqual(learner.version("full", 1, 0).dense, version.dense);
    assert.equal(learner.steps, 1);
  }
});

Deno.test("0.2.0: a learner without behaviours alone is still written in the format of 0.2.0", async () => {
  const bytes = gunzipSync(await read("learner.bin.gz"));
  const learner = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2 });
  learner.decode(bytes);
  assert.deepEqual(learner.encode(), new Uint8Array(bytes));
});

Deno.test("0.2.0: the blend and the journal of retrieval are restored", async () => {
  const task = new TaskState({ schema: SCHEMA }, PRIOR);
  const { state } = task.retrieval;
  const before = state.blend.weights[0];
  state.restore(
    new Map([
      ["retrieval:blend", await read("retrieval-blend.bin")],
      ["retrieval:journal:0", await read("retrieval-journal-0.bin")],
    ]),
  );
  const weights = Object.fromEntries(state.blend.names.map((name, f) => [name, state.blend.weights[f]]));
  assert.equal(state.blend.steps, 32);
  assert.equal(weights["co-visited"], 0.8183827851251426);
  assert.notEqual(weights["co-visited"], before);
  assert.equal(weights["next-category"], 0.2848980983495327);
  assert.equal(state.signals, 40);
  assert.equal(state.asked, true);
});

Deno.test("0.2.0: a sample and a user are read", async () => {
  const sample = decodeSample(await read("sample.bin"));
  assert.equal(sample.rows.length, 3);
  assert.match(sample.user, /^u\d$/);
  const task = new TaskState({ schema: SCHEMA }, PRIOR);
  task.restoreUser("u1", await read("user.bin"));
  assert.equal(task.users.get("u1")?.id, "u1");
});

Deno.test("0.2.0: a deployment goes on with the features that it was made with; a new one has pooled pairs", async () => {
  const config = {
    features: { userIds: false },
    learner: { embeddingWidth: 2 },
    models: { base: { widths: [3] } },
  };
  const topics = topicNames();
  const flags = { model: "base", variants: [], partitions: 1, seed: 0 } as const;
  await using old = new MemoryLog();
  await old.createTopics(topicSpecs(topics, 1));
  const made = await agreeOn(new MemoryLog(), topics, config, flags);
  assert.equal(taskOptions({ schema: DEFAULT_SCHEMA }, made, "base").schema.pooled, true);
  const version = { topic: topics.parameters, partition: 0, key: "base", time: 0 };
  await old.append([{ ...version, value: await read("version.bin") }]);
  // Without and with the record that the first start writes.
  for (let start = 0; start < 2; start++) {
    const kept = await agreeOn(old, topics, config, flags);
    assert.equal(taskOptions({ schema: DEFAULT_SCHEMA }, kept, "base").schema.pooled, false);
  }
  const pooled = { ...config, features: { userIds: false, pooled: true } };
  await assert.rejects(
    agreeOn(old, topics, pooled, flags),
    /features\.pooled was false, is \{.*: needs a rebuild/,
  );
});

Deno.test("0.2.0: a learner is carried into one with pooled pairs, and scores as before", async () => {
  const before = new Learner(newModel(), { schema: SCHEMA, embeddingWidth: 2 });
  before.decode(gunzipSync(await read("learner.bin.gz")));
  const schema = { ...SCHEMA, pooled: true };
  const model = () => createModel("base", modelSizes(schema, 2), { widths: [3] }, mulberry32(9));
  const after = new Learner(model(), { schema, embeddingWidth: 2 });
  after.carry(before);
  const [old, now] = [new ServingModel(newModel(), SCHEMA, 2), new ServingModel(model(), schema, 2)];
  old.apply(before.version("full", 1, 0));
  now.apply(after.version("full", 1, 0));
  const sample = decodeSample(await read("sample.bin"));
  const rows = Rows.of(sample.rows.map((row) => {
    return { ...row, numerics: Float32Array.from([...row.numerics, ...POOLED_NAMES.map(() => 0)]) };
  }));
  assert.deepEqual([...now.score({ ...sample, rows })], [...old.score(sample)]);
});
