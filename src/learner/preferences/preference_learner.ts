/**
 * Learns the pair head from preferences. A step takes 32 new preferences and, by default, up to four times as many from
 * the past. Same preferences in the same order, same weights, bit for bit.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { mulberry32 } from "../../draws/random.ts";
import type { Kernels } from "../../nn/kernels/kernels.ts";
import { copyByName, createPairHead, type LearntOrder } from "../../nn/models/pair_head/learnt_order.ts";
import type { PairHead } from "../../nn/models/pair_head/pair_head.ts";
import { PairInputs } from "../../nn/models/pair_head/pair_inputs.ts";
import { type PairNames, sameNames } from "../../nn/models/pair_head/pair_list.ts";
import { Adam } from "../../nn/optimisers/adam.ts";
import { count, natural, type OptionsOf, settle } from "../../options/option.ts";
import { decodeNames, encodeNames } from "../../samples/pair_names.ts";
import {
  decodePreference,
  encodePreference,
  hasFiniteValues,
  listOf,
  type Preference,
} from "../../samples/preference.ts";
import { NumericScaler } from "../../features/numeric_scaler.ts";
import { KeptPreferences } from "./kept_preferences.ts";
import { times } from "../../values/times.ts";

/** New preferences of a step. */
const BATCH = 32;
/** A step relearns at most one in this many of the kept preferences: if few were kept, they would be memorised. */
const SPARED = 32;
const RATE = 0.01;
/** A short memory, because the losses of preferences are all of similar size. */
const BETA2 = 0.99;

/** Options of {@linkcode PreferenceLearner} that a deployment decides. */
export interface PreferencesOptions {
  /** Most preferences of the past that are learnt with each new one. @default {4} */
  readonly replay?: number | undefined;
  /** Bytes of the preferences that are kept; they are part of each checkpoint. @default {8388608} */
  readonly bytes?: number | undefined;
}

export const PREFERENCES_OPTIONS = {
  replay: natural(
    4,
    "most past preferences that the pair head relearns per new one; a step of 32 new ones relearns at most a 32nd of those kept",
  ),
  bytes: count(
    8_388_608,
    "memory for past preferences, some 1.7 KB each; a checkpoint holds up to four such sets",
  ),
} satisfies OptionsOf<PreferencesOptions>;

export interface PreferenceLearnerOptions extends PreferencesOptions {
  /** Seed of the initial weights, of the choice of preferences to keep, and of draws. @default {0} */
  readonly seed?: number | undefined;
}

/** What was learnt about lists with values of these names. */
interface Learnt {
  readonly names: PairNames;
  readonly inputs: PairInputs;
  readonly head: PairHead;
  readonly adam: Adam;
  readonly gradients: Float32Array;
  readonly pairs: NumericScaler;
  readonly candidates: NumericScaler;
}

/** Learns an order from preferences. */
export class PreferenceLearner {
  readonly #seed: number;
  readonly #replay: number;
  readonly #kernels: Kernels;
  readonly #kept: KeptPreferences;
  #learnt: Learnt | null = null;
  #waiting: Preference[] = [];
  #draws = 0;
  #steps = 0;

  /** Starts untrained. */
  constructor(kernels: Kernels, options: PreferenceLearnerOptions = {}) {
    this.#kernels = kernels;
    this.#seed = options.seed ?? 0;
    const { replay, bytes } = settle(PREFERENCES_OPTIONS, options);
    this.#replay = replay;
    this.#kept = new KeptPreferences(bytes);
  }

  get steps(): number {
    return this.#steps;
  }

  /** Whether nothing was learnt yet. */
  get isEmpty(): boolean {
    return this.#learnt === null;
  }

