/**
 * The tfjs reference as a {@linkcode Model}: slow, readable, differentiated by tfjs. A learner may run on it
 * to check the plain kernels end to end.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { PLAIN } from "../../src/nn/kernels/plain.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import { DIEN_OPTIONS, type DienConfig } from "../../src/nn/models/dien/options.ts";
import type { Mimn } from "../../src/nn/models/mimn/mimn.ts";
import { MIMN_OPTIONS, type MimnConfig } from "../../src/nn/models/mimn/options.ts";
import type { MimnLayout } from "../../src/nn/models/mimn/state.ts";
import type {
  InputGradients,
  Model,
  ModelInput,
  ModelSizes,
  TrainingInput,
} from "../../src/nn/models/core/model.ts";
import type { Capabilities } from "../../src/nn/models/core/capabilities.ts";
import type { Parameters } from "../../src/nn/kernels/parameters.ts";
import { settle } from "../../src/options/option.ts";
import type { Batch, Forward, MimnTensors } from "./batch.ts";
import { baseForward, dienForward, dinForward } from "./forward.ts";
import { gru } from "./gru.ts";
import { weightedLogisticLoss } from "./layers.ts";
import { mimnForward, mimnStart, mimnStep } from "./mimn.ts";
import { type Backend, startTensorflow, type Weights } from "./tensorflow.ts";

type ForwardFunction = (weights: Weights, batch: Batch) => Forward;

/** A model with the parameters of {@linkcode createModel} whose every number comes from tfjs. */
export async function referenceModel<N extends ModelName>(
  name: N,
  sizes: ModelSizes,
  config: ModelConfigs[N],
  random: () => number,
  backend: Backend = "cpu",
): Promise<Model> {
  await startTensorflow(backend);
  const model = createModel(name, sizes, config, random, PLAIN);
  const reference = REFERENCES[name];
  if (reference === undefined) {
    throw new RangeError(`Cannot compute ${name} with tfjs: it is not written in its ops`);
  }
  return reference(model, config);
}

const REFERENCES: { readonly [N in ModelName]?: (model: Model, config: ModelConfigs[N]) => Model } = {
  base: (model, config) => new ReferenceModel(model, (weights, batch) => baseForward(weights, config, batch)),
  din: (model, config) => new ReferenceModel(model, (weights, batch) => dinForward(weights, config, batch)),
  dien: (model, config) => new DienReferenceModel(model, config),
  mimn: (model, config) => new MimnReferenceModel(model as Mimn, config),
};

class ReferenceModel implements Model {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly sizes: ModelSizes;
  readonly parameters: Parameters;
  readonly stateSize: number;
  readonly #forward: ForwardFunction;

  constructor({ name, capabilities, sizes, parameters, stateSize }: Model, forward: ForwardFunction) {
    this.name = name;
    this.capabilities = { ...capabilities, looks: null };
    this.sizes = sizes;
    this.parameters = parameters;
    this.stateSize = stateSize;
    this.#forward = forward;
  }

  initState(): Float32Array {
    return new Float32Array(this.stateSize);
  }

  step(_state: Float32Array, _e: Float32Array): void {}

  score(input: ModelInput): Float32Array {
    const { T, K, e, q, xu, xc } = input;
    return tf.tidy(() => {
      const { mask, tensors } = this.#tensors({ T, K, e, q, xu, xc });
      const batch = { ...tensors, mask, ...this.start(input) };
      return this.#forward(this.weights(), batch).logits.dataSync() as Float32Array;
    });
  }

  loss(input: TrainingInput, gradients: Float32Array): InputGradients {
    return tf.tidy(() => {
      const { mask, tensors } = this.#tensors(input);
      const weights = this.weights();
      const trained = variables({ ...weights, ...tensors });
      const wide = tf.tensor2d(input.wide, [1, input.K]);
      let logits: tf.Tensor = wide;
      let aux: tf.Tensor = tf.scalar(0);
      let regularisation: tf.Tensor = tf.scalar(0);
      try {
        const { value, grads } = tf.variableGrads(() => {
          const batch = { ...trained as unknown as typeof tensors, mask, ...this.start(input) };
          const forward = this.#forward(trained, batch);
          logits = tf.keep(tf.add(forward.logits, wide));
          aux = tf.keep(forward.aux);
          regularisation = tf.keep(tf.sum(forward.regularisation ?? tf.zeros([1])));
          const y = tf.tensor2d(input.labels, [1, input.K]), w = tf.tensor2d(input.weights, [1, input.K]);
          const target = tf.add(weightedLogisticLoss(logits, y, w), tf.mul(tf.sum(w), regularisation));
          return tf.add(target, tf.mul(forward.aux, input.auxWeight)) as tf.Scalar;
        }, Object.values(trained));
        const read = (name: string, length: number) =>
          (grads[trained[name]?.name ?? ""]?.dataSync() ?? new Float32Array(length)).slice(0, length);
        for (const name of this.parameters.shapes.keys()) {
          const into = this.parameters.block(name, gradients);
          read(name, into.length).forEach((g, i) => into[i] = (into[i] ?? NaN) + g);
        }
        const z = logits.dataSync() as Float32Array;
        return {
          loss: value.dataSync()[0] ?? NaN,
          aux: aux.dataSync()[0] ?? NaN,
          ...(this.capabilities.lifelong ? { regularisation: regularisation.dataSync()[0] ?? NaN } : {}),
          logits: z,
          z: z.map((x, k) => (input.weights[k] ?? NaN) * (1 / (1 + Math.exp(-x)) - (input.labels[k] ?? NaN))),
          e: read("e", input.e.length) as Float32Array,
          q: read("q", input.q.length) as Float32Array,
          xu: read("xu", input.xu.length) as Float32Array,
          xc: read("xc", input.xc.length) as Float32Array,
          negatives: read("negatives", input.negatives.length) as Float32Array,
        };
      } finally {
        Object.values(trained).forEach((variable) => variable.dispose());
        logits.dispose();
        aux.dispose();
        regularisation.dispose();
      }
    });
  }

