/**
 * Streams of judged lists without a model behind them: a proof sees what the prior and the model predicted, and the
 * outcomes.
 *
 * @module
 */

import { numericNames, PRIOR_NUMERIC } from "../../src/features/schema.ts";
import { type Row, Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { normalCdf } from "../../src/metrics/normal.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { makeSamples, SCHEMA } from "./batches.ts";

const [TEMPLATE] = makeSamples(1, 1, 1);
const ROW = TEMPLATE!.rows.at(0);
const NUMERICS = numericNames(SCHEMA).length;
const BOTH = [0, 1] as const;
/** Rows of a list, unless the stream says otherwise. */
export const LIST = 5;

/** A stream of lists: the truth and the model's predictions, relative to the prior, in logits. */
export interface ProofStream {
  /** Logit of the rate of positives. */
  readonly rate: number;
  /** How far the model is from the rate: by item, as a deviation, and for all items alike. */
  readonly spread: number;
  readonly shift?: number;
  /** How far the prior itself is from the rate. @default {0} */
  readonly known?: number;
  /**
   * Which of the two is true: 1 = the model, 0 = the prior. At ½ they are equally right if they are equally far from the
   * rate, as they are interchangeable.
   */
  readonly truth: number;
  /** Whether the rate is true, and neither of the two. @default {false} */
  readonly blind?: boolean;
  readonly users: number;
  /** Rows of a list. @default {5} */
  readonly list?: number;
  /** Share of both predictions' variance that all rows of a list have in common, and all rows of a user. @default {0} */
  readonly ofList?: number;
  readonly ofUser?: number;
  /** Deviation of a user's mood, which lasts for 20 lists and which neither knows. @default {0} */
  readonly mood?: number;
  /** Correlation of the draws behind the outcomes of a list; each row's probability stays as it is. @default {0} */
  readonly together?: number;
  /** Deviation of a step of the true logit from one list to the next, for everybody; it returns to 0. @default {0} */
  readonly drift?: number;
  /** Another truth after so many rows. @default {the same} */
  readonly later?: { readonly rows: number; readonly truth: number };
  /** Exponent of how often users come: 0 = equally often, 1 = Zipf. @default {0} */
  readonly skew?: number;
}

/** Standard normal numbers. */
function normals(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Draws users by their share. */
function visitors(users: number, skew: number, random: () => number): () => number {
  if (skew === 0) return () => Math.floor(random() * users);
  const sums = new Float64Array(users);
  let sum = 0;
  for (let u = 0; u < users; u++) sums[u] = sum += (u + 1) ** -skew;
  return () => {
    const at = random() * sum;
    let [low, high] = [0, users - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Returns the next list of a stream at each call. */
export function proofLists(stream: ProofStream, seed: number): () => Sample {
  const { rate, spread, shift = 0, users, list = LIST, mood = 0, together = 0, drift = 0, later } = stream;
  const { known = 0, ofList = 0, ofUser = 0 } = stream;
  const random = mulberry32(seed);
  const normal = normals(random);
  const visitor = visitors(users, stream.skew ?? 0, random);
  const moods = new Map<number, { left: number; mood: number }>();
  const tastes = new Map<number, readonly [number, number]>();
  const own = Math.sqrt(1 - ofList - ofUser);
  let judged = 0, level = 0;
  return () => {
    const user = visitor();
    const before = moods.get(user);
    const state = before === undefined || before.left === 0
      ? { left: 20, mood: mood === 0 ? 0 : mood * normal() }
      : before;
    moods.set(user, state);
    state.left--;
    if (drift > 0) level = 0.999 * level + drift * normal();
    const common: [number, number] = [0, 0];
    if (ofList > 0) { for (const who of BOTH) common[who] += Math.sqrt(ofList) * normal(); }
    if (ofUser > 0) {
      const taste = tastes.get(user) ?? [normal(), normal()];
      tastes.set(user, taste);
      for (const who of BOTH) common[who] += Math.sqrt(ofUser) * taste[who];
    }
    const luck = together > 0 ? Math.sqrt(together) * normal() : 0;
    const truth = later !== undefined && judged >= later.rows ? later.truth : stream.truth;
    judged += list;
    const rows: Row[] = [];
    for (let position = 0; position < list; position++) {
      const of = (who: 0 | 1) => common[who] + (own === 0 ? 0 : own * normal());
      const prior = known === 0 ? rate : rate + known * of(0);
      const model = rate + shift + spread * of(1);
      const seen = stream.blind === true ? rate : (1 - truth) * prior + truth * model;
      const p = sigmoid(seen + state.mood + level);
      const chance = together > 0 ? normalCdf(luck + Math.sqrt(1 - together) * normal()) : random();
      const numerics = new Float32Array(NUMERICS);
      numerics[PRIOR_NUMERIC] = prior;
      rows.push({ ...ROW, numerics, label: chance < p ? 1 : 0, prediction: sigmoid(model), position });
    }
    return { ...TEMPLATE!, user: `u${user}`, rows: Rows.of(rows) };
  };
}

const RATE = -2;

const EQUAL = { rate: RATE, known: 1, spread: 1, truth: 0.5, users: 1000 } as const;
const LUCKY = { ofList: 0.5, together: 0.3 } as const;
/** Streams on which the model is no better than the prior, but may seem so by chance. */
export const NO_BETTER: Readonly<Record<string, ProofStream>> = {
  "equally right": EQUAL,
  "equally right, close together": { ...EQUAL, known: 0.2, spread: 0.2 },
  "equally right, far apart": { ...EQUAL, known: 3, spread: 3 },
  "equally right, users with moods": { ...EQUAL, users: 200, mood: 1 },
  "equally right, 8 users with moods": { ...EQUAL, users: 8, mood: 1 },
  "equally right, one user has most lists": { ...EQUAL, users: 300, skew: 2, ofUser: 0.5 },
  "equally right, lasting opinions of users": { ...EQUAL, users: 50, ofUser: 0.9 },
  "lists of 10 that share opinions and luck": { ...EQUAL, list: 10, ...LUCKY },
  "lists of 50 that share opinions and luck": { ...EQUAL, list: 50, ...LUCKY, ofList: 0.9 },
  "positives 0.7 %": { ...EQUAL, rate: -5 },
  "positives 0.1 %": { ...EQUAL, rate: -7 },
  "positives 0.7 %, lists of 50 that share": { ...EQUAL, rate: -5, list: 50, ...LUCKY },
  "positives 95 %": { ...EQUAL, rate: 3 },
  "neither knows anything": { ...EQUAL, blind: true },
  "noise, the prior has no opinion": { rate: RATE, spread: 1, truth: 0, users: 1000 },
  "noise, twice too high": { rate: RATE, spread: 0.5, shift: 0.7, truth: 0, users: 1000 },
  "slightly worse": { ...EQUAL, truth: 0.45 },
  "worse": { ...EQUAL, truth: 0.3 },
  "everybody's level drifts": { ...EQUAL, drift: 0.05 },
  "equally right, worse later": { ...EQUAL, later: { rows: 2000, truth: 0.35 } },
};

/** Streams on which the model is better, or becomes so. */
export const BETTER: Readonly<Record<string, ProofStream>> = {
  "right, the prior has no opinion": { rate: RATE, spread: 0.5, truth: 1, users: 1000 },
  "right, the prior is noise": { ...EQUAL, truth: 1 },
  "mostly right": { ...EQUAL, truth: 0.75 },
  "right, three times too sure": { ...EQUAL, known: 0.5, spread: 1.5, truth: 0.33 },
  "right, positives 0.7 %": { ...EQUAL, rate: -5, truth: 1 },
  "right, 8 users with moods": { ...EQUAL, truth: 1, users: 8, mood: 1 },
  "wrong for 8,000 rows, right later": { ...EQUAL, truth: -0.5, later: { rows: 8000, truth: 1 } },
};
