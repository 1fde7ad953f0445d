/**
 * The order `auto`: a mixture of everything that can order candidates, in which each order counts by how well it has
 * predicted the items taken.
 *
 * *Parts* score the candidates of a list: the blend, the pair head, the bank, the click model. An *order* is a
 * combination of parts: the blend with any of the others, or head or bank alone. It ranks by a weighted sum of their
 * scores ({@linkcode PartScores}), with weights learnt from the items taken ({@linkcode Choice}); orders with the blend
 * start out as the blend. A list is ranked by the sum of all orders, each weighted by its *mass* q. Mixing costs
 * nothing, since the weights are added up, not the lists. Masses follow the reciprocal rank r and the probability p
 * that each order gave to the candidate that was taken out of K:
 *
 * ```text
 *   q ← (1 − RENEWED) q eᵍ Σ q / Σ q eᵍ + RENEWED (mean of q)      g = 2 r + ½ ln(p + 1/K)
 * ```
 *
 * over the orders whose parts all have scores. The sum of their masses stays the same, so a list is no evidence about a
 * part without scores (Freund et al., "Using and combining predictors that specialize", STOC 1997). An order that is
 * better by d per choice has most of the mass after some ln(1/q)/d choices. Each additional part starts with a fifth of
 * the mass, which keeps noise out; renewal lets an order come back within ten nats (Herbster and Warmuth, "Tracking the
 * best expert", Machine Learning 1998), so past success does not protect a part that fails. The gain uses r because
 * rank is what matters, and p because it carries more information per list. With p alone, the blend would keep its mass
 * against a head that is less confident but ranks better.
 *
 * **The model.** An order with the model starts with the share that the learner's proof (`proof.ts`) assigns to the
 * model, judged on outcomes of lists: a half or all. At share 0 the model is left out. An item taken from a list that
 * this engine ordered is no evidence about the model: users can only take what was shown, which favours whatever
 * ordered the list. Every other one that is learnt is evidence while the model has a weight, and one in eight while it
 * has none ({@linkcode Stack.judgesModel}). On lists without the model's scores, an order with the model
 * copies the order with its other parts: the same gain, and the same step, in which the model takes its share of the
 * blend's part. So head and bank keep what they have gained when the model gets its share.
 *
 * One list in four is learnt after the first thousand ({@linkcode Stack.isDue}). Those of a user who made many of the
 * newest ones count less, also for renewal and forgetting, so that no single user decides for all.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { Choice, type Mapped } from "./choice.ts";
import { PartScores } from "./part_scores.ts";
import { times } from "../../values/times.ts";

/** The parts that can order. */
export const PARTS = ["blend", "head", "bank", "model"] as const;

export type Part = typeof PARTS[number];

/** The scores of a list by part, larger is better; `null` = the part has no scores. */
export type ScoresByPart = Readonly<Record<Part, ArrayLike<number> | null>>;

/** Sets of parts are bit masks, one bit per part; this one is the blend. */
const BLEND = 1;
const BLEND_PART = PARTS.indexOf("blend");
const MODEL = PARTS.indexOf("model");
const SETS = 2 ** PARTS.length;
/** Initial shares of the model in an order. */
const SHARES = [1 / 2, 1];
/** Factor of the initial mass of an order for each additional part. */
const MORE = 1 / 5;
/** Initial mass of a part alone. */
const ALONE = 1 / 100;
/** Factor of the initial mass of an order without the model, for when the model has a share. */
const WITHOUT = 1 / 1000;
/** Share of the masses that is renewed with each choice. */
const RENEWED = 1 / 2000;
/** Initial weight of an order, in the units of {@linkcode PartScores}. */
const BEGIN = 0.5;
/** A part with less than this share of the weights is left out, since computing its scores costs time. */
const LEAST = 0.02;
/** Lists after which one in {@linkcode SPARED} is learnt: by then masses and weights have settled, and only follow. */
const EAGER = 1000;
const SPARED = 4;
/** One list in this many is evidence about a model without a weight: its scores cost more than all the rest. */
const UNWEIGHED = 8;
/** Number of newest behaviours among which those of a user are counted. */
const NEWEST = 512;
/** A user's behaviours count in full up to this many times their mean number per other user. */
const FULL = 2;

