/** What differs between two blueprints of a deployment, and what it means. */

import type { Reach } from "../../src/options/option.ts";
import { isRecord } from "../../src/values/record.ts";
import type { Blueprint } from "../topics/generations.ts";

/** A part of a blueprint that differs. */
export interface Change {
  /** Its name, such as `model` or `sequence.window`. */
  readonly name: string;
  /** Its old value; `undefined` = it had none. */
  readonly before: unknown;
  /** Its new value; `undefined` = it has none. */
  readonly now: unknown;
  /** How far the change reaches. */
  readonly reach: Reach;
}

/** What a change means, by its reach. */
const MEANINGS: Readonly<Record<Reach, string>> = {
  "rebuild": "needs a rebuild: records on the log were made with the old value",
  "onward": "applies from now on; existing records do not change",
  "at-once": "takes effect at once",
  "process": "concerns only this process",
};

/** Prefix of an option's path when its reach is looked up. */
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
  return value === undefined ? "absent" : JSON.stringify(value);
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
