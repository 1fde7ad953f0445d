/**
 * What a proof decides by its definition: each look computes all evidence afresh from all lists judged.
 *
 * @module
 */

import { PRIOR_NUMERIC } from "../../src/features/schema.ts";
import { listLikelihood } from "../../src/learner/list_likelihood.ts";
import type { Orderer, ProofChange } from "../../src/learner/proof.ts";
import { normalCdf } from "../../src/metrics/normal.ts";
import { PROBABILITY_FLOOR } from "../../src/metrics/probability.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import type { Sample } from "../../src/samples/sample.ts";

/** A list's evidence for an order over the prior's. */
interface Evidence {
  readonly gain: number;
  /** Its variance, as both predict it. */
  readonly expected: number;
}

interface Judged {
  readonly user: string;
  readonly rows: number;
  readonly by: { readonly mix: Evidence; readonly model: Evidence };
}

/** Judges lists against the prior, corrected by the rate so far at each position. */
export function judgeLists(batches: readonly (readonly Sample[])[]): Judged[][] {
  const places = Array.from({ length: 50 }, () => ({ level: 0, information: 4 }));
  return batches.map((batch) =>
    batch.map(({ user, rows }) => {
      const at = rows.map(({ position }) => places[Math.min(Math.max(position, 0), 49)]!);
      const labels = rows.map(({ label }) => label);
      const prior = rows.map(({ numerics }, n) => numerics[PRIOR_NUMERIC]! + at[n]!.level);
      const model = rows.map(({ prediction }) => {
        const p = Math.min(Math.max(prediction, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR);
        return Math.log(p / (1 - p));
      });
      const evidence = (share: number): Evidence => {
        const order = prior.map((z, n) => (1 - share) * z + share * model[n]!);
        const steps = order.map((z, n) => z - prior[n]!);
        return {
          gain: likelihoodOf(order, labels) - likelihoodOf(prior, labels),
          expected: Math.max(varianceOf(steps, prior, labels), varianceOf(steps, order, labels)),
        };
      };
      const by = { mix: evidence(0.5), model: evidence(1) };
      for (const [n, place] of at.entries()) {
        const p = sigmoid(prior[n]!);
        place.information += p * (1 - p);
        place.level += (labels[n]! - p) / place.information;
        place.information = Math.min(place.information, 1000);
      }
      return { user, rows: rows.length, by };
    })
  );
}

/** The log likelihood of which rows are positive, given how many are; for a single row, of its label. */
function likelihoodOf(logits: readonly number[], labels: readonly number[]): number {
  if (logits.length === 1) {
    const p = sigmoid(logits[0]!);
    return Math.log(labels[0] === 1 ? p : 1 - p);
  }
  return listLikelihood(logits, labels).value;
}

/** The variance of the change of that likelihood when the logits take small steps. */
function varianceOf(steps: readonly number[], logits: readonly number[], labels: readonly number[]): number {
  if (logits.length === 1) {
    const p = sigmoid(logits[0]!);
    return p * (1 - p) * steps[0]! ** 2;
  }
  const { variances } = listLikelihood(logits, labels);
  let [sum, first, second] = [0, 0, 0];
  for (const [n, x] of steps.entries()) {
    sum += variances[n]!;
    first += variances[n]! * x;
    second += variances[n]! * x * x;
  }
  return sum === 0 ? 0 : second - first ** 2 / sum;
}

/** The changes of a proof that is given these lists. */
export function changesOf(
  batches: readonly (readonly Judged[])[],
  alpha: number,
  mixRows: number,
): ProofChange[] {
  const changes: ProofChange[] = [];
  const orderer = (): Orderer => changes.at(-1)?.to ?? (mixRows === 0 ? "mix" : "prior");
  let [rows, looked, tests] = [0, 0, 0];
  /** Lists since the evidence began, by test; the newest 8. */
  let blocks: { readonly test: number; readonly lists: Judged[] }[] = [];
  const become = (to: Orderer) => {
    if (changes.length > 0 || to !== "mix") blocks = [];
    changes.push({ to, rows });
  };
  for (const batch of batches) {
    for (const list of batch) {
      if (blocks.length === 0 || rowsOf(blocks.at(-1)!.lists) >= 1024) {
        blocks = [...blocks, { test: ++tests, lists: [] }].slice(-8);
      }
      blocks.at(-1)!.lists.push(list);
      rows += list.rows;
    }
    if (changes.length === 0 && orderer() === "prior" && rows >= mixRows) become("mix");
    if (rows - looked < 256) continue;
    looked = rows;
    const running = blocks.map(({ test }, b) => ({
      needed: Math.log(test * (test + 1) / alpha),
      users: usersOf(blocks.slice(b).map(({ lists }) => lists)),
    }));
    /** Whether a running test proves that an order is better than the prior, or the reverse. */
    const proves = (order: "mix" | "model", sign: 1 | -1) =>
      running.some(({ needed, users }) => {
        let [gain, expected, squares] = [0, 0, 0];
        for (const lists of users) {
          const own = lists.reduce((sum, { by }) => sum + by[order].gain, 0);
          gain += sign * own;
          squares += own ** 2;
          expected += lists.reduce((sum, { by }) => sum + by[order].expected, 0);
        }
        const s = Math.sqrt(1 + Math.max(squares, expected) / 4);
        const x = gain / 2 / s;
        return Math.log(2 * normalCdf(x) / s) + x ** 2 / 2 > needed;
      });
    if (orderer() === "model") {
      if (proves("model", -1)) become("prior");
    } else if (proves("model", 1)) become("model");
    else if (orderer() === "mix" && proves("mix", -1)) become("prior");
    else if (orderer() === "prior" && proves("mix", 1)) become("mix");
  }
  return changes;
}

/**
 * The lists of each user. A frequent one counts as several, with at least 128 rows each: cut forwards within a block,
 * then backwards over what is left of each block.
 */
function usersOf(blocks: readonly (readonly Judged[])[]): Judged[][] {
  const closed: Judged[][] = [];
  const open = new Map<string, Judged[]>();
  for (const block of blocks.toReversed()) {
    const last = new Map<string, Judged[]>();
    for (const list of block) {
      const own = last.get(list.user) ?? [];
      if (rowsOf(own) >= 128) closed.push(own.splice(0));
      own.push(list);
      last.set(list.user, own);
    }
    for (const [user, lists] of last) {
      const newer = open.get(user) ?? [];
      if (rowsOf(newer) >= 128) closed.push(newer.splice(0));
      newer.push(...lists);
      open.set(user, newer);
    }
  }
  return [...closed, ...open.values()];
}

function rowsOf(lists: readonly Judged[]): number {
  return lists.reduce((sum, { rows }) => sum + rows, 0);
}
