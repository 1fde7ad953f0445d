/**
 * Logs of a bandit over moments of the simulated shop, with the exact value of any policy.
 *
 * @module
 */

import type { LoggedList } from "../../src/experiments/off_policy.ts";
import { choose, placeDistribution, type PolicyOptions, propensitiesOf } from "../../src/draws/policy.ts";
import { createRandom, normal, type Random } from "../../src/draws/random_source.ts";
import { drawPages } from "./pages.ts";

const CANDIDATES = 12;

/** A moment at which a person has twelve items to choose from. */
export interface BanditContext {
  /** True probability of a click on each. */
  readonly truth: readonly number[];
  /** What the policies rank by: the truth through noise, as logits. */
  readonly scores: readonly number[];
  /** What the reward model predicts for each. */
  readonly predicted: readonly number[];
}

/** Moments of the shop, and the mean reward per list of `policy` over all of them, by enumeration. */
export function banditContexts(count: number, length: number, policy: PolicyOptions) {
  const random = createRandom(9);
  const contexts = drawPages(10 * count, 3).filter((_, n) => n % 10 === 0).map(
    (page): BanditContext => {
      const step = Math.floor(page.logits.length / CANDIDATES);
      const logits = Array.from({ length: CANDIDATES }, (_, i) => page.logits[i * step]! + 1);
      return {
        truth: logits.map(probability),
        scores: logits.map((logit) => logit + normal(random)),
        predicted: logits.map((logit) => probability(logit + 0.5 * normal(random))),
      };
    },
  );
  const truth = contexts.reduce((sum, context) => sum + value(context, [], length, policy), 0) /
    contexts.length;
  return { contexts, truth };
}

/** A log of lists of random moments, each its own unit. */
export function drawLog(
  contexts: readonly BanditContext[],
  { lists, length, logging, target, random }: {
    readonly lists: number;
    readonly length: number;
    readonly logging: PolicyOptions;
    readonly target: PolicyOptions;
    readonly random: Random;
  },
): LoggedList[] {
  return Array.from({ length: lists }, (_, n) => {
    const { truth, scores, predicted } = contexts[Math.floor(random() * contexts.length)]!;
    const choices = choose({ scores }, length, logging, random);
    const list = choices.map(({ index }) => index);
    const targets = propensitiesOf({ scores }, list, target);
    return {
      unit: `u${n}`,
      places: choices.map(({ index, propensity }, place) => ({
        target: targets[place]!,
        logged: propensity,
        reward: random() < truth[index]! ? 1 : 0,
        predicted: predicted[index]!,
        expected: placeDistribution({ scores }, list.slice(0, place), target)
          .reduce((sum, chance, item) => sum + chance * predicted[item]!, 0),
      })),
    };
  });
}

/** Expected clicks on the remaining places. */
function value(context: BanditContext, above: number[], length: number, policy: PolicyOptions): number {
  if (above.length === length) return 0;
  const chances = placeDistribution({ scores: context.scores }, above, policy);
  return chances.reduce(
    (sum, chance, item) =>
      chance === 0
        ? sum
        : sum + chance * (context.truth[item]! + value(context, [...above, item], length, policy)),
    0,
  );
}

function probability(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
