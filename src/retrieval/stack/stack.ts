/**
 * The order `auto`: of all that could order candidates, what has proved to order best.
 *
 * *Parts* give scores to the candidates of a list: the blend, the pair head, the bank, the click model. Each set of parts
 * is an order: the sum of their scores ({@linkcode PartScores}), with weights that it learns from what is taken
 * ({@linkcode Choice}). One set orders; the others are its challengers ({@linkcode Contest}): a part joins when a set with
 * it has proved better, and leaves when one without it has. A part alone is a set as well, so the stack cannot stay
 * under its best part.
 *
 * **The model.** At first it has its say by the learner's proof, which judges it on what came of lists (`proof.ts`): none,
 * half of it with the blend, or all. What is taken from a list that was shown says nothing of it here: one could only take
 * what was shown, and that is what ordered likes. So it takes behaviours that no list has brought to drop it, or to weigh
 * it. Without a model the blend orders alone at first.
 *
 * Before a wanted behaviour, all sets order the list that a request would have got; then they learn what was taken. With r
 * the reciprocal rank that a set gives to what was taken out of K, and p the probability, it gets more than the set that
 * orders by
 *
 * ```text
 *   ½ (r − r₀) + ½ [ln(p + 1/K) − ln(p₀ + 1/K)], within ±1, − COST for each part that it has more
 * ```
 *
 * The order is what counts, but a list says more by probabilities: they need a fifth of the lists or fewer to tell.
 * Behaviours of somebody who has many of the newest ones count less, so that nobody decides for all.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { Choice, type Mapped } from "./choice.ts";
import { Contest } from "./contest.ts";
import { PartScores } from "./part_scores.ts";

/** What can order. */
export const PARTS = ["blend", "head", "bank", "model"] as const;

/** One of {@linkcode PARTS}. */
export type Part = typeof PARTS[number];

/** The scores of a list by part, larger is better; `null` = the part is not there. */
export type ScoresByPart = Readonly<Record<Part, ArrayLike<number> | null>>;

/** Sets of parts are numbers, a bit a part; this one is the blend. */
const BLEND = 1 << PARTS.indexOf("blend");
/** Order until another set has proved better: with a model that orders alone by the learner's proof, and else. */
const FIRST = { alone: setOf(["model"]), mixed: setOf(["blend", "model"]) } as const;
const MODEL = PARTS.indexOf("model");
const SETS = 2 ** PARTS.length - 1;
/** What a part has to bring: one that brings less only costs time. */
const COST = 0.001;
/** Behaviours among which those of one user are counted. */
const NEWEST = 512;

/** Which parts order a list. */
export interface Stacked {
  /** Their names. */
  readonly parts: readonly Part[];
  /** What the model says is still to be added with this weight. */
  readonly modelWeight: number;
}

/** Learns which parts order, and how much each says. */
export class Stack {
  readonly #mappings = PARTS.map(() => new PartScores());
  /** By set. */
  readonly #choices: readonly Choice[];
  readonly #contest: Contest;
  /** Whether who orders has been proved here, or was given. */
  #isProved: boolean;
  /** Hashes of the users of the newest behaviours; a ring, and how often each is in it. */
  readonly #users: number[] = [];
  #next = 0;
  readonly #counts = new Map<number, number>();
  #steps = 0;
  /** Scratch. */
  #mapped: Float64Array[] = PARTS.map(() => new Float64Array(128));
  #scores = Array.from({ length: SETS + 1 }, () => new Float64Array(128));
  readonly #ranks = new Float64Array(SETS + 1);
  readonly #logs = new Float64Array(SETS + 1);
  readonly #gains = new Float64Array(SETS + 1);

