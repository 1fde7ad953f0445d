/**
 * Which behaviours a recommendation is judged by.
 *
 * @module
 */

import { InvalidArgumentError } from "commander";
import type { InteractionEvent } from "../../src/events/event.ts";
import { type ActionPolicies, isPositive } from "../../src/features/actions.ts";

/** An action, from a value of its event on. */
export interface Positive {
  readonly action: string;
  readonly atLeast: number;
}

/** Whether an event is one that a recommendation is for. */
export type IsTarget = (event: InteractionEvent) => boolean;

/** Reads `purchase,rating>=4`. @throws InvalidArgumentError when it is none */
export function parsePositives(text: string): readonly Positive[] {
  return text.split(",").map((part) => {
    const [, action = "", , value] = /^\s*([^\s<>=,]+)\s*(>=\s*(-?\d+(?:\.\d+)?))?\s*$/.exec(part) ?? [];
    if (action === "") {
      throw new InvalidArgumentError(
        `Wanted are actions such as purchase,rating>=4; one is "${part.trim()}".`,
      );
    }
    return { action, atLeast: value === undefined ? -Infinity : Number(value) };
  });
}

/**
 * The behaviours that are judged: those named, else those that the blend learns from, which are positive or, where the
 * action is no explicit verdict, for their item.
 */
export function targetsOf(actions: ActionPolicies, positives?: readonly Positive[]): IsTarget {
  if (positives !== undefined) {
    const bounds = new Map(positives.map(({ action, atLeast }) => [action, atLeast]));
    return ({ action, value }) => {
      const bound = bounds.get(action);
      return bound !== undefined && (bound === -Infinity || (value ?? -Infinity) >= bound);
    };
  }
  return ({ action, value }) => {
    const policy = Object.hasOwn(actions, action) ? actions[action] : undefined;
    return policy !== undefined &&
      (isPositive(policy, value) || (!policy.explicit && (policy.strength ?? 0) > 0));
  };
}
