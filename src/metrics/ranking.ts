/**
 * Ranking quality of scores: exact figures over stored rows, in natural units (0.5 is chance for AUC).
 *
 * Every function returns `null` where its figure is undefined, and none depends on the order of the rows.
 *
 * @module
 */

/** Numbers by position: a typed array or a plain one. */
export type Numbers = ArrayLike<number>;

/**
 * Area under the ROC curve: the probability that a random positive scores above a random negative, ties
 * counting one half. O(n log n) time, 8n bytes.
 *
 * @param labels outcomes in {0, 1}
 * @param scores any real numbers, of the same length
 * @returns in [0, 1]; `null` with only one label
 * @throws {RangeError} if the lengths differ or a score is NaN
 *
 * @example
 * ```ts
 * import { auc } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * assert.equal(auc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8]), 0.875);
 * assert.equal(auc([1, 1], [0.1, 0.4]), null);
 * ```
 */
export function auc(labels: Numbers, scores: Numbers): number | null {
  requirePairs(labels, scores);
  let count = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === 1) count++;
  const positives = new Float64Array(count);
  const negatives = new Float64Array(labels.length - count);
  let p = 0, n = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) positives[p++] = scores[i]!;
    else negatives[n++] = scores[i]!;
  }
  return aucOf(positives, negatives);
}

/**
 * AUC within each user, averaged with the user's number of rows as weight, over users with both labels
 * (GAUC): it does not reward knowing which users click more.
 * O(n log n) time, 8n bytes and 8 bytes per user index.
 *
 * @param users index of each row's user: integers from 0, best without large gaps
 * @param labels outcomes in {0, 1}
 * @param scores any real numbers
 * @returns in [0, 1]; `null` if no user has both labels
 * @throws {RangeError} if the lengths differ or a score is NaN
 *
 * @example
 * ```ts
 * import { gauc } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * // User 0 is ordered perfectly, user 1 has one label only and does not count.
 * assert.equal(gauc([0, 0, 1], [0, 1, 1], [0.2, 0.3, 0.1]), 1);
 * ```
 */
export function gauc(users: Numbers, labels: Numbers, scores: Numbers): number | null {
  requirePairs(users, scores);
  requirePairs(labels, scores);
  const rows = scores.length;
  let groups = 0;
  for (let i = 0; i < rows; i++) groups = Math.max(groups, users[i]! + 1);

  // Counting sort by (user, label): a user's negatives come before the positives, both contiguous.
  const ends = new Uint32Array(2 * groups + 1);
  for (let i = 0; i < rows; i++) ends[2 * users[i]! + (labels[i] === 1 ? 1 : 0) + 1]!++;
  for (let g = 0; g < 2 * groups; g++) ends[g + 1]! += ends[g]!;
  const grouped = new Float64Array(rows);
  for (let i = 0; i < rows; i++) grouped[ends[2 * users[i]! + (labels[i] === 1 ? 1 : 0)]!++] = scores[i]!;

  let total = 0, weight = 0;
  for (let user = 0, start = 0; user < groups; user++) {
    const middle = ends[2 * user]!, end = ends[2 * user + 1]!;
    if (middle > start && end > middle) {
      const area = aucOf(grouped.subarray(middle, end), grouped.subarray(start, middle)) ?? 0;
      total += (end - start) * area;
      weight += end - start;
    }
    start = end;
  }
  return weight === 0 ? null : total / weight;
}

/**
 * Average precision: the mean over positives of the precision among the rows that score at least as high, including
 * ties. If all scores are equal, it is the rate of positives. O(n log n) time.
 *
 * @param labels outcomes in {0, 1}
 * @param scores any real numbers
 * @returns in (0, 1]; `null` if there is no positive
 * @throws {RangeError} if the lengths differ or a score is NaN
 *
 * @example
 * ```ts
 * import { prAuc } from "@meander/meander/evaluation";
 * import assert from "node:assert/strict";
 * assert.equal(prAuc([1, 0, 1], [0.9, 0.5, 0.4]), (1 + 2 / 3) / 2);
 * ```
 */
export function prAuc(labels: Numbers, scores: Numbers): number | null {
  requirePairs(labels, scores);
  const order = new Uint32Array(scores.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  order.sort((a, b) => scores[b]! > scores[a]! ? 1 : scores[b]! < scores[a]! ? -1 : 0);
  let hits = 0, total = 0;
  for (let from = 0, to = 0; from < order.length; from = to) {
    const score = scores[order[from]!]!;
    let tied = 0;
    for (; to < order.length && scores[order[to]!] === score; to++) tied += labels[order[to]!] === 1 ? 1 : 0;
    hits += tied;
    total += tied * hits / to;
  }
  return hits === 0 ? null : total / hits;
}

/** AUC of two sets of scores, which it sorts in place: native sorts and one merge, no index array. */
function aucOf(positives: Float64Array, negatives: Float64Array): number | null {
  if (positives.length === 0 || negatives.length === 0) return null;
  positives.sort();
  negatives.sort();
  // Twice the number of won pairs: an integer below 2^53 for any set that fits in memory, and so exact.
  let doubled = 0, below = 0, upTo = 0;
  for (let p = 0; p < positives.length; p++) {
    const score = positives[p]!;
    while (below < negatives.length && negatives[below]! < score) below++;
    while (upTo < negatives.length && negatives[upTo]! <= score) upTo++;
    doubled += below + upTo;
  }
  return doubled / (2 * positives.length * negatives.length);
}

function requirePairs(labels: Numbers, scores: Numbers): void {
  if (labels.length !== scores.length) {
    throw new RangeError(
      `Cannot rank rows as labels and scores: current lengths are ${labels.length} and ${scores.length}`,
    );
  }
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i])) {
      throw new RangeError(`Cannot rank row ${i} by its score: current value is NaN`);
    }
  }
}
