/**
 * The order `auto`: of all that could order candidates a mixture, in which each says as much as it has told of what was taken.
 *
 * *Parts* give scores to the candidates of a list: the blend, the pair head, the bank, the click model. Each of them, and
 * each set of them with the blend, is an order: the sum of their scores ({@linkcode PartScores}) with weights that it learns
 * from what is taken ({@linkcode Choice}). Those with the blend begin as it does. What orders a list is the sum of all
 * orders, each by its mass q, so to mix them costs nothing: weights are added up, not lists. Masses follow what each order
 * gave to what was taken out of K, the reciprocal rank r and the probability p, so nothing waits for a proof:
 *
 * ```text
 *   q ← (1 − RENEWED) q eᵍ Σ q / Σ q eᵍ + RENEWED (mean of q)      g = 2 r + ½ ln(p + 1/K)
 * ```
 *
 * over the orders whose parts are all there; what they have together stays, so a list says nothing of a part that it does
 * not have (Freund et al., "Using and combining predictors that specialize", STOC 1997). An order that is better by d a
 * choice has most of the mass after some ln(1/q)/d choices. Each part more has a fifth of the mass at first, so that noise
 * is not let in; what is renewed lets an order come back within ten nats (Herbster and Warmuth, "Tracking the best expert",
 * Machine Learning 1998), so old success saves no part that fails. The order is what counts, hence r; a list says more by
 * p. By p alone the blend stays beside a head that is less sure of itself and orders better.
 *
 * **The model.** Orders with it begin with the say that the learner's proof gives it (`proof.ts`), which judges it on what
 * came of lists: half, or all; without a say it is not there. What is taken from a list that was shown says nothing of it
 * here: one could only take what was shown, and that is what ordered likes. Behaviours that no list has brought do. On
 * lists without the model's scores an order with it goes with the one that has its other parts: the same gain, the same
 * step; of what the blend has won the model takes its share. So what head and bank have won is still theirs when it comes.
 *
 * Behaviours of somebody who has many of the newest ones count less, also in what is renewed and forgotten, so that nobody
 * decides for all.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { Choice, type Mapped } from "./choice.ts";
import { PartScores } from "./part_scores.ts";

/** What can order. */
export const PARTS = ["blend", "head", "bank", "model"] as const;

/** One of {@linkcode PARTS}. */
export type Part = typeof PARTS[number];

/** The scores of a list by part, larger is better; `null` = the part is not there. */
export type ScoresByPart = Readonly<Record<Part, ArrayLike<number> | null>>;

/** Sets of parts are numbers, a bit a part; this one is the blend. */
const BLEND = 1;
const BLEND_PART = PARTS.indexOf("blend");
const MODEL = PARTS.indexOf("model");
const SETS = 2 ** PARTS.length;
/** Shares of the model that an order with it may begin with. */
const SHARES = [1 / 2, 1];
/** First mass of an order for each part that it has more. */
const MORE = 1 / 5;
/** First mass of a part alone. */
const ALONE = 1 / 100;
/** First mass of an order without the model, where there is one that has a say. */
const WITHOUT = 1 / 1000;
/** Share of the masses that is renewed with each choice. */
const RENEWED = 1 / 2000;
/** Weight that an order begins with, in the units of {@linkcode PartScores}. */
const BEGIN = 0.5;
/** A part with less than this share of the weights says nothing: to ask it costs time. */
const LEAST = 0.02;
/** Behaviours among which those of one user are counted. */
const NEWEST = 512;

/** Which parts order a list. */
export interface Stacked {
  /** Their names. */
  readonly parts: readonly Part[];
  /** What the model says is still to be added with this weight. */
  readonly modelWeight: number;
}

/** A set of parts with weights. */
interface Order {
  /** Its parts. */
  readonly set: number;
  /** Share of the model that it begins with. */
  readonly share: number;
  readonly choice: Choice;
  /** The same without the model. */
  readonly beside: Order | undefined;
  /** q. */
  mass: number;
  /** g of the last list, by how much that counts. */
  gain: number;
}

/** Learns how much each part says. */
export class Stack {
  readonly #mappings = PARTS.map(() => new PartScores());
  readonly #orders: readonly Order[] = createOrders();
  /** Hashes of the users of the newest behaviours; a ring, and how often each is in it. */
  readonly #users: number[] = [];
  #next = 0;
  readonly #counts = new Map<number, number>();
  #steps = 0;
  /** Scratch. */
  #mapped: Float64Array[] = PARTS.map(() => new Float64Array(128));
  #scores = new Float64Array(128);
  readonly #weights = new Float64Array(PARTS.length);

