/**
 * The models in their default options, plain kernels against the tfjs reference on its two back ends:
 * a state step, scoring 100 candidates, and a loss with all gradients.
 *
 * ```sh
 * deno bench -A tests/bench/models_bench.ts
 * ```
 *
 * `deno task bench` measures the SIMD kernels.
 *
 * @module
 */

import { createModel, MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import type { Model } from "../../src/nn/models/core/model.ts";
import { addXtY, addXW, addYWt } from "../../src/nn/kernels/gemm.ts";
import { PLAIN } from "../../src/nn/kernels/plain.ts";
import { referenceModel } from "../reference/reference_model.ts";
import { startTensorflow } from "../reference/tensorflow.ts";
import { impression } from "../contracts/model_contract.ts";
import { floats } from "../nn/kernels/gradient_check.ts";

const SIZES = { d: 32, user: 32, context: 16 };
const T = 50;
const half = () => 0.5;

/** Weights as if trained: not the zeros that `half` gives. */
function randomised(model: Model): Model {
  model.parameters.values.set(floats(model.parameters.values.length, 1).map((x) => x / 4));
  return model;
}

type Run = (model: Model) => () => void;

/** One bench a computation; the plain kernels are the baseline of their group. */
async function compare(
  name: ModelName,
  group: string,
  run: Run,
  backends: ("cpu" | "wasm")[],
): Promise<void> {
  const work = run(randomised(createModel(name, SIZES, {}, half, PLAIN)));
  Deno.bench({ name: `${group}: plain`, group, baseline: true, fn: work });
  for (const backend of backends) {
    const slow = run(randomised(await referenceModel(name, SIZES, {}, half, backend)));
    Deno.bench({
      ...{ name: `${group}: tfjs ${backend}`, group, n: 5, warmup: 2 },
      fn: async (b) => {
        await startTensorflow(backend);
        b.start();
        slow();
        b.end();
      },
    });
  }
}

for (const name of MODEL_NAMES) {
  if (name === "dien" || name === "mimn") {
    await compare(name, `${name} step`, (model) => {
      const state = model.initState(), e = floats(SIZES.d, 2);
      return () => model.step(state, e);
    }, ["cpu", "wasm"]);
  }
  if (name === "mimn") {
    for (const history of [50, 1000]) {
      await compare(name, `mimn score K=100 from the state of ${history} behaviours`, (model) => {
        const state = model.initState();
        for (let t = 0; t < history; t++) model.step(state, floats(SIZES.d, t));
        const input = { ...impression(SIZES, 0, 100), state };
        return () => model.score(input);
      }, []);
    }
  }
  // tfjs on the CPU needs seconds for 100 candidates of an attention model: left out.
  await compare(name, `${name} score K=100 T=${T}`, (model) => {
    const input = impression(SIZES, T, 100);
    return () => model.score(input);
  }, ["wasm"]);
  for (const K of [1, 10]) {
    for (const auxiliary of name === "dien" ? [false, true] : [false]) {
      const group = `${name} loss K=${K} T=${T}${auxiliary ? " with auxiliary loss" : ""}`;
      await compare(name, group, (model) => {
        const gradients = new Float32Array(model.parameters.values.length);
        const all = impression(SIZES, T, K);
        const input = auxiliary ? all : { ...all, negatives: new Float32Array(0) };
        return () => model.loss(input, gradients);
      }, K === 1 && !auxiliary ? ["cpu", "wasm"] : ["wasm"]);
    }
  }
}

const [m, k, n] = [52, 32, 96];
const [x, w, y] = [floats(m * k, 1), floats(k * n, 2), floats(m * n, 3)];

/** The triple loop that the tiles replace. */
function naive(): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += (x[i * k + p] ?? 0) * (w[p * n + j] ?? 0);
      y[i * n + j] = sum;
    }
  }
}

const group = `product of [${m},${k}] and [${k},${n}], ${2 * m * k * n} operations`;
Deno.bench({ name: "addXW", group, baseline: true, fn: () => addXW(y, 0, x, 0, w, 0, m, k, n) });
Deno.bench({ name: "addYWt", group, fn: () => addYWt(x, 0, y, 0, w, 0, m, k, n) });
Deno.bench({ name: "addXtY", group, fn: () => addXtY(w, 0, x, 0, y, 0, m, k, n) });
Deno.bench({ name: "naive", group, fn: naive });
