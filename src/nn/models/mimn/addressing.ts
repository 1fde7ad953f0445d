/**
 * Content addressing of a memory's slots by cosine (Graves et al. 2014, "Neural Turing Machines"), with
 * trained slot keys as in the MIMN authors' code, forward and backward:
 *
 * ```text
 * w = softmax_i(b_i + β·(s·cos(k, Kslot_i) + (1−s)·cos(k, M_i)))        s = slotKeyWeight
 * ```
 *
 * Without slot keys all slots become alike: equal slots get equal weights and equal gradients. The b are logits added
 * by the caller. A weight that is rebalanced by probabilities, w∘P/Σ(w∘P), is this softmax with b = ln P (up to a
 * constant), which avoids dividing by a mass that may vanish.
 */

import type { Parameters } from "../../kernels/parameters.ts";
import { exp } from "../../kernels/exp.ts";
import { Layer } from "../../layers/layer.ts";

// m slots, D slot width, n rows (keys) of a call

/** A vector shorter than this has no direction: its cosines are 0 and carry no gradient. */
const NO_DIRECTION = 1e-6;

/** Keys to look up in one memory. */
export interface AddressInput {
  /** First of the n rows, among those that `begin` made. */
  readonly row: number;
  /** Number of keys n. */
  readonly n: number;
  /** Rows of a key [D] and its sharpness β: [n, D+1] from `keysAt`. */
  readonly keys: Float32Array;
  readonly keysAt: number;
  /** M [m, D] from `memoryAt`. */
  readonly memory: Float32Array;
  readonly memoryAt: number;
}

/** Where {@linkcode Addressing.backward} adds its gradients. */
export interface AddressGradients {
  /** ∂/∂(key, β) [n, D+1] from `keysAt`. */
  readonly keys: Float32Array;
  readonly keysAt: number;
  /** ∂/∂M [m, D]. */
  readonly memory: Float32Array;
  /** ∂/∂parameters, flat. */
  readonly parameters: Float32Array;
}

/** Addressing over the block `slotKeys` [m, D]. `backward` reads what `forward` stored for a row. */
export class Addressing extends Layer {
  readonly #slots = this.sizesOf("slotKeys")[0];
  readonly #width = this.sizesOf("slotKeys")[1];
  readonly #slotKeys = this.parameters.offset("slotKeys");
  readonly #slotKeyWeight: number;
  readonly #weights = this.scratch();
  readonly #cosines = this.scratch();
  readonly #slotKeyLengths = new Float64Array(this.#slots);
  readonly #lengths = new Float64Array(this.#slots);

  constructor(parameters: Parameters, slotKeyWeight: number) {
    super(parameters);
    this.#slotKeyWeight = slotKeyWeight;
  }

  /** Allocates rows whose added logits b, in {@linkcode Addressing.weights}, are 0. */
  begin(rows: number): void {
    this.#weights.zeros(rows * this.#slots);
    this.#cosines.take(rows * 2 * this.#slots);
    const values = this.parameters.values;
    measure(this.#slotKeyLengths, values, this.#slotKeys, this.#width);
  }

  /** [rows, m]: b before `forward`, w after it. */
  get weights(): Float32Array {
    return this.#weights.current;
  }

  /** Computes the weights of n rows. */
  forward({ row, n, keys, keysAt, memory, memoryAt }: AddressInput): void {
    const m = this.#slots, D = this.#width, s = this.#slotKeyWeight;
    const weights = this.#weights.current, cosines = this.#cosines.current;
    const values = this.parameters.values;
    measure(this.#lengths, memory, memoryAt, D);
    for (let i = 0; i < n; i++) {
      const key = keysAt + i * (D + 1), at = (row + i) * m;
      const beta = keys[key + D]!;
      const inverse = inverseLength(keys, key, D);
      let max = -Infinity;
      for (let j = 0; j < m; j++) {
        let slot = 0, content = 0;
        for (let p = 0, a = this.#slotKeys + j * D, b = memoryAt + j * D; p < D; p++) {
          const k = keys[key + p]!;
          slot += k * values[a + p]!;
          content += k * memory[b + p]!;
        }
        slot *= inverse * this.#slotKeyLengths[j]!;
        content *= inverse * this.#lengths[j]!;
        const logit = weights[at + j]! + beta * (s * slot + (1 - s) * content);
        cosines[2 * (at + j)] = slot;
        cosines[2 * (at + j) + 1] = content;
        weights[at + j] = logit;
        max = Math.max(max, logit);
      }
      let sum = 0;
      for (let j = 0; j < m; j++) sum += weights[at + j] = exp(weights[at + j]! - max);
      for (let j = 0; j < m; j++) weights[at + j]! /= sum;
    }
  }

  /** Adds the gradients of n rows; `dw` [n, m] is ∂/∂w and becomes ∂/∂b. */
  backward(
    { row, n, keys, keysAt, memory, memoryAt }: AddressInput,
    dw: Float32Array,
    into: AddressGradients,
  ): void {
    const m = this.#slots, D = this.#width, s = this.#slotKeyWeight;
    const weights = this.#weights.current, cosines = this.#cosines.current;
    const values = this.parameters.values;
    const { keys: dkeys, memory: dmemory, parameters: dvalues } = into;
    measure(this.#lengths, memory, memoryAt, D);
    for (let i = 0; i < n; i++) {
      const key = keysAt + i * (D + 1), dkey = into.keysAt + i * (D + 1), at = (row + i) * m, d = i * m;
      const beta = keys[key + D]!;
      const inverse = inverseLength(keys, key, D);
      let inner = 0;
      for (let j = 0; j < m; j++) inner += weights[at + j]! * dw[d + j]!;
      for (let j = 0; j < m; j++) {
        const dz = weights[at + j]! * (dw[d + j]! - inner);
        const slot = cosines[2 * (at + j)]!, content = cosines[2 * (at + j) + 1]!;
        dw[d + j] = dz;
        dkeys[dkey + D]! += dz * (s * slot + (1 - s) * content);
        // cos = ⟨k, v⟩/(|k||v|): ∂cos/∂k = v/(|k||v|) − cos·k/|k|², and likewise for v.
        const slotLength = this.#slotKeyLengths[j]!, length = this.#lengths[j]!;
        const ds = s * beta * dz, dc = (1 - s) * beta * dz;
        const crossSlot = ds * inverse * slotLength, crossContent = dc * inverse * length;
        const ownKey = (ds * slot + dc * content) * inverse * inverse;
        const ownSlot = ds * slot * slotLength * slotLength, ownContent = dc * content * length * length;
        for (let p = 0, a = this.#slotKeys + j * D, b = j * D; p < D; p++) {
          const k = keys[key + p]!, u = values[a + p]!, v = memory[memoryAt + b + p]!;
          dkeys[dkey + p]! += crossSlot * u + crossContent * v - ownKey * k;
          dvalues[a + p]! += crossSlot * k - ownSlot * u;
          dmemory[b + p]! += crossContent * k - ownContent * v;
        }
      }
    }
  }
}

/** Writes 1/|v| of each row, 0 for a row without direction, so that everything computed from it is 0. */
function measure(inverse: Float64Array, v: Float32Array, at: number, width: number): void {
  for (let j = 0; j < inverse.length; j++) inverse[j] = inverseLength(v, at + j * width, width);
}

function inverseLength(v: Float32Array, at: number, width: number): number {
  let sum = 0;
  for (let p = at; p < at + width; p++) sum += v[p]! * v[p]!;
  const length = Math.sqrt(sum);
  return length < NO_DIRECTION ? 0 : 1 / length;
}
