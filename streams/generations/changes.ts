/**
 * What differs between two blueprints of a deployment, and what it means.
 *
 * @module
 */

import type { Reach } from "../../src/options/option.ts";
import { isRecord } from "../../src/values/record.ts";
import type { Blueprint } from "../topics/generations.ts";

/** A part of a blueprint that differs. */
export interface Change {
  /** Its name, such as `model` or `sequence.window`. */
  readonly name: string;
  /** What it was; `undefined` = it was not there. */
  readonly before: unknown;
  /** What it is; `undefined` = it is not there. */
  readonly now: unknown;
  /** How far the change reaches. */
  readonly reach: Reach;
}

/** What a change means, by its reach. */
export const MEANINGS: Readonly<Record<Reach, string>> = {
  "rebuild": "needs a rebuild: what the log holds was made with the old value",
  "onward": "counts for what comes from now on; what the log holds does not change",
  "at-once": "takes effect at once",
  "process": "is of this process alone",
};

/** What is added to an option's path to find its reach. */
const OPTIONS = "options.";

/** Names what differs, parts of options one by one. @param reachOf by path, such as `options.sequence.window` */
export function changesBetween(
  before: Blueprint,
  now: Blueprint,
  reachOf: (path: string) => Reach,
): readonly Change[] {
  return differences("", before, now).map(({ path, ...values }) => ({
    name: path.startsWith(OPTIONS) ? path.slice(OPTIONS.length) : path,
    ...values,
    reach: reachOf(path),
  }));
}

/** A change in words, with what it means. */
export function changeText(change: Change): string {
  return `${valuesText(change)}: ${MEANINGS[change.reach]}`;
}

/** A change in words. */
export function valuesText({ name, before, now }: Change): string {
  return `${name} was ${valueText(before)}, is ${valueText(now)}`;
}

function valueText(value: unknown): string {
  return value === undefined ? "not there" : JSON.stringify(value);
}

interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly now: unknown;
}

function differences(path: string, before: unknown, now: unknown): readonly Difference[] {
  if (!isRecord(before) || !isRecord(now)) {
    return JSON.stringify(before) === JSON.stringify(now) ? [] : [{ path, before, now }];
  }
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].sort().flatMap((name) =>
    differences(path === "" ? name : `${path}.${name}`, before[name], now[name])
  );
}
