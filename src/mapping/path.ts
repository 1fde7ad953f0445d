/**
 * Paths into records: `ctx.uid`, `items[0].id`, `items[*].id`, `["a name. with dots"].x`.
 *
 * `@` is the entry of the list that a rule iterates over, `#` its index, and `$` the metadata of the record. `[*]`
 * stands for all entries of a list and `[-1]` for the last one. A field that is null counts as missing, and so do the
 * values of `[*]` when no entry has one.
 */

import { FORBIDDEN_KEYS } from "../events/limits.ts";
import { fieldOf } from "../values/record.ts";
import { Misfit, type Reader, type Scope } from "./scope.ts";

/** Most entries that `[*]` collects. */
const MAX_COLLECTED = 10_000;

export interface Path {
  /** Reads its value. */
  readonly read: Reader;
  /** Whether it depends on the entry of a list: it begins with `@` or `#`. */
  readonly isOfElement: boolean;
}

/** The name of a field, an index into a list, or `null` for all entries. */
export type Step = string | number | null;

type Head = "record" | "element" | "index" | "meta";

/**
 * Compiles a path.
 *
 * @throws SyntaxError when it is malformed
 *
 * @example
 * ```ts
 * import { compilePath } from "./path.ts";
 * import assert from "node:assert/strict";
 *
 * const record = { ctx: { uid: "u1" }, items: [{ id: "a" }, { id: "b" }] };
 * const read = (text: string) => compilePath(text).read({ record, element: record.items[1], index: 1, meta: {} });
 * assert.equal(read("ctx.uid"), "u1");
 * assert.deepEqual(read("items[*].id"), ["a", "b"]);
 * assert.equal(read("@.id"), "b");
 * assert.equal(read("ctx.toString"), undefined);
 * ```
 */
export function compilePath(text: string): Path {
  const { head, steps } = parse(text);
  return { read: readerOf(head, steps), isOfElement: head === "element" || head === "index" };
}

/** The steps of a path, without its start. @throws SyntaxError when it is malformed */
export function stepsOf(path: string): readonly Step[] {
  return parse(path).steps;
}

/** The path of some steps. @param from the path that they continue */
export function pathOf(steps: readonly Step[], from = ""): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step !== "string") return `${path}[${step ?? "*"}]`;
    if (!BARE.test(step) || step !== step.trimEnd()) return `${path}[${JSON.stringify(step)}]`;
    return path === "" ? step : `${path}.${step}`;
  }, from);
}

/** Matches a name that needs no quotes in any position, unless it ends with a space. */
const BARE = /^[^.[\]{}"\s@#$][^.[\]{}"]*$/;
const NAME = /[^.[\]{}"\s][^.[\]{}"]*/y;
const PLACE = /\[(\*|-?\d{1,9}|"(?:[^"\\]|\\.)*")\]/y;

function parse(text: string): { readonly head: Head; readonly steps: readonly Step[] } {
  let at = 0;
  const steps: Step[] = [];
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  let head: Head = "record";
  if (text[0] === "@") [head, at] = ["element", 1];
  else if (text[0] === "#") [head, at] = ["index", 1];
  else if (text[0] === "$") [head, at] = ["meta", 1];
  while (at < text.length && head !== "index") {
    const isFirst = steps.length === 0 && head !== "element"; // all names but the first follow a dot
    if (!isFirst && text[at] === ".") at++;
    else if (!isFirst && text[at] !== "[") break;
    const name = isFirst || text[at - 1] === "." ? take(NAME) : null;
    if (name !== null) {
      steps.push(checkName(name[0].trimEnd(), text));
      continue;
    }
    const [, place] = text[at - 1] === "." ? [] : take(PLACE) ?? [];
    if (place === undefined) break;
    if (place === "*") steps.push(null);
    else steps.push(place.startsWith('"') ? checkName(JSON.parse(place), text) : Number(place));
  }
  if (text === "" || text.endsWith(".") || at < text.length || (head === "meta" && steps.length === 0)) {
    throw pathError(text, at);
  }
  return { head, steps };
}

function pathError(text: string, at: number): SyntaxError {
  const hint = 'names are joined by dots, places are [0], [*] or ["a name"]';
  return new SyntaxError(
    `Cannot take ${JSON.stringify(text)} as a path: character ${at + 1} is unexpected; ${hint}`,
  );
}

function checkName(name: string, text: string): string {
  if (!FORBIDDEN_KEYS.includes(name)) return name;
  throw new SyntaxError(`Cannot take ${JSON.stringify(text)} as a path: no record may have a field ${name}`);
}

function readerOf(head: Head, steps: readonly Step[]): Reader {
  const plain = steps.filter((step) => step !== null);
  if (plain.length < steps.length) {
    return (scope) => {
      const collected: unknown[] = [];
      if (!collect(scope[head], steps, 0, collected)) return undefined;
      return collected.length > 0 && collected.every((value) => value === undefined) ? undefined : collected;
    };
  }
  if (plain.length === 0) return (scope) => scope[head] ?? undefined;
  if (plain.length === 1) {
    const [step = ""] = plain;
    return (scope) => stepInto(scope[head], step);
  }
  return (scope: Scope) => {
    let value: unknown = scope[head];
    for (let i = 0; i < plain.length && value !== undefined; i++) value = stepInto(value, plain[i]!);
    return value;
  };
}

/** The value at a step; inherited members are functions, which no record has. */
function stepInto(value: unknown, step: Step): unknown {
  if (typeof value !== "object" || value === null || step === null) return undefined;
  if (Array.isArray(value)) return typeof step === "number" ? value.at(step) ?? undefined : undefined;
  if (typeof step === "number") return undefined;
  const inner = fieldOf(value, step);
  return inner === null || typeof inner === "function" ? undefined : inner;
}

/** Adds the values of all entries; `undefined` where one has none. @returns whether there was a list */
function collect(value: unknown, steps: readonly Step[], from: number, into: unknown[]): boolean {
  for (let i = from; i < steps.length; i++) {
    const step = steps[i]!;
    if (step === null) {
      if (!Array.isArray(value)) return false;
      const isLast = !steps.includes(null, i + 1);
      for (const entry of value) {
        if (isLast) add(valueAt(entry, steps, i + 1), into);
        else if (!collect(entry, steps, i + 1, into)) add(undefined, into);
      }
      return true;
    }
    value = stepInto(value, step);
  }
  return false;
}

function valueAt(value: unknown, steps: readonly Step[], from: number): unknown {
  for (let i = from; i < steps.length; i++) value = stepInto(value, steps[i]!);
  return value ?? undefined;
}

function add(value: unknown, into: unknown[]): void {
  if (into.length < MAX_COLLECTED) into.push(value);
  else {
    const wanted = `at most ${MAX_COLLECTED} entries`;
    throw new Misfit({ code: "too-many-items", wanted, got: "a longer list", path: "" });
  }
}

/** Whether a path leads into what another one leads to, or is the same. */
export function isWithin(steps: readonly Step[], outer: readonly Step[]): boolean {
  return outer.every((step, i) => step === steps[i]);
}
