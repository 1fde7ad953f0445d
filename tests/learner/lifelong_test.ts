import assert from "node:assert/strict";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { rowLogLoss } from "../../src/metrics/probability.ts";

const K = 8;
const HOUR = 3_600_000;

function mimn() {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  return createModel("mimn", sizes, {}, mulberry32(1));
}

/** The sample of a list shown to a user after so many clicks, one an hour. */
function sampleAfter(clicks: number, serving: ServingModel): Sample {
  const task = new TaskState({ schema: DEFAULT_SCHEMA, impressions: "logged" }, serving);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  for (let n = 0; n < clicks; n++) {
    const click = {
      type: "interaction",
      user: "u",
      item: `i${n % 7}`,
      action: "click",
      time: n * HOUR,
    } as const;
    task.apply(click, n, out);
  }
  const time = (clicks - 1) * HOUR + 1;
  task.apply({ type: "impression", user: "u", items: ["i1", "i2", "i3"], time }, clicks, out);
  task.flush(out);
  const [sample] = out.samples;
  assert.ok(sample !== undefined);
  return sample;
}

Deno.test("Learner.learn() computes the loss of predictions that were made from a lifelong state", () => {
  const learner = new Learner(mimn(), { schema: DEFAULT_SCHEMA, embeddingWidth: K, embeddingScale: 1 });
  const serving = new ServingModel(mimn(), DEFAULT_SCHEMA, K);
  // An early impression, at the same hour of a day, so that every id has a row.
  learner.learn([sampleAfter(10, serving)]);
  assert.ok(serving.apply(learner.version("full", 1)));
  const sample = sampleAfter(226, serving);
  assert.ok(sample.state !== undefined);
  const recent = sample.history.items.length - sample.state.from;
  assert.ok(recent >= 20 && recent < 30 && sample.state.values.length > 0);

  const want =
    [...sample.rows].reduce((sum, { label, prediction }) => sum + rowLogLoss(label, prediction), 0) / 3;
  const { state: _forgotten, ...window } = sample;
  const encoded = learner.encode();
  const { logLoss } = learner.learn([decodeSample(encodeSample(sample))]);
  learner.decode(encoded);
  const { logLoss: windowed } = learner.learn([window]);
  // The position of a row reaches the learner only through a weight that is still 0.
  assert.ok(Math.abs(logLoss - want) < 1e-6, `${logLoss} is not ${want}`);
  assert.ok(Math.abs(windowed - want) > 1e-5, "the window alone knows less");
});
