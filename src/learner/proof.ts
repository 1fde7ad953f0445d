/**
 * How much a model counts in the order of lists. It must prove that it ranks better than the causal prior, on
 * predictions that were frozen when their list was shown and judged before anything was learnt from them.
 *
 * ```text
 *                 `mixRows`                   model ≫ prior
 *   prior (new) ───────────────▶ mix ──────────────────────▶ model
 *                              ▲  │ prior ≫ mix                │ prior ≫ model
 *                  mix ≫ prior │  ▼                            ▼
 *                              prior ◀─────────────────────────┘        (≫: proved, at any time)
 *                                └──────── model ≫ prior ──────▶ model
 * ```
 *
 * The mix is half of each, in log-odds. An untrained model gives nearly the same logit to all items and changes the
 * order little; one that is confidently wrong loses so much that a few lists expose it.
 *
 * **Gain** of a list: the log likelihood of which rows are positive, given how many are, under the mix or the model,
 * minus that under the prior ({@linkcode listLikelihood}). So only a better order gains; knowing who clicks often, or
 * when, does not. A row that is alone in its list, such as a rating, gains the decrease in its log loss. The prior is
 * corrected to the rate seen so far at each position, so knowing how far people look gains nothing either.
 *
 * **Test.** Rows are grouped in blocks of {@linkcode BLOCK_ROWS}. Each block starts a new test, so that how a model did
 * when it was new is forgotten; the last {@linkcode BLOCKS} tests are running. With G the sum of the gains since the
 * start of a test and V their variance, the half-normal mixture martingale (Robbins 1970)
 *
 *     M = 2 Φ(ρG/s) exp(ρ²G²/2s²) / s,   s = √(1 + ρ²V)
 *
 * ever exceeds 1/α with probability at most α if there is no true gain, however often it is checked. Test j uses
 * α/(j(j + 1)), so over the whole life of a model chance causes a change with probability at most α per direction: it
 * does not flap. Evidence restarts after each change.
 *
 * **Variance.** Rows of a list and lists of a user are correlated, so V is the sum of squared gains of *users*, not
 * of rows. Their mean is not subtracted, which makes M exact for any symmetric distribution, however heavy its tails
 * (de la Peña 1999). After {@linkcode CLUSTER_ROWS} rows a user counts as a new one, so that a few users can also be
 * proof, only more slowly. A user's gain grows over time; positively correlated increments cross a boundary less often
 * than independent ones of the same variance (Slepian 1962). If positives are rare, few rows carry most of the loss and
 * may be yet to come, so V is at least what both predictions expect, Σ max(p₀(1 − p₀), p₁(1 − p₁)) (z₁ − z₀)².
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import { hashString } from "../embeddings/hash.ts";
import { MAX_POSITION } from "../features/fields.ts";
import { PRIOR_NUMERIC } from "../features/schema.ts";
import { sigmoid, softplus } from "../nn/losses/logistic.ts";
import { logCapital } from "../metrics/capital.ts";
import { PROBABILITY_FLOOR } from "../metrics/probability.ts";
import { natural, number, type OptionsOf, settle } from "../options/option.ts";
import type { Rows } from "../samples/rows.ts";
import { type ListLikelihood, listLikelihood } from "./list_likelihood.ts";
import type { Sample } from "../samples/sample.ts";
import { times } from "../values/times.ts";

/** Options of a {@linkcode Proof}. */
export interface ProofOptions {
  /** Probability that chance alone ever changes who orders lists, per direction. @default {0.05} */
  readonly alpha?: number | undefined;
  /** Judged rows before a new model is mixed with the prior; 0: at once. @default {64} */
  readonly mixRows?: number | undefined;
}

export const PROOF_OPTIONS = {
  alpha: number(
    0.05,
    { above: 0, below: 1 },
    "probability that chance ever gives a model a share in ordering lists, or takes it away",
  ),
  mixRows: natural(64, "judged rows after which a new model is mixed with the prior"),
} satisfies OptionsOf<ProofOptions>;

/** Who orders lists, by ascending share of the model. */
const ORDERERS = ["prior", "mix", "model"] as const;

