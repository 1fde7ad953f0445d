/**
 * Whether the pair head orders better than the blend, on preferences that were judged before anything was learnt from
 * them: like `proof.ts`, with reciprocal ranks in place of log losses, as an order is all that the head is for. One that
 * is only less sure of itself than the blend gains log loss and orders no better.
 *
 * The gain of a preference is the reciprocal rank of what was taken by the head less that by the blend. Preferences of a
 * step may be of one user, so a step counts as one gain. With every {@linkcode BLOCK_STEPS} steps a test of its own
 * begins, so that what the head did when it was new does not count for ever; the last {@linkcode BLOCKS} are under way,
 * and test j has α/j(j + 1). After each change evidence starts from nothing.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { logCapital } from "../../metrics/capital.ts";

/** Probability of ever taking chance for a proof, in each direction. */
const ALPHA = 0.05;
const BLOCK_STEPS = 32;
const BLOCKS = 8;
/** Deviation of the bets. */
const RHO = 0.5;

/** What some steps gained. */
interface Block {
  /** Number of the test that begins with it, from 1. */
  readonly test: number;
  steps: number;
  gain: number;
  squares: number;
}

/** Decides who orders. Deterministic: same gains, same decisions. */
export class OrderProof {
  #isProved = false;
  #tests = 0;
  #blocks: Block[] = [];

  /** Whether the head is to order. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /** Takes in what a step of preferences gained. */
  add(gain: number): void {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.steps >= BLOCK_STEPS) {
      block = { test: ++this.#tests, steps: 0, gain: 0, squares: 0 };
      this.#blocks.push(block);
      if (this.#blocks.length > BLOCKS) this.#blocks.shift();
    }
    block.steps++;
    block.gain += gain;
    block.squares += gain * gain;
    if (!this.#isOverturned()) return;
    this.#isProved = !this.#isProved;
    this.#blocks = [];
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.u8(this.#isProved ? 1 : 0).uint(this.#tests).uint(this.#blocks.length);
    for (const { test, steps, gain, squares } of this.#blocks) {
      to.uint(test).uint(steps).f64(gain).f64(squares);
    }
  }

  /** Reads what {@linkcode OrderProof.encode} wrote, in place of its own. */
  decode(from: ByteReader): void {
    this.#isProved = from.u8() === 1;
    this.#tests = from.uint();
    this.#blocks = Array.from({ length: from.count() }, () => ({
      ...{ test: from.uint(), steps: from.uint(), gain: from.f64(), squares: from.f64() },
    }));
  }

  /** Whether any of the tests under way says that the other one orders better. */
  #isOverturned(): boolean {
    const sign = this.#isProved ? -1 : 1;
    let [gain, squares] = [0, 0];
    for (const block of this.#blocks.toReversed()) {
      gain += sign * block.gain;
      squares += block.squares;
      if (logCapital(gain, squares, RHO) > Math.log(block.test * (block.test + 1) / ALPHA)) return true;
    }
    return false;
  }
}

/** The reciprocal rank of a place by scores; among equals those before it are better, and a score that is none is last. */
export function reciprocalRank(scores: Float32Array, place: number): number {
  const score = scores[place]!;
  if (!Number.isFinite(score)) return 1 / scores.length;
  let rank = 1;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > score || (scores[i] === score && i < place)) rank++;
  }
  return 1 / rank;
}