  /** Nothing learnt. @param first The parts that order until others have proved better; by default the learner's proof says. */
  constructor(first?: readonly Part[]) {
    this.#isProved = first !== undefined;
    this.#contest = new Contest(SETS + 1, first === undefined ? FIRST.mixed : setOf(first));
    this.#choices = Array.from({ length: SETS + 1 }, (_, set) => {
      return new Choice([...PARTS.keys()].filter((part) => (set >> part & 1) === 1));
    });
  }

  /** Lists that were learnt. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether the model is part of what orders. @param modelShare See {@linkcode Stack.scoreBut} */
  needsModel(modelShare: number): boolean {
    return modelShare > 0 && partsOf(this.#holder(modelShare)).includes("model");
  }

  /** The parts that order, where all of them are there. */
  get parts(): readonly Part[] {
    return partsOf(this.#contest.holder);
  }

  /** The parts that order lists with this share of the model by the learner's proof, where all of them are there. */
  partsBy(modelShare: number): readonly Part[] {
    return partsOf(this.#holder(modelShare)).filter((part) => part !== "model" || modelShare > 0);
  }

  /** Scores of a list by the parts that order, as far as they are there; by the blend where none is. */
  score(by: ScoresByPart): Float64Array {
    return this.scoreBut(by, 0).scores;
  }

  /**
   * The same without what the model says, where that is only known later: to be added is what
   * {@linkcode Stack.modelScores} gives, times `modelWeight`.
   *
   * @param modelShare Its share in the order of lists by the learner's proof, 0 to 1; 0 = it will not be known
   */
  scoreBut(by: ScoresByPart, modelShare: number): { readonly scores: Float64Array } & Stacked {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const scores = new Float64Array(size);
    const model = modelShare > 0;
    const set = this.#set(this.#holder(modelShare), model ? { ...by, model: [] } : by);
    const choice = this.#choices[set]!;
    choice.score(mapped, size, scores, model ? MODEL : -1);
    return { scores, parts: partsOf(set), modelWeight: model ? choice.weightOf(MODEL) : 0 };
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
   * @param modelShare As the list was served with; above 0 with `null` for the model's scores, nothing is said of the model
   */
  learn(by: ScoresByPart, taken: number, user: number, modelShare = by.model === null ? 0 : 1 / 2): void {
    const size = by.blend!.length;
    const mapped = this.#map(by, size);
    const weight = 1 / Math.sqrt(1 + this.#count(user));
    const there = this.#set(SETS, by);
    for (let set = 1; set <= SETS; set++) {
      if ((set & there) !== set) continue;
      const scores = this.#scores[set]!;
      this.#choices[set]!.score(mapped, size, scores);
      const rank = reciprocalRank(scores, size, taken);
      const chance = this.#choices[set]!.learn(mapped, scores, { size, taken, weight });
      this.#ranks[set] = rank;
      this.#logs[set] = Math.log(chance + 1 / size);
    }
    const holder = this.#holder(modelShare);
    if (holder !== this.#contest.holder) this.#contest.give(holder);
    const held = this.#set(holder, by);
    this.#gains.fill(0);
    for (let set = 1; set <= SETS; set++) {
      // Nothing is known of a part that is not there.
      if ((set ^ holder) & ~there) continue;
      const own = this.#set(set, by);
      const more = this.#choices[own]!.parts.length - this.#choices[held]!.parts.length;
      const logs = Math.max(-1, Math.min(1, this.#logs[own]! - this.#logs[held]!));
      this.#gains[set] = weight * ((this.#ranks[own]! - this.#ranks[held]! + logs) / 2 - COST * more);
    }
    const saysNothing = by.model === null && modelShare > 0 && (holder & there) === 0;
    if (!saysNothing && this.#contest.add(this.#gains)) this.#isProved = true;
    for (const [part, name] of PARTS.entries()) if (by[name] !== null) this.#mappings[part]!.follow(by[name]);
    this.#steps++;
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.uint(PARTS.length);
    for (const [part, name] of PARTS.entries()) to.string(name).f64(this.#mappings[part]!.unit);
    to.uint(this.#steps);
    for (const choice of this.#choices) choice.encode(to);
    this.#contest.encode(to);
    to.u8(this.#isProved ? 1 : 0).uint(this.#next).uint(this.#users.length);
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
    for (const choice of this.#choices) choice.decode(from);
    this.#contest.decode(from);
    this.#isProved = from.u8() === 1;
    this.#next = from.uint();
    this.#users.length = 0;
    this.#counts.clear();
    for (let n = from.count(); n > 0; n--) {
      const user = from.uint();
      this.#users.push(user);
      this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
    }
  }

  /** Who orders. */
  #holder(modelShare: number): number {
    if (this.#isProved) return this.#contest.holder;
    return modelShare === 1 ? FIRST.alone : FIRST.mixed;
  }

  /** The parts of a set that are there; the blend where none is. */
  #set(set: number, by: ScoresByPart): number {
    let there = 0;
    for (const [part, name] of PARTS.entries()) if (by[name] !== null) there |= set & 1 << part;
    return there || BLEND;
  }

  #map(by: ScoresByPart, size: number): Mapped {
    if (this.#mapped[0]!.length < size) {
      this.#mapped = PARTS.map(() => new Float64Array(2 * size));
      this.#scores = this.#scores.map(() => new Float64Array(2 * size));
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

function setOf(parts: readonly Part[]): number {
  return parts.reduce((set, part) => set | 1 << PARTS.indexOf(part), 0);
}

function partsOf(set: number): readonly Part[] {
  return PARTS.filter((_, part) => (set >> part & 1) === 1);
}

/** 1/rank of a place; of equals those before are better. */
function reciprocalRank(scores: Float64Array, size: number, place: number): number {
  const score = scores[place]!;
  let rank = 1;
  for (let i = 0; i < size; i++) if (scores[i]! > score || (scores[i] === score && i < place)) rank++;
  return 1 / rank;
}
