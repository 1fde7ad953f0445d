/**
 * One holds a title as long as no challenger has proved to do better. Proofs hold at any time, for any gains in (−1, 1),
 * however skew or heavy their tails are.
 *
 * **Test.** A challenger that bets the share λ of what it has on each of its gains g over the holder has after some of
 * them Π(1 + λg) for each 1 that it began with. Unless its gains have a mean above 0, given what was before, that exceeds
 * 1/α with probability α at most, whenever one looks (Ville): it is betting against a game that is not in its favour
 * (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024). Here a challenger
 * bets by several λ at once, an equal part each.
 *
 * **Memory.** What was long ago must not save a holder that has turned bad, nor hold a challenger that has turned good: a
 * new test begins with every {@linkcode BLOCK} gains. Of those under way only such are kept whose ages are some powers of
 * two apart, so whatever began n gains ago there is a test which began after it, and at least n/2 gains ago. Test j of m
 * challengers has α/(m j(j + 1)): the title goes to one that is not better with probability α at most in a whole life.
 * After each change all evidence starts from nothing.
 *
 * **How soon.** A challenger better by δ on average, with squared gains of mean v, wins after some
 * `(ln(m j²/α) + ln 5) / max over λ of (λδ − λ²v)` gains, at most twice that when the world has changed.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** Probability that the title ever goes to one that is not better. */
const ALPHA = 0.05;
/** Shares that are bet. */
const BETS = [0.8, 0.4, 0.2, 0.1, 0.03] as const;
/** Gains between two beginnings. */
const BLOCK = 128;
/** Blocks of a size: more are put together by two. */
const OF_A_SIZE = 2;

/** What some gains have brought. */
interface Block {
  /** Number of the test that begins with it, from 1. */
  test: number;
  size: number;
  /** Σ ln(1 + λg) by challenger and bet, single precision: what is written is what there is. */
  readonly logs: Float32Array;
}

/** Decides who holds the title. Deterministic. O(contestants × log gains) memory. */
export class Contest {
  readonly #contestants: number;
  #holder: number;
  #tests = 0;
  #blocks: Block[] = [];
  /** Scratch. */
  readonly #sums: Float64Array;

  /** The first title is given away. */
  constructor(contestants: number, holder: number) {
    this.#contestants = contestants;
    this.#holder = holder;
    this.#sums = new Float64Array(contestants * BETS.length);
  }

  /** Who holds the title. */
  get holder(): number {
    return this.#holder;
  }

  /** Gives the title away; all evidence starts from nothing. */
  give(holder: number): void {
    this.#holder = holder;
    this.#blocks = [];
  }

  /** Takes in what each would have got more than the holder, in (−1, 1). @returns Whether the title has changed hands */
  add(gains: ArrayLike<number>): boolean {
    let newest = this.#blocks.at(-1);
    if (newest === undefined || newest.size >= BLOCK) {
      this.#merge();
      newest = { test: ++this.#tests, size: 0, logs: new Float32Array(this.#sums.length) };
      this.#blocks.push(newest);
    }
    newest.size++;
    for (let c = 0, at = 0; c < this.#contestants; c++) {
      const gain = gains[c]!;
      for (const bet of BETS) {
        if (gain !== 0) newest.logs[at] = newest.logs[at]! + Math.log1p(bet * gain);
        at++;
      }
    }
    const best = this.#best();
    if (best === this.#holder) return false;
    this.give(best);
    return true;
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.uint(this.#holder).uint(this.#tests).uint(this.#blocks.length);
    for (const { test, size, logs } of this.#blocks) to.uint(test).uint(size).f32s(logs);
  }

  /** Reads what {@linkcode Contest.encode} wrote, of as many contestants. */
  decode(from: ByteReader): void {
    this.#holder = from.uint();
    this.#tests = from.uint();
    this.#blocks = Array.from({ length: from.count() }, () => ({
      ...{ test: from.uint(), size: from.uint(), logs: from.f32s(this.#sums.length) },
    }));
  }

  /** Who has proved most beyond what is needed in any test under way; the holder where nobody has. */
  #best(): number {
    const sums = this.#sums.fill(0);
    let [best, most] = [this.#holder, 0];
    for (const { test, logs } of this.#blocks.toReversed()) {
      for (let at = 0; at < sums.length; at++) sums[at] = sums[at]! + logs[at]!;
      const needed = Math.log((this.#contestants - 1) * test * (test + 1) / ALPHA);
      for (let c = 0; c < this.#contestants; c++) {
        const proved = logMean(sums, c * BETS.length) - needed;
        if (c !== this.#holder && proved > most) [best, most] = [c, proved];
      }
    }
    return best;
  }

  /** Puts the two oldest blocks of a size together, where there are too many. */
  #merge(): void {
    for (let at = this.#blocks.length - 1; at >= OF_A_SIZE; at--) {
      const [first, second] = [this.#blocks[at - OF_A_SIZE]!, this.#blocks[at - OF_A_SIZE + 1]!];
      if (first.size !== this.#blocks[at]!.size || first.size !== second.size) continue;
      for (let n = 0; n < first.logs.length; n++) first.logs[n] = first.logs[n]! + second.logs[n]!;
      first.size += second.size;
      this.#blocks.splice(at - OF_A_SIZE + 1, 1);
    }
  }
}

/** ln of the mean of exp of the values of one contestant. */
function logMean(logs: Float64Array, from: number): number {
  let highest = -Infinity;
  for (let b = 0; b < BETS.length; b++) highest = Math.max(highest, logs[from + b]!);
  let sum = 0;
  for (let b = 0; b < BETS.length; b++) sum += Math.exp(logs[from + b]! - highest);
  return highest + Math.log(sum / BETS.length);
}