  /** Lists that were learnt. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether the model is part of what orders. @param modelShare See {@linkcode Stack.scoreBut} */
  needsModel(modelShare: number): boolean {
    return modelShare > 0 && this.partsBy(modelShare).includes("model");
  }

  /** The parts that order lists with this share of the model by the learner's proof, where all that ever were there are. */
  partsBy(modelShare: number): readonly Part[] {
    let there = BLEND | (modelShare > 0 ? 1 << MODEL : 0);
    for (const [part, { unit }] of this.#mappings.entries()) {
      if (unit > 0 && part !== MODEL) there |= 1 << part;
    }
    return partsOf(this.#weightsOf(there, modelShare));
  }

  /**
   * Scores of a list by the parts that order, as far as they are there, without what the model says, where that is only known
   * later: to be added is what {@linkcode Stack.modelScores} gives, times `modelWeight`.
   *
   * @param modelShare Its share in the order of lists by the learner's proof, 0 to 1; 0 = it will not be known
   */
  scoreBut(by: ScoresByPart, modelShare: number): { readonly scores: Float64Array } & Stacked {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const scores = new Float64Array(size);
    const there = setOf(by) | (modelShare > 0 ? 1 << MODEL : 0);
    const weights = this.#weightsOf(there, modelShare);
    for (let part = 0; part < MODEL; part++) {
      const [weight, z] = [weights[part]!, mapped[part]!];
      if (weight > 0) { for (let i = 0; i < size; i++) scores[i] = scores[i]! + weight * z[i]!; }
    }
    return { scores, parts: partsOf(weights), modelWeight: weights[MODEL]! };
  }

  /** What the model says of a list, as it is added up. */
  modelScores(logits: ArrayLike<number>): Float64Array {
    const into = new Float64Array(logits.length);
    this.#mappings[MODEL]!.map(logits, into);
    return into;
  }

  /**
   * Learns what was taken of a list.
   *
   * @param taken Its place
   * @param user A hash of who took it
   * @param modelShare As the list was served with; with `null` for the model's scores nothing is said of the model
   */
  learn(by: ScoresByPart, taken: number, user: number, modelShare = by.model === null ? 0 : 1 / 2): void {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const weight = 1 / (1 + this.#count(user));
    const awake = this.#awake(setOf(by), modelShare);
    for (const order of awake) {
      order.choice.score(mapped, size, this.#scores);
      const chance = order.choice.learn(mapped, this.#scores, { size, taken, weight });
      const gain = 2 * reciprocalRank(this.#scores, size, taken) + Math.log(chance + 1 / size) / 2;
      order.gain = weight * gain;
    }
    settle(awake, weight);
    for (const begun of SHARES) {
      const asleep = this.#orders.filter((order) => {
        return order.share === begun && !awake.includes(order) && awake.includes(order.beside!);
      });
      for (const { choice, beside } of asleep) {
        choice.move((part) => {
          if (part === MODEL) return begun * beside!.choice.moved(BLEND_PART, BEGIN);
          return (part === BLEND_PART ? 1 - begun : 1) * beside!.choice.moved(part);
        });
      }
      for (const order of asleep) order.gain = order.beside!.gain;
      settle(asleep, weight);
    }
    for (const [part, name] of PARTS.entries()) {
      if (by[name] !== null) this.#mappings[part]!.follow(by[name], weight);
    }
    this.#steps++;
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.uint(PARTS.length);
    for (const [part, name] of PARTS.entries()) to.string(name).f64(this.#mappings[part]!.unit);
    to.uint(this.#steps);
    for (const { mass, choice } of this.#orders) choice.encode(to.f64(mass));
    to.uint(this.#next).uint(this.#users.length);
    for (const user of this.#users) to.uint(user);
  }

  /** Reads what {@linkcode Stack.encode} wrote into one that has learnt nothing. @throws SyntaxError when it has other parts */
  decode(from: ByteReader): void {
    const names = Array.from({ length: from.count() }, () => [from.string(), from.f64()] as const);
    if (names.map(([name]) => name).join() !== PARTS.join()) {
      throw new SyntaxError(
        `Cannot decode a stack: its parts are ${names.join()}, these are ${PARTS.join()}`,
      );
    }
    for (const [part, [, unit]] of names.entries()) this.#mappings[part]!.unit = unit;
    this.#steps = from.uint();
    for (const order of this.#orders) {
      order.mass = from.f64();
      order.choice.decode(from);
    }
    this.#next = from.uint();
    this.#users.length = 0;
    this.#counts.clear();
    for (let n = from.count(); n > 0; n--) {
      const user = from.uint();
      this.#users.push(user);
      this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
    }
  }

  /** The orders whose parts are all there. */
  #awake(there: number, modelShare: number): readonly Order[] {
    const begun = modelShare === 1 ? 1 : 1 / 2;
    return this.#orders.filter(({ set, share }) => (set & there) === set && (share === 0 || share === begun));
  }

  /** What each part says; valid until the next call. */
  #weightsOf(there: number, modelShare: number): Float64Array {
    const weights = this.#weights.fill(0);
    for (const { choice, mass } of this.#awake(there, modelShare)) {
      for (const [at, part] of choice.parts.entries()) {
        weights[part] = weights[part]! + mass * choice.weights[at]!;
      }
    }
    const sum = weights.reduce((all, weight) => all + weight);
    for (let part = 0; part < weights.length; part++) if (weights[part]! < LEAST * sum) weights[part] = 0;
    return weights;
  }

  #map(by: ScoresByPart, size: number): Mapped {
    if (this.#mapped[0]!.length < size) {
      this.#mapped = PARTS.map(() => new Float64Array(2 * size));
      this.#scores = new Float64Array(2 * size);
    }
    for (const [part, name] of PARTS.entries()) {
      const scores = by[name];
      if (scores !== null) this.#mappings[part]!.map(scores, this.#mapped[part]!);
    }
    return this.#mapped;
  }

  /** Notes a behaviour of a user. @returns How many of the newest ones before are theirs */
  #count(user: number): number {
    const known = this.#counts.get(user) ?? 0;
    const oldest = this.#users[this.#next];
    if (oldest !== undefined) {
      const left = this.#counts.get(oldest)! - 1;
      if (left > 0) this.#counts.set(oldest, left);
      else this.#counts.delete(oldest);
    }
    this.#users[this.#next] = user;
    this.#next = (this.#next + 1) % NEWEST;
    this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
    return known;
  }
}

/** Every set with the blend, with the model one for each say that it may begin with; and the others alone. */
function createOrders(): readonly Order[] {
  const orders: Order[] = [];
  const add = (set: number, share: number) => {
    const parts = [...PARTS.keys()].filter((part) => (set >> part & 1) === 1);
    const isMixed = (set & BLEND) === BLEND;
    const more = parts.filter((part) => part !== 0 && part !== MODEL).length;
    const begin = parts.map((part) => {
      return BEGIN * (part === 0 ? 1 - share : part === MODEL ? share : isMixed ? 0 : 1);
    });
    const mass = (isMixed ? MORE ** more : ALONE) * (share > 0 ? 1 : WITHOUT);
    const beside = orders.find((order) => order.set === (set & ~(1 << MODEL)));
    orders.push({ set, share, choice: new Choice(parts, begin), beside, mass, gain: 0 });
  };
  for (let set = 1; set < SETS; set++) {
    const isMixed = (set & BLEND) === BLEND;
    if (isMixed && hasModel(set)) { for (const share of SHARES) add(set, share); }
    else if (isMixed || (set & set - 1) === 0 && !hasModel(set)) add(set, 0);
  }
  return orders;
}

/** Moves mass to those that gained; what they have together stays. @param weight How much the list counts, in (0, 1] */
function settle(orders: readonly Order[], weight: number): void {
  const renewed = weight * RENEWED;
  let [before, after] = [0, 0];
  for (const order of orders) {
    before += order.mass;
    order.mass *= Math.exp(order.gain);
    after += order.mass;
  }
  for (const order of orders) {
    order.mass = before * ((1 - renewed) * order.mass / after + renewed / orders.length);
  }
}

function hasModel(set: number): boolean {
  return (set >> MODEL & 1) === 1;
}

/** The parts that are there. */
function setOf(by: ScoresByPart): number {
  return PARTS.reduce((set, name, part) => set | (by[name] === null ? 0 : 1 << part), 0);
}

function partsOf(weights: Float64Array): readonly Part[] {
  return PARTS.filter((_, part) => weights[part]! > 0);
}

/** 1/rank of a place; of equals those before are better. */
function reciprocalRank(scores: Float64Array, size: number, place: number): number {
  const score = scores[place]!;
  let rank = 1;
  for (let i = 0; i < size; i++) if (scores[i]! > score || (scores[i] === score && i < place)) rank++;
  return 1 / rank;
}
