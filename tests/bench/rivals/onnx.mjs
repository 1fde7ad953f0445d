/**
 * The models of export_onnx.py in ONNX Runtime, one thread: one JSON line a measurement, {"name", "micros"}.
 *
 *     node onnx.mjs <folder of the models> <folder of onnxruntime-node>
 *
 * Time is CPU time of the process, the least of several rounds. A call goes through a promise, as it must.
 */

import { createRequire } from "node:module";
import process from "node:process";

const [models, modules] = process.argv.slice(2);
const ort = createRequire(`${modules}/package.json`)("onnxruntime-node");
const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential" };

const random = (...shape) => {
  const size = shape.reduce((product, n) => product * n, 1);
  return new ort.Tensor("float32", Float32Array.from({ length: size }, () => Math.random() - 0.5), shape);
};

async function tell(name, file, inputs, { repeat, pieces = 1 }) {
  const session = await ort.InferenceSession.create(`${models}/${file}.onnx`, options);
  for (let i = 0; i < 10; i++) await session.run(inputs);
  let least = Infinity;
  for (const end = performance.now() + 4000; performance.now() < end;) {
    const start = process.cpuUsage();
    for (let i = 0; i < repeat; i++) await session.run(inputs);
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / repeat);
  }
  process.stdout.write(`${JSON.stringify({ name, micros: least / pieces })}\n`);
}

const T = 50, d = 32, USER = 18;
await tell("product [128,36]·[36,108]", "product", { x: random(128, 36), w: random(36, 108) }, {
  repeat: 200,
});
const request = { e: random(1, T, d), q: random(100, d), user: random(1, USER) };
await tell("score dien, 100 candidates", "score", request, { repeat: 5 });
await tell("step dien, one user", "step", { x: random(1, d), h: random(1, 32) }, { repeat: 200 });
const poll = { x: random(500, d), h: random(500, 32) };
await tell("step dien, 500 users in turn", "steps", poll, { repeat: 20, pieces: 500 });