  /** The state that e goes on from. */
  protected start(_input: ModelInput): { readonly state?: MimnTensors } {
    return {};
  }

  /** The blocks as tensors. */
  protected weights(): Record<string, tf.Tensor> {
    const blocks = [...this.parameters.shapes].map(([name, shape]) =>
      [name, tf.tensor(this.parameters.block(name).slice(), [...shape])] as const
    );
    return Object.fromEntries(blocks);
  }

  /** A batch of one; an empty history becomes one masked behaviour, because tfjs has no empty loops. */
  #tensors(input: ModelInput & Partial<TrainingInput>) {
    const { d, user, context } = this.sizes;
    const { T, K, negatives = new Float32Array(0) } = input;
    const steps = Math.max(1, T);
    const history = (x: Float32Array) => {
      const padded = new Float32Array(steps * d);
      padded.set(x);
      return tf.tensor3d(padded, [1, steps, d]);
    };
    const tensors = {
      e: history(input.e),
      q: tf.tensor3d(input.q.slice(), [1, K, d]),
      xu: tf.tensor2d(input.xu.slice(), [1, user]),
      xc: tf.tensor3d(input.xc.slice(), [1, K, context]),
      ...(negatives.length > 0 ? { negatives: history(negatives) } : {}),
    };
    return { tensors, mask: tf.fill([1, steps], T > 0 ? 1 : 0) };
  }
}

/** DIEN folds a history by its extractor. */
class DienReferenceModel extends ReferenceModel {
  readonly #inputGain: number;

  constructor(model: Model, config: DienConfig) {
    super(model, (weights, batch) => dienForward(weights, config, batch));
    this.#inputGain = settle(DIEN_OPTIONS, config).inputGain;
  }

  override step(state: Float32Array, e: Float32Array): void {
    const next = tf.tidy(() =>
      gru(this.weights(), "gru1", "gru", {
        x: tf.mul(tf.tensor3d(e, [1, 1, e.length]), this.#inputGain),
        mask: tf.ones([1, 1]),
        start: tf.tensor2d(state, [1, state.length]),
      }).dataSync()
    );
    state.set(next);
  }
}

/** MIMN's state has parts, and may come with the input. */
class MimnReferenceModel extends ReferenceModel {
  readonly #layout: MimnLayout;
  readonly #config: MimnConfig;

  constructor(model: Mimn, config: MimnConfig) {
    super(model, (weights, batch) => mimnForward(weights, config, batch));
    this.#layout = model.layout;
    this.#config = config;
  }

  override initState(): Float32Array {
    return tf.tidy(() => this.#flat(mimnStart(this.weights(), this.#config, 1)));
  }

  override step(state: Float32Array, e: Float32Array): void {
    state.set(tf.tidy(() => {
      const input = {
        state: this.#tensorsOf(state),
        e: tf.tensor2d(e, [1, e.length]),
        mask: tf.ones([1, 1]),
      };
      return this.#flat(mimnStep(this.weights(), this.#config, input).state);
    }));
  }

  protected override start({ state }: ModelInput): { readonly state?: MimnTensors } {
    return state === undefined ? {} : { state: this.#tensorsOf(state) };
  }

  #tensorsOf(flat: Float32Array): MimnTensors {
    const { slots, width, traces } = this.#layout;
    const view = this.#layout.view(flat);
    const row = (x: Float32Array) => tf.tensor2d(x.slice(), [1, x.length]);
    const grid = (x: Float32Array) => tf.tensor3d(x.slice(), [1, slots, width]);
    return {
      memory: grid(view.memory),
      read: row(view.read),
      controller: row(view.controller),
      usage: row(view.usage),
      added: row(view.added),
      channels: grid(view.channels),
      count: row(view.count),
      sums: traces > 0
        ? row(view.sums)
        : tf.zeros([1, width * settle(MIMN_OPTIONS, this.#config).traces.length]),
    };
  }

  #flat(tensors: MimnTensors): Float32Array {
    const state = new Float32Array(this.stateSize);
    const { flat: _, ...view } = this.#layout.view(state);
    for (const name of Object.keys(view) as (keyof typeof view)[]) {
      if (view[name].length > 0) view[name].set(tensors[name].dataSync());
    }
    return state;
  }
}

/** tfjs names variables globally, so they are made for one call and disposed after it. */
function variables(tensors: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Variable> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, tf.variable(tensor, true)]),
  );
}
