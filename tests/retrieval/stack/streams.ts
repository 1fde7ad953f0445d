/**
 * Simulated streams of choices: users who want certain items, and parts that know more or less about it.
 *
 * @module
 */

import { hash32, mulberry32 } from "../../../src/draws/random.ts";
import { type Part, PARTS, partsWith, type ScoresByPart, Stack } from "../../../src/retrieval/stack/stack.ts";

export interface StreamOptions {
  readonly seed: number;
  readonly choices: number;
  /** How much a part knows about what is wanted, from 0 (noise) to 1; `null` = there is no such part. */
  readonly knows: (choice: number, part: Part) => number | null;
  /** Spoils the scores of a part. */
  readonly spoils?: (scores: Float64Array, choice: number, part: Part) => void;
  /** Who chooses. @default {a different user each time} */
  readonly user?: (choice: number, random: () => number) => number;
  /** Choices whose ranks are added up. @default {all} */
  readonly counts?: (choice: number) => boolean;
  /** Candidates of a list. @default {30} */
  readonly size?: number;
}

/** The outcome of a stream. */
export interface StreamResult {
  readonly stack: Stack;
  /** By choice, the parts that ordered. */
  readonly parts: readonly (readonly Part[])[];
  /** Σ of reciprocal ranks: of what the stack served, and of each part alone. */
  readonly ranks: Readonly<Record<Part | "stack", number>>;
}

/** Scores of a list by all parts that order it; the model has half a say. */
export function scoresOf(
  stack: Stack,
  by: ScoresByPart,
  share = by.model === null ? 0 : 1 / 2,
): Float64Array {
  const { scores, modelWeight } = stack.scoreBut({ ...by, model: null }, share);
  if (modelWeight === 0) return scores;
  const said = stack.modelScores(by.model!);
  return scores.map((score, i) => score + modelWeight * said[i]!);
}

/** Runs a stream; each choice is served, judged and then learnt. */
export function play(options: StreamOptions, stack: Stack = new Stack()): StreamResult {
  const { seed, choices, knows, spoils, user, counts, size = 30 } = options;
  const random = mulberry32(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const ranks: Record<string, number> = { stack: 0, blend: 0, head: 0, bank: 0, model: 0 };
  const parts: (readonly Part[])[] = [];
  for (let choice = 0; choice < choices; choice++) {
    const wanted = Float64Array.from({ length: size }, normal);
    const chances = wanted.map((want) => 2 * want - Math.log(-Math.log(1 - random() * (1 - 1e-9))));
    const best = chances.indexOf(Math.max(...chances));
    const by = Object.fromEntries(PARTS.map((part) => {
      const known = knows(choice, part);
      if (known === null) return [part, null];
      const scores = wanted.map((want) => known * want + Math.sqrt(1 - known * known) * normal());
      spoils?.(scores, choice, part);
      return [part, scores];
    })) as Record<Part, Float64Array | null>;
    // As in retrieval: the blend's best first.
    const order = [...wanted.keys()].sort((a, b) => by.blend![b]! - by.blend![a]!);
    const list = Object.fromEntries(
      PARTS.map((
        part,
      ) => [part, by[part] === null ? null : Float64Array.from(order, (at) => by[part]![at]!)]),
    ) as ScoresByPart;
    const taken = order.indexOf(best);
    if (counts?.(choice) !== false) {
      ranks.stack! += reciprocalRank(scoresOf(stack, list), taken);
      for (const part of PARTS) ranks[part]! += reciprocalRank(list[part] ?? list.blend!, taken);
    }
    parts.push(stack.scoreBut({ ...list, model: null }, list.model === null ? 0 : 1 / 2).parts);
    const others = { ...list, model: null };
    const isJudge = list.model !== null && stack.judgesModel(partsWith(others), 1 / 2, hash32(`${choice}`));
    stack.learn(isJudge ? list : others, taken, user?.(choice, random) ?? choice);
  }
  return { stack, parts, ranks: ranks as StreamResult["ranks"] };
}

function reciprocalRank(scores: ArrayLike<number>, place: number): number {
  const value = (at: number) => Number.isFinite(scores[at]!) ? scores[at]! : -Infinity;
  let rank = 1;
  for (let at = 0; at < scores.length; at++) {
    if (value(at) > value(place) || (value(at) === value(place) && at < place)) rank++;
  }
  return 1 / rank;
}
