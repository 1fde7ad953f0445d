/**
 * Writes records by the code of another checkout: `make.ts <checkout> <folder>`.
 *
 * @module
 */

import { gzipSync } from "node:zlib";

const [root, out] = Deno.args;
if (root === undefined || out === undefined) {
  throw new Error("Cannot write records without a checkout and a folder");
}
const { Learner } = await import(`${root}/src/learner/learner.ts`);
const { createModel } = await import(`${root}/src/nn/models/registry.ts`);
const { modelSizes } = await import(`${root}/src/features/rows/assembler.ts`);
const { DEFAULT_SCHEMA } = await import(`${root}/src/features/schema.ts`);
const { mulberry32 } = await import(`${root}/src/draws/random.ts`);
const { encodeVersion } = await import(`${root}/src/serving/version.ts`);
const { TaskState } = await import(`${root}/src/engine/task_state.ts`);
const { PRIOR } = await import(`${root}/src/serving/prior_serving.ts`);
const { encodeSample } = await import(`${root}/src/samples/sample_codec.ts`);
const schema = { ...DEFAULT_SCHEMA, userIds: false };
const task = new TaskState({ schema, outcomeWindowMs: 1000, allowedLatenessMs: 0 }, PRIOR);
const outputs = { recommendations: [], samples: [] as unknown[], forgotten: [] };
const START = Date.UTC(2026, 0, 1);
let offset = 0;
for (let i = 0; i < 8; i++) task.applyItem({ item: `i${i}`, time: START, category: `c${i % 2}` });
for (let n = 0; n < 40; n++) {
  const user = `u${n % 5}`, time = START + 2000 * n;
  task.apply({ type: "request", user, request: `r${n}`, count: 3, time }, offset++, outputs);
  task.apply(
    {
      type: "interaction",
      user,
      item: `i${(n * 3) % 8}`,
      action: "click",
      request: `r${n}`,
      time: time + 100,
    },
    offset++,
    outputs,
  );
}
task.flush(outputs);
const learner = new Learner(createModel("base", modelSizes(schema, 2), { widths: [3] }, mulberry32(1)), {
  schema,
  embeddingWidth: 2,
});
learner.learn(outputs.samples);
const { records } = task.retrieval.state.changes();
await Deno.mkdir(out, { recursive: true });
await Deno.writeFile(`${out}/version.bin`, encodeVersion(learner.version("full", 1, 0)));
await Deno.writeFile(`${out}/learner.bin.gz`, gzipSync(learner.encode(), { level: 9 }));
await Deno.writeFile(`${out}/sample.bin`, encodeSample(outputs.samples[5]));
for (const { key, value } of records) await Deno.writeFile(`${out}/${key.replaceAll(":", "-")}.bin`, value);
await Deno.writeFile(`${out}/user.bin`, task.record(task.users.get("u1")));