/** Which parts order a list. */
export interface Stacked {
  readonly parts: readonly Part[];
  /** The weight with which the model's scores are still to be added. */
  readonly modelWeight: number;
}

/** A set of parts with weights. */
interface Order {
  readonly set: number;
  /** The model's initial share in it. */
  readonly share: number;
  readonly choice: Choice;
  /** The order with the same parts except the model. */
  readonly beside: Order | undefined;
  /** q. */
  mass: number;
  /** g of the last list, weighted by how much it counts. */
  gain: number;
}

/** Learns how much each part counts. */
export class Stack {
  readonly #mappings = PARTS.map(() => new PartScores());
  readonly #orders: readonly Order[] = createOrders();
  /** Hashes of the users of the newest behaviours; a ring, and how often each is in it. */
  readonly #users: number[] = [];
  #next = 0;
  readonly #counts = new Map<number, number>();
  #steps = 0;
  #mapped: Float64Array[] = PARTS.map(() => new Float64Array(128));
  #scores = new Float64Array(128);
  readonly #weights = new Float64Array(PARTS.length);

  /** Number of lists that were learnt. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * The weight of a user's next behaviour, in (0, 1]: among the newest behaviours, those of one user count in total at
   * most about twice as much as those of others do on average. A user who is alone from the beginning counts in full.
   *
   * @param user A hash of the user
   */
  weightOf(user: number): number {
    const own = this.#counts.get(user) ?? 0;
    const others = this.#counts.size - (own > 0 ? 1 : 0);
    if (own === 0 || (others === 0 && own < NEWEST)) return 1;
    const usual = (1 + this.#users.length - own) / (1 + others);
    return Math.min(1, FULL * usual / own);
  }

  /**
   * Whether to learn from a list: scoring it by all parts costs as much as all else that it teaches.
   *
   * @param draw 32 bits of the list
   */
  isDue(draw: number): boolean {
    return this.#steps < EAGER || (draw >>> 20) % SPARED === 0;
  }

  /**
   * Whether a list that is learnt is evidence about the model, too: every list while the model orders those for which
   * these parts have scores, otherwise one in {@linkcode UNWEIGHED}, so that the model can come back.
   *
   * @param given The parts with scores
   * @param modelShare See {@linkcode Stack.scoreBut}
   * @param draw 32 bits of the list
   */
  judgesModel(given: readonly Part[], modelShare: number, draw: number): boolean {
    if (modelShare === 0) return false;
    return (draw >>> 16) % UNWEIGHED === 0 || this.partsOf([...given, "model"], modelShare).includes("model");
  }

  /** The parts that order lists for which these parts have scores. @param modelShare See {@linkcode Stack.scoreBut} */
  partsOf(given: readonly Part[], modelShare: number): readonly Part[] {
    return partsOf(this.#weightsOf(setOf(given), modelShare));
  }

  /**
   * Scores of a list by all ordering parts except the model. Once the model's scores are known, add
   * {@linkcode Stack.modelScores} times `modelWeight`.
   *
   * @param modelShare The model's share by the learner's proof, 0 to 1; 0 = its scores will not be known
   * @param given The parts that exist; those that do not order need no scores
   */
  scoreBut(
    by: ScoresByPart,
    modelShare: number,
    given: readonly Part[] = partsWith(by),
  ): { readonly scores: Float64Array } & Stacked {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const scores = new Float64Array(size);
    const set = setOf(given) | (modelShare > 0 ? 1 << MODEL : 0);
    const weights = this.#weightsOf(set, modelShare);
    for (let part = 0; part < MODEL; part++) {
      const [weight, z] = [weights[part]!, mapped[part]!];
      if (weight > 0) { for (let i = 0; i < size; i++) scores[i] = scores[i]! + weight * z[i]!; }
    }
    return { scores, parts: partsOf(weights), modelWeight: weights[MODEL]! };
  }

  /** The model's scores of a list, mapped to the units in which parts are added. */
  modelScores(logits: ArrayLike<number>): Float64Array {
    const into = new Float64Array(logits.length);
    this.#mappings[MODEL]!.map(logits, into);
    return into;
  }

  /**
   * Learns which candidate of a list was taken.
   *
   * @param taken Its place
   * @param user A hash of the user who took it
   * @param modelShare The model's share when the list was served; if the model's scores are `null`, nothing is learnt
   * about it
   */
  learn(by: ScoresByPart, taken: number, user: number, modelShare = by.model === null ? 0 : 1 / 2): void {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const weight = this.weightOf(user);
    this.#note(user);
    const awake = this.#awake(setOf(partsWith(by)), modelShare);
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

  encode(to: ByteWriter): void {
    to.uint(PARTS.length);
    for (const [part, name] of PARTS.entries()) to.string(name).f64(this.#mappings[part]!.unit);
    to.uint(this.#steps);
    for (const { mass, choice } of this.#orders) choice.encode(to.f64(mass));
    to.uint(this.#next).uint(this.#users.length);
    for (const user of this.#users) to.uint(user);
  }

  /**
   * Reads what {@linkcode Stack.encode} wrote, into a stack that has learnt nothing.
   *
   * @throws SyntaxError when its parts differ
   */
  decode(from: ByteReader): void {
    const names = times(from.count(), () => [from.string(), from.f64()] as const);
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

  /** The orders whose parts all have scores. */
  #awake(given: number, modelShare: number): readonly Order[] {
    const begun = modelShare === 1 ? 1 : 1 / 2;
    return this.#orders.filter(({ set, share }) => (set & given) === set && (share === 0 || share === begun));
  }

  /**
   * The mean weight of each part, by mass, so that scores are logits as in a single order; valid until the next call.
   */
  #weightsOf(given: number, modelShare: number): Float64Array {
    const weights = this.#weights.fill(0);
    const awake = this.#awake(given, modelShare);
    const all = awake.reduce((all, { mass }) => all + mass, 0); // without the model, the sum may be almost 0
    for (const { choice, mass } of awake) {
      for (const [at, part] of choice.parts.entries()) {
        weights[part] = weights[part]! + mass / all * choice.weights[at]!;
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

  /** Counts a behaviour of a user. */
  #note(user: number): void {
    const oldest = this.#users[this.#next];
    if (oldest !== undefined) {
      const left = this.#counts.get(oldest)! - 1;
      if (left > 0) this.#counts.set(oldest, left);
      else this.#counts.delete(oldest);
    }
    this.#users[this.#next] = user;
    this.#next = (this.#next + 1) % NEWEST;
    this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
  }
}

/** Every set with the blend, those with the model once for each initial share; and head and bank each alone. */
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

/** Moves mass to orders that gained, keeping the sum of masses. @param weight How much the list counts, in (0, 1] */
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

export function partsWith(by: ScoresByPart): readonly Part[] {
  return PARTS.filter((part) => by[part] !== null);
}

function setOf(parts: readonly Part[]): number {
  return parts.reduce((set, part) => set | 1 << PARTS.indexOf(part), 0);
}

function partsOf(weights: Float64Array): readonly Part[] {
  return PARTS.filter((_, part) => weights[part]! > 0);
}

/** 1/rank of a place; among equals, earlier places are better. */
function reciprocalRank(scores: Float64Array, size: number, place: number): number {
  const score = scores[place]!;
  let rank = 1;
  for (let i = 0; i < size; i++) if (scores[i]! > score || (scores[i] === score && i < place)) rank++;
  return 1 / rank;
}
