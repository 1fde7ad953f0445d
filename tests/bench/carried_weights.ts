/**
 * A feature is added: AUC of the next 1,000 rows, each judged before it is learnt, of a model that begins with the
 * weights of before, beside one that begins anew.
 *
 *     deno run -A tests/bench/carried_weights.ts
 *
 * @module
 */

import { mulberry32 } from "../../src/draws/random.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { Learner } from "../../src/learner/learner.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { Rows } from "../../src/samples/rows.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import {
  type Config,
  learnerOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { replay } from "../../streams/replay/replay.ts";
import { openSource } from "../../streams/sources/open.ts";

const EVENTS = 12_000;
/** Lists behind the addition, of which the first 1,000 rows or so are judged. */
const NEXT = 400;
const ROWS = 1000;
const BATCH = 8;

const shop = JSON.parse(await Deno.readTextFile("fixtures/shop/meander.json"));

function configWith(itemFields: readonly string[]): Config {
  const features = { ...shop.features, crosses: [], itemFields };
  return parseConfig(JSON.stringify({ ...shop, features }), "meander.json");
}

const [BEFORE, NOW] = [configWith(["brand"]), configWith(["brand", "band"])];

/** The lists of the shop with both fields. */
async function lists(): Promise<readonly Sample[]> {
  await using log = new MemoryLog();
  const task = taskOptions(PROFILES.meander, NOW, "base");
  await replay(log, openSource("meander", "fixtures/shop"), {
    ...{ model: "base", modelConfig: modelConfig("base", NOW), task, learner: learnerOptions(task, NOW, 0) },
    ...{ manifest: "{}", limit: EVENTS },
  });
  const samples: Sample[] = [];
  for await (const { value } of readAll(log, "meander.samples", 0)) {
    if (value !== null) samples.push(decodeSample(value));
  }
  return samples.filter(({ rows }) => rows.length > 0);
}

function made(
  model: ModelName,
  config: Config,
): { readonly learner: Learner; readonly serving: ServingModel } {
  const task = taskOptions(PROFILES.meander, config, model);
  const options = learnerOptions(task, config, 0), { embeddingWidth: k = 16 } = options;
  const create = () =>
    createModel(model, modelSizes(task.schema, k), modelConfig(model, config), mulberry32(0));
  return {
    learner: new Learner(create(), options),
    serving: new ServingModel(create(), task.schema, k),
  };
}

const all = await lists();
const [past, next] = [all.slice(0, -NEXT), all.slice(-NEXT)];
const withoutField = past.map((sample) => {
  return { ...sample, rows: Rows.of(sample.rows.map((row) => ({ ...row, fields: row.fields.slice(0, 1) }))) };
});
for (const model of ["base", "dien"] as const) {
  const before = made(model, BEFORE);
  for (let i = 0; i < past.length; i += BATCH) before.learner.learn(withoutField.slice(i, i + BATCH));
  for (const how of ["carried", "anew"]) {
    const { learner, serving } = made(model, NOW);
    if (how === "carried") learner.carry(before.learner);
    const labels: number[] = [], predictions: number[] = [];
    for (let i = 0, version = 1; labels.length < ROWS && i < next.length; i += BATCH, version++) {
      serving.apply(learner.version("full", version, version - 1));
      const batch = next.slice(i, i + BATCH);
      for (const sample of batch) {
        predictions.push(...serving.score(sample));
        labels.push(...sample.rows.map(({ label }) => label));
      }
      learner.learn(batch);
    }
    const figure = auc(labels.slice(0, ROWS), predictions.slice(0, ROWS));
    // deno-lint-ignore no-console
    console.log(`${model}, ${how}: AUC ${figure?.toFixed(4)} on ${ROWS} rows after ${past.length} lists`);
  }
}
