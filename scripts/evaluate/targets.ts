/** Which behaviours a recommendation is judged by. */

import { InvalidArgumentError } from "commander";
import type { InteractionEvent } from "../../src/events/event.ts";
import { type ActionPolicies, isPositive } from "../../src/features/actions.ts";

/** An action whose events count from a value on. */
export interface Positive {
  readonly action: string;
  readonly atLeast: number;
}

/** Whether an event is one by which recommendations are judged. */
export type IsTarget = (event: InteractionEvent) => boolean;

/** Reads `purchase,rating>=4`. @throws InvalidArgumentError when it is malformed */
export function parsePositives(text: string): readonly Positive[] {
  return text.split(",").map((part) => {
    const [, action = "", , value] = /^\s*([^\s<>=,]+)\s*(>=\s*(-?\d+(?:\.\d+)?))?\s*$/.exec(part) ?? [];
    if (action === "") {
      throw new InvalidArgumentError(
        `Expected actions such as purchase,rating>=4; one is "${part.trim()}".`,
      );
    }
    return { action, atLeast: value === undefined ? -Infinity : Number(value) };
  });
}

/**
 * The behaviours that are judged: the named ones, or else those that the blend learns from, which are positive or, if
 * their action is not an explicit verdict, in favour of their item.
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
