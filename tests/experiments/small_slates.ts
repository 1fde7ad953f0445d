/**
 * Slates small enough to enumerate: the expectation of any estimator, and the truth, without sampling.
 *
 * @module
 */

import type { LoggedList } from "../../src/experiments/off_policy.ts";
import type { Random } from "../../src/draws/random_source.ts";

/** What the reward of a place depends on: its item and the place; the items above, too; or the whole list. */
export const DEPENDENCES = ["item-position", "cascade", "whole list"] as const;

/** A context with items to choose from, and two policies that choose. */
export interface SlateContext {
  /** Number of items and of places. */
  readonly items: number;
  readonly places: number;
  /** Chances of each item given those above, in shares of {@linkcode SHARES} where it is the logging policy. */
  readonly logging: (above: readonly number[]) => readonly number[];
  readonly target: (above: readonly number[]) => readonly number[];
  /** Expected reward of a place of a list. */
  readonly reward: (list: readonly number[], place: number) => number;
  /** What a model expects of an item at a place, given those above. */
  readonly predicted: (above: readonly number[], item: number) => number;
}

/** A list's chances under both policies, and its places with their expected rewards. */
interface EnumeratedList {
  readonly logged: number;
  readonly target: number;
  readonly list: LoggedList;
}

/** The logging policy's chances are multiples of 1 / `SHARES`. */
const SHARES = 12;

/** All lists of a context. */
export function enumerateLists(context: SlateContext): EnumeratedList[] {
  return permutations(context.items, context.places).map((list) => {
    let [logged, target] = [1, 1];
    const places = list.map((item, place) => {
      const above = list.slice(0, place);
      const [mu, pi] = [context.logging(above), context.target(above)];
      logged *= mu[item]!;
      target *= pi[item]!;
      return {
        logged: mu[item]!,
        target: pi[item]!,
        reward: context.reward(list, place),
        predicted: context.predicted(above, item),
        expected: pi.reduce(
          (sum, chance, other) => chance === 0 ? sum : sum + chance * context.predicted(above, other),
          0,
        ),
      };
    });
    return { logged, target, list: { unit: list.join(), places } };
  });
}

/** The reward per list that the target policy earns in equally likely contexts. */
export function trueValue(contexts: readonly SlateContext[]): number {
  const sum = contexts.flatMap(enumerateLists).reduce(
    (sum, { target, list }) => sum + target * list.places.reduce((total, { reward }) => total + reward, 0),
    0,
  );
  return sum / contexts.length;
}

/** A log that holds each list exactly as often as the logging policy makes it, with its expected rewards. */
export function exactLog(contexts: readonly SlateContext[]): LoggedList[] {
  const longest = Math.max(...contexts.map(({ places }) => places));
  return contexts.flatMap((context, c) =>
    enumerateLists(context).flatMap(({ logged, list }) =>
      Array.from({ length: Math.round(logged * SHARES ** longest) }, (_, n) => ({
        ...list,
        unit: `${c} ${list.unit} ${n}`,
      }))
    )
  );
}

/** A context drawn at random. @param dependence What rewards depend on */
export function randomContext(
  random: Random,
  { items, places, dependence }: {
    readonly items: number;
    readonly places: number;
    readonly dependence: (typeof DEPENDENCES)[number];
  },
): SlateContext {
  const remembered = <T>(make: (key: string) => T) => {
    const known = new Map<string, T>();
    return (key: string) => {
      const value = known.get(key) ?? make(key);
      known.set(key, value);
      return value;
    };
  };
  const left = (above: readonly number[]) => Array.from({ length: items }, (_, i) => !above.includes(i));
  const shares = remembered((key) => {
    const free = left(numbers(key));
    const parts = free.map((is) => is ? 1 : 0);
    let rest = SHARES - parts.reduce<number>((sum, part) => sum + part, 0);
    for (; rest > 0; rest--) {
      let at = Math.floor(random() * items);
      while (!free[at]) at = (at + 1) % items;
      parts[at]!++;
    }
    return parts.map((part) => part / SHARES);
  });
  const chances = remembered((key) => {
    // It never chooses some items.
    const parts = left(numbers(key)).map((is) => is ? Math.max(1e-9, random() - 0.2) : 0);
    const sum = parts.reduce((total, part) => total + part, 0);
    return parts.map((part) => part / sum);
  });
  const rewards = remembered(random);
  const predictions = remembered(random);
  return {
    items,
    places,
    logging: (above) => shares(above.join()),
    target: (above) => chances(above.join()),
    reward: (list, place) =>
      rewards(
        `${place}: ${
          dependence === "whole list"
            ? list
            : dependence === "cascade"
            ? list.slice(0, place + 1)
            : list[place]
        }`,
      ),
    predicted: (above, item) => predictions(`${above}: ${item}`),
  };
}

function numbers(key: string): number[] {
  return key === "" ? [] : key.split(",").map(Number);
}

function permutations(items: number, places: number, above: readonly number[] = []): number[][] {
  if (places === above.length) return [[...above]];
  return Array.from({ length: items }, (_, item) => item)
    .filter((item) => !above.includes(item))
    .flatMap((item) => permutations(items, places, [...above, item]));
}