export type Orderer = typeof ORDERERS[number];

export interface ProofChange {
  /** Who orders from then on. */
  readonly to: Orderer;
  /** Rows judged so far. */
  readonly rows: number;
}

/** Rows per block, after which the next test begins. */
const BLOCK_ROWS = 1024;
/** Tests that run at a time. */
const BLOCKS = 8;
/** Rows between two checks. */
const LOOK_ROWS = 256;
/** Rows after which a user counts as a new one. */
const CLUSTER_ROWS = 128;
/** Deviation ρ of the mixture: best for a model that is right where it differs from the prior, whose gain is V/2. */
const RHO = 0.5;
/** Information p(1 − p) that the level of a position starts with, and the most that it accumulates. */
const LEVEL_START = 4, LEVEL_MEMORY = 1000;
/** Most changes that are kept. */
const MAX_CHANGES = 64;
const FORMAT = 1;
/** Versions of the encoding that {@linkcode Proof} reads and writes. */
export const PROOF_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };
/** Shares of the model in the two orders that are tested against the prior. */
const SHARES = [0.5, 1] as const;
const MIX = 0, MODEL = 1;

/** Gains of a list, user or block, by {@linkcode SHARES}. */
type Gains = [mix: number, model: number];

/** Gains of a user in a block, until the user counts as a new one. */
interface Cluster {
  rows: number;
  readonly gains: Gains;
}

/** Gains of a block of rows. */
interface Block {
  /** Number of the test that begins with it, from 1. */
  readonly test: number;
  rows: number;
  readonly gains: Gains;
  /** Variance that the predictions expect. */
  readonly expected: Gains;
  /** Squared gains of completed clusters. */
  readonly squares: Gains;
  /** Open clusters by a hash of the user, so that no id is kept. */
  readonly users: Map<number, Cluster>;
}

/**
 * Decides who orders, for one model. Deterministic: same samples, same decisions.
 *
 * Memory: about 30 bytes per user of the newest 8,192 rows. Time: linear in those, every 256 rows.
 */
export class Proof {
  readonly #alpha: number;
  readonly #mixRows: number;
  #orderer: Orderer;
  #rows = 0;
  #tests = 0;
  #looked = 0;
  #blocks: Block[] = [];
  #changes: ProofChange[] = [];
  /** Logit that is added to the prior at each position, and the information behind it. */
  readonly #levels = new Float64Array(MAX_POSITION + 1);
  readonly #information = new Float64Array(MAX_POSITION + 1).fill(LEVEL_START);

  /** Starts without evidence. @throws RangeError when α is not in (0, 1), or `mixRows` is below 0 */
  constructor(options: ProofOptions = {}) {
    const { alpha, mixRows } = settle(PROOF_OPTIONS, options);
    if (!(alpha > 0 && alpha < 1)) {
      throw new RangeError(`Cannot use alpha outside (0, 1): current value is ${alpha}`);
    }
    if (!(mixRows >= 0)) {
      throw new RangeError(`Cannot use mixRows below 0: current value is ${mixRows}`);
    }
    this.#alpha = alpha;
    this.#mixRows = mixRows;
    this.#orderer = mixRows === 0 ? "mix" : "prior";
  }

  get orderer(): Orderer {
    return this.#orderer;
  }

