/**
 * A small lifelong model, to show what a new one takes: z = s·⟨p, q⟩ + ⟨u, xu⟩ + ⟨c, xc⟩ with p the mean of all
 * behaviours, which its state sums up (the average pooling of Covington et al. 2016, "Deep Neural Networks for YouTube
 * Recommendations", without the network).
 *
 * @module
 */

import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { Parameters } from "../../../src/nn/kernels/parameters.ts";
import { weightedLogisticLoss } from "../../../src/nn/layers/weighted_loss.ts";
import { type Capabilities, OF_A_SET } from "../../../src/nn/models/core/capabilities.ts";
import type { ModelKind } from "../../../src/nn/models/core/kind.ts";
import type {
  InputGradients,
  Model,
  ModelInput,
  ModelSizes,
  TrainingInput,
} from "../../../src/nn/models/core/model.ts";
import type { Panel } from "../../../src/nn/models/core/panel.ts";
import { number, type OptionsOf, settle } from "../../../src/options/option.ts";

interface PoolConfig {
  readonly scale?: number | undefined;
}

const OPTIONS: OptionsOf<PoolConfig> = { scale: number(1, {}, "s at the start") };
const CAPABILITIES: Capabilities = { ...OF_A_SET, state: true, lifelong: true };

class MeanPooling implements Model {
  readonly name = "pool";
  readonly capabilities = CAPABILITIES;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  /** Σe [d] and how many [1]. */
  readonly stateSize: number;

  constructor(sizes: ModelSizes, config: PoolConfig, kernels: Kernels) {
    this.sizes = sizes;
    this.stateSize = sizes.d + 1;
    this.parameters = new Parameters({ s: [1], u: [sizes.user], c: [sizes.context] }, kernels);
    this.parameters.block("s")[0] = settle(OPTIONS, config).scale ?? 1;
  }

  initState = () => new Float32Array(this.stateSize);

  step(state: Float32Array, e: Float32Array): void {
    for (const [j, x] of e.entries()) state[j]! += x;
    state[e.length]! += 1;
  }

  inspect = (state: Float32Array): Panel[] => [
    {
      name: "pooled",
      title: "Pooled",
      about: "Behaviours in the mean.",
      unit: "count",
      values: [state.at(-1)!],
    },
  ];

  score({ K, q, xu, xc, ...history }: ModelInput): Float32Array {
    const { d, context: C } = this.sizes, [s, u, c] = this.#weights(this.parameters.values);
    const { p } = this.#pool(history);
    return new Float32Array(K).map((_, k) =>
      s[0]! * dot(p, q.subarray(k * d, k * d + d)) + dot(u, xu) + dot(c, xc.subarray(k * C, k * C + C))
    );
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    const { K, T, q, xu, xc, wide, labels, weights } = input, { d, context: C } = this.sizes;
    const { p, n } = this.#pool(input), [s, u, c] = this.#weights(this.parameters.values);
    const logits = this.score(input).map((z, k) => z + wide[k]!), z = new Float32Array(K);
    const loss = weightedLogisticLoss(z, logits, labels, weights);
    const [ds, du, dc] = this.#weights(gradients),
      dp = new Float32Array(d),
      total = z.reduce((a, b) => a + b, 0);
    const into = { q: new Float32Array(K * d), xc: new Float32Array(K * C), xu: u.map((w) => w * total) };
    for (let k = 0; k < K; k++) {
      for (let j = 0; j < d; j++) {
        dp[j]! += s[0]! * z[k]! * q[k * d + j]!, into.q[k * d + j] = s[0]! * z[k]! * p[j]!;
      }
      for (let j = 0; j < C; j++) dc[j]! += z[k]! * xc[k * C + j]!, into.xc[k * C + j] = z[k]! * c[j]!;
      ds[0]! += z[k]! * dot(p, q.subarray(k * d, k * d + d));
    }
    for (const [j, x] of xu.entries()) du[j]! += total * x;
    const e = Float32Array.from({ length: T * d }, (_, o) => dp[o % d]! / n);
    return { loss, aux: 0, logits, z, e, ...into, negatives: new Float32Array(input.negatives.length) };
  }

  #weights(values: Float32Array): [s: Float32Array, u: Float32Array, c: Float32Array] {
    return [
      this.parameters.block("s", values),
      this.parameters.block("u", values),
      this.parameters.block("c", values),
    ];
  }

  #pool({ T, e, state = this.initState() }: Pick<ModelInput, "T" | "e" | "state">) {
    const { d } = this.sizes, sum = state.slice();
    for (let t = 0; t < T; t++) this.step(sum, e.subarray(t * d, t * d + d));
    const n = Math.max(1, sum[d]!);
    return { n, p: sum.subarray(0, d).map((x) => x / n) };
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, j) => sum + x * b[j]!, 0);
}

/** Its entry as it would be in the registry. */
export const POOL: ModelKind<"pool", PoolConfig> = {
  name: "pool",
  options: OPTIONS,
  capabilities: CAPABILITIES,
  create: (sizes, config, _random, kernels) => new MeanPooling(sizes, config, kernels),
};
