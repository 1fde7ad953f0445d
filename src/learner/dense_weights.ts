/**
 * The dense weights of a learner, those of the model and of the wide part, with their gradients and optimisers.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Parameters } from "../nn/kernels/parameters.ts";
import { Adagrad } from "../nn/optimisers/adagrad.ts";
import { Adam } from "../nn/optimisers/adam.ts";
import { type LearnerSettings, LEARNING_RATES } from "./learner_options.ts";
import { clipByGlobalNorm, type Optimiser } from "../nn/optimisers/optimiser.ts";
import { HALVED_AFTER } from "./table_rules.ts";

export type DenseWeightsOptions = Pick<LearnerSettings, "optimiser" | "learningRate" | "headLearningRate">;

/** The weights that every step changes. */
export class DenseWeights {
  /** ∂loss/∂weights of the model, to be added to. */
  readonly gradients: Float32Array;
  /** ∂loss/∂weights of the wide part, to be added to. */
  readonly headGradients: Float32Array;
  readonly #values: Float32Array;
  readonly #headValues: Float32Array;
  readonly #optimiser: Optimiser;
  readonly #headOptimiser: Adagrad;

  /** Trains the weights of a model and of the wide part in place. */
  constructor(model: Parameters, head: Parameters, options: DenseWeightsOptions) {
    this.#values = model.values;
    this.#headValues = head.values;
    this.gradients = model.kernels.floats(model.values.length);
    this.headGradients = new Float32Array(head.values.length);
    const { optimiser, learningRate = LEARNING_RATES[optimiser], headLearningRate } = options;
    const rule = { initialAccumulator: 1, halvedAfter: HALVED_AFTER };
    this.#optimiser = optimiser === "adam"
      ? new Adam(model.values.length, { learningRate })
      : new Adagrad(model.values.length, { ...rule, learningRate });
    this.#headOptimiser = new Adagrad(head.values.length, { ...rule, learningRate: headLearningRate });
  }

  /** Zeroes the gradients for a new batch. */
  clear(): void {
    this.gradients.fill(0);
    this.headGradients.fill(0);
  }

  /** Scales the gradients of each part to a norm of at most `max`. @returns whether both norms are finite */
  clip(max: number): boolean {
    const norm = clipByGlobalNorm(this.gradients, max);
    const headNorm = clipByGlobalNorm(this.headGradients, max);
    return Number.isFinite(norm) && Number.isFinite(headNorm);
  }

  /** Takes a step of both optimisers. @returns whether no weight exceeds `largest` in magnitude; NaN does */
  step(largest: number): boolean {
    this.#optimiser.step(this.#values, this.gradients);
    this.#headOptimiser.step(this.#headValues, this.headGradients);
    return isWithin(this.#values, largest) && isWithin(this.#headValues, largest);
  }

  /**
   * Copies weights from another learner, with the optimisers' state.
   *
   * @param places index of each weight of the model in `from`; −1 = it starts from scratch
   * @param headPlaces the same for the wide part
   */
  carry(from: DenseWeights, places: Int32Array, headPlaces: Int32Array): void {
    copyFrom(from.#values, places, this.#values);
    copyFrom(from.#headValues, headPlaces, this.#headValues);
    const [own, other] = [this.#optimiser, from.#optimiser];
    if (own instanceof Adam && other instanceof Adam) own.carry(other, places);
    if (own instanceof Adagrad && other instanceof Adagrad) own.carry(other, places);
    this.#headOptimiser.carry(from.#headOptimiser, headPlaces);
  }

  encode(to: ByteWriter): void {
    to.uint(this.#values.length).f32s(this.#values).f32s(this.#headValues)
      .bytes(this.#optimiser.encode()).bytes(this.#headOptimiser.encode());
  }

  /**
   * Reads what {@linkcode DenseWeights.encode} wrote; it replaces the present state.
   *
   * @throws SyntaxError when the sizes differ
   */
  decode(from: ByteReader): void {
    const dense = from.uint();
    if (dense !== this.#values.length) {
      throw new SyntaxError(
        `Cannot decode a learner: it has ${dense} dense weights, the model has ${this.#values.length}`,
      );
    }
    this.#values.set(from.f32s(dense));
    this.#headValues.set(from.f32s(this.#headValues.length));
    this.#optimiser.decode(from.bytes());
    this.#headOptimiser.decode(from.bytes());
  }
}

function copyFrom(values: Float32Array, places: Int32Array, to: Float32Array): void {
  for (const [i, place] of places.entries()) if (place >= 0) to[i] = values[place]!;
}

function isWithin(weights: Float32Array, largest: number): boolean {
  // Written so that NaN fails.
  for (let i = 0; i < weights.length; i++) if (!(Math.abs(weights[i]!) <= largest)) return false;
  return true;
}