  /** Share of the model in the order, in log-odds: 0, ½ or 1. */
  get share(): number {
    return ORDERERS.indexOf(this.#orderer) / 2;
  }

  /** The newest changes, at most 64, oldest first. */
  get changes(): readonly ProofChange[] {
    return this.#changes;
  }

  /** Treats the model as proved, because it ordered lists before proofs were required. */
  trust(): void {
    this.#orderer = "model";
  }

  /** Judges the frozen predictions of samples whose labels are final. */
  update(samples: readonly Sample[]): void {
    for (const { user, rows } of samples) {
      if (rows.length === 0) continue;
      let block = this.#blocks.at(-1);
      if (block === undefined || block.rows >= BLOCK_ROWS) block = this.#begin();
      const gains = this.#judge(rows, block.expected);
      take(block, hashString(user, 0), { rows: rows.length, gains });
      this.#rows += rows.length;
    }
    if (this.#changes.length === 0 && this.#orderer === "prior" && this.#rows >= this.#mixRows) {
      this.#become("mix");
    }
    if (this.#rows - this.#looked < LOOK_ROWS) return;
    this.#looked = this.#rows;
    const next = this.#next();
    if (next !== this.#orderer) this.#become(next);
  }

  encode(to: ByteWriter): void {
    to.u8(FORMAT).u8(ORDERERS.indexOf(this.#orderer)).uint(this.#rows).uint(this.#tests).uint(this.#looked);
    to.uint(this.#changes.length);
    for (const { to: orderer, rows } of this.#changes) to.u8(ORDERERS.indexOf(orderer)).uint(rows);
    to.f64s(this.#levels).f64s(this.#information).uint(this.#blocks.length);
    for (const { test, rows, gains, expected, squares, users } of this.#blocks) {
      to.uint(test).uint(rows);
      for (const pair of [gains, expected, squares]) to.f64(pair[MIX]).f64(pair[MODEL]);
      to.uint(users.size);
      for (const [user, { rows, gains }] of users) {
        to.uint(user).uint(rows).f64(gains[MIX]).f64(gains[MODEL]);
      }
    }
  }

  /**
   * Reads what {@linkcode Proof.encode} wrote; it replaces the present state.
   *
   * @throws SyntaxError when the bytes do not encode a proof
   */
  decode(from: ByteReader): void {
    const format = from.u8();
    if (format !== FORMAT) {
      throw new SyntaxError(`Cannot decode a proof: format is ${format}, this release reads ${FORMAT}`);
    }
    const orderer = () => {
      const index = from.u8();
      const name = ORDERERS[index];
      if (name === undefined) {
        throw new SyntaxError(`Cannot decode a proof: no orderer has the number ${index}`);
      }
      return name;
    };
    const pair = (): Gains => [from.f64(), from.f64()];
    this.#orderer = orderer();
    this.#rows = from.uint();
    this.#tests = from.uint();
    this.#looked = from.uint();
    this.#changes = times(from.count(), () => ({ to: orderer(), rows: from.uint() }));
    this.#levels.set(from.f64s(MAX_POSITION + 1));
    this.#information.set(from.f64s(MAX_POSITION + 1));
    this.#blocks = times(from.count(), () => ({
      test: from.uint(),
      rows: from.uint(),
      gains: pair(),
      expected: pair(),
      squares: pair(),
      users: new Map(
        times(from.count(), () => [from.uint(), { rows: from.uint(), gains: pair() }]),
      ),
    }));
  }

  #begin(): Block {
    const block: Block = {
      test: ++this.#tests,
      rows: 0,
      gains: [0, 0],
      expected: [0, 0],
      squares: [0, 0],
      users: new Map(),
    };
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS) this.#blocks.shift();
    return block;
  }

  /** The gains of a list. Adds their expected variance to `expected`, then updates the levels of positions. */
  #judge(rows: Rows, expected: Gains): Gains {
    const { length, width, numerics } = rows;
    const places = times(length, (row) => Math.min(Math.max(rows.position(row), 0), MAX_POSITION));
    const labels = times(length, (row) => rows.label(row));
    const prior = times(
      length,
      (row) => numerics[row * width + PRIOR_NUMERIC]! + this.#levels[places[row]!]!,
    );
    const steps = times(length, (row) => {
      const p = Math.min(Math.max(rows.prediction(row), PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
      return Math.log(p / (1 - p)) - prior[row]!;
    });
    const [likelihood, spread] = length === 1
      ? [rowLikelihood, plainSpread] as const
      : [listLikelihood, centredSpread] as const;
    const without = likelihood(prior, labels);
    const gains: Gains = [0, 0];
    for (const s of [MIX, MODEL] as const) {
      const share = SHARES[s];
      const by = likelihood(prior.map((logit, i) => logit + share * steps[i]!), labels);
      expected[s] += share * share *
        Math.max(spread(steps, without.variances), spread(steps, by.variances));
      gains[s] = by.value - without.value;
    }
    for (let row = 0; row < length; row++) this.#level(places[row]!, labels[row]!, sigmoid(prior[row]!));
    return gains;
  }

  #level(place: number, label: number, q: number): void {
    const information = this.#information[place]! + q * (1 - q);
    this.#levels[place]! += (label - q) / information;
    this.#information[place] = Math.min(information, LEVEL_MEMORY);
  }

  /** Who should order lists, by the running tests; each includes the rows of the newer ones. */
  #next(): Orderer {
    const users = new Map<number, Cluster>();
    const gains: Gains = [0, 0], squares: Gains = [0, 0], expected: Gains = [0, 0];
    for (const block of this.#blocks.toReversed()) {
      for (const s of [MIX, MODEL] as const) {
        gains[s] += block.gains[s];
        squares[s] += block.squares[s];
        expected[s] += block.expected[s];
      }
      block.users.forEach((cluster, user) => join(users, user, cluster, squares));
      const needed = Math.log(block.test * (block.test + 1) / this.#alpha);
      const proved = (s: typeof MIX | typeof MODEL, sign: 1 | -1) =>
        logCapital(sign * gains[s], Math.max(squares[s], expected[s]), RHO) > needed;
      if (this.#orderer === "model") {
        if (proved(MODEL, -1)) return "prior";
      } else if (proved(MODEL, 1)) return "model";
      else if (this.#orderer === "mix" && proved(MIX, -1)) return "prior";
      else if (this.#orderer === "prior" && proved(MIX, 1)) return "mix";
    }
    return this.#orderer;
  }

  #become(to: Orderer): void {
    // Evidence from before the first mix still counts.
    const isStart = this.#changes.length === 0 && to === "mix";
    this.#orderer = to;
    this.#changes.push({ to, rows: this.#rows });
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift();
    if (!isStart) this.#blocks = [];
  }
}

/** The likelihood of a row that is alone in its list. */
function rowLikelihood([logit = 0]: readonly number[], [label = 0]: readonly number[]): ListLikelihood {
  const p = sigmoid(logit);
  return { value: label * logit - softplus(logit), variances: Float64Array.of(p * (1 - p)) };
}

/** Σ v x². */
function plainSpread(values: readonly number[], variances: Float64Array): number {
  return values.reduce((sum, x, i) => sum + variances[i]! * x * x, 0);
}

/** Σ v (x − m)², m the mean weighted by v: the variance of a sum over rows whose number of positives is given. */
function centredSpread(values: readonly number[], variances: Float64Array): number {
  const weight = variances.reduce((sum, v) => sum + v, 0);
  if (weight === 0) return 0;
  const mean = values.reduce((sum, x, i) => sum + variances[i]! * x, 0) / weight;
  return plainSpread(values.map((x) => x - mean), variances);
}

/** Adds the gains of a list to a block. */
function take(block: Block, user: number, list: Cluster): void {
  block.rows += list.rows;
  for (const s of [MIX, MODEL] as const) block.gains[s] += list.gains[s];
  const cluster = block.users.get(user);
  if (cluster === undefined) {
    block.users.set(user, list);
    return;
  }
  const isFull = cluster.rows >= CLUSTER_ROWS;
  for (const s of [MIX, MODEL] as const) {
    if (isFull) {
      block.squares[s] += cluster.gains[s] ** 2;
      cluster.gains[s] = 0;
    }
    cluster.gains[s] += list.gains[s];
  }
  cluster.rows = isFull ? list.rows : cluster.rows + list.rows;
}

/** Adds a user's gains in one more block, and updates the sum of squares. */
function join(users: Map<number, Cluster>, user: number, { rows, gains }: Cluster, squares: Gains): void {
  const known = users.get(user);
  const isOther = known === undefined || known.rows >= CLUSTER_ROWS;
  for (const s of [MIX, MODEL] as const) {
    squares[s] += isOther ? gains[s] ** 2 : gains[s] * (2 * known.gains[s] + gains[s]);
    if (!isOther) known.gains[s] += gains[s];
  }
  if (isOther) users.set(user, { rows, gains: [...gains] });
  else known.rows += rows;
}