  /** The learnt order; `null` before the first preference. */
  get learnt(): LearntOrder | null {
    if (this.#learnt === null) return null;
    const { names, head, pairs, candidates } = this.#learnt;
    const scales = { pairs: pairs.freeze(), candidates: candidates.freeze() };
    return { names, scales, weights: head.parameters.values.slice() };
  }

  /**
   * Adds a preference; every 32 make a step. One with a value that is not finite is ignored: it would spoil all means.
   */
  add(preference: Preference): void {
    if (!hasFiniteValues(preference)) return;
    if (this.#learnt === null || !sameNames(this.#learnt.names, preference.names)) {
      this.#adopt(preference.names);
    }
    this.#waiting.push({ ...preference, names: this.#learnt!.names });
    if (this.#waiting.length >= BATCH) this.#step();
  }

  encode(to: ByteWriter): void {
    to.uint(this.#steps).uint(this.#draws).u8(this.#learnt === null ? 0 : 1);
    if (this.#learnt === null) return;
    const { names, head, adam, pairs, candidates } = this.#learnt;
    encodeNames(to, names);
    to.f32s(head.parameters.values).bytes(adam.encode());
    pairs.encode(to);
    candidates.encode(to);
    to.uint(this.#waiting.length);
    for (const preference of this.#waiting) encodePreference(to, preference);
    this.#kept.encode(to);
  }

  reset(): void {
    this.#steps = 0;
    this.#draws = 0;
    this.#learnt = null;
    this.#waiting = [];
    this.#kept.clear();
  }

  /** Reads what {@linkcode PreferenceLearner.encode} wrote; it replaces the present state. */
  decode(from: ByteReader): void {
    const before = this.#learnt;
    this.reset();
    this.#steps = from.uint();
    this.#draws = from.uint();
    if (from.u8() === 0) return;
    const names = decodeNames(from);
    // Reused, as all of it is overwritten: kernels would never free the memory of the old one.
    const isSame = before !== null && sameNames(before.names, names);
    const { head, adam, pairs, candidates } = this.#learnt = isSame ? before : this.#create(names);
    head.parameters.values.set(from.f32s(head.parameters.values.length));
    adam.decode(from.bytes());
    pairs.decode(from);
    candidates.decode(from);
    this.#waiting = times(from.count(), () => decodePreference(from, names));
    this.#kept.decode(from, names);
  }

  #create(names: PairNames): Learnt {
    const inputs = new PairInputs(names, this.#kernels);
    const head = createPairHead(names, mulberry32(this.#seed), this.#kernels);
    const size = head.parameters.values.length;
    return {
      names,
      inputs,
      head,
      adam: new Adam(size, { learningRate: RATE, beta2: BETA2 }),
      gradients: this.#kernels.floats(size),
      pairs: new NumericScaler(inputs.names.length),
      candidates: new NumericScaler(names.candidates.length),
    };
  }

  /** Switches to lists with values of other names, and keeps what was learnt about the names that remain. */
  #adopt(names: PairNames): void {
    const before = this.learnt;
    this.#learnt = this.#create(names);
    if (before !== null) copyByName(before, names, this.#learnt.head.parameters);
    this.#waiting = [];
    this.#kept.clear();
  }

  #step(): void {
    const { names, inputs, head, adam, gradients, pairs, candidates } = this.#learnt!;
    const lists = this.#waiting.map((preference) => ({ list: listOf(preference), taken: preference.taken }));
    for (const { list } of lists) {
      const raw = inputs.raw(list);
      pairs.updateAll(raw.pairs);
      candidates.updateAll(raw.blend);
    }
    const replayed = Math.min(this.#replay * BATCH, Math.floor(this.#kept.size / SPARED));
    for (let n = 0; n < replayed; n++) {
      lists.push(this.#kept.at(Math.floor(this.#random() * this.#kept.size), names));
    }
    const scales = { pairs: pairs.freeze(), candidates: candidates.freeze() };
    this.#kernels.clear(gradients);
    for (const { list, taken } of lists) {
      head.loss(inputs.of(list, scales), taken, gradients, 1 / lists.length);
    }
    // If the gradients are not finite, this skips the step.
    adam.step(head.parameters.values, gradients);
    this.#kept.fade(this.#waiting.length);
    for (const preference of this.#waiting) this.#kept.add(preference, this.#random());
    this.#waiting = [];
    this.#steps++;
  }

  /** A random number that depends on the count of draws alone, so that the count restores the state. */
  #random(): number {
    return mulberry32((this.#seed + Math.imul(++this.#draws, 0x9e3779b9)) >>> 0)();
  }
}
