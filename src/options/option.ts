/**
 * Options of a module, declared once, as data, next to the code that they configure: what each may be, its default, and
 * what it means. Code takes its defaults from there by {@linkcode settle}; the configuration's schema and page,
 * environment variables and command-line flags are generated from it. See
 * docs/decisions/0044-one-declaration-an-option.md.
 */

import { fieldOf } from "../values/record.ts";

/** Bounds of a number; `above` and `below` are exclusive. */
export interface Bounds {
  /** Smallest value. */
  readonly minimum?: number;
  /** Largest value. */
  readonly maximum?: number;
  /** Exclusive lower bound. */
  readonly above?: number;
  /** Exclusive upper bound. */
  readonly below?: number;
}

/** What an option may hold. */
export type OptionKind =
  | { readonly kind: "number"; readonly isInteger: boolean; readonly bounds: Bounds }
  | { readonly kind: "flag" }
  | { readonly kind: "choice"; readonly of: readonly string[] }
  /** A text of `minLength` to `maxLength` UTF-16 code units; `pattern` is a regular expression that it matches. */
  | {
    readonly kind: "text";
    readonly minLength: number;
    readonly maxLength: number;
    readonly pattern?: { readonly source: string; readonly message: string } | undefined;
  }
  /** Entries of one kind; with `unique`, none occurs twice. */
  | {
    readonly kind: "list";
    readonly of: OptionKind;
    readonly minItems: number;
    readonly maxItems: number;
    readonly unique?: boolean;
  }
  /** Options of a part, each of which may be absent. */
  | { readonly kind: "group"; readonly of: Declared }
  /** On or off, or on with options of its own. */
  | { readonly kind: "switch"; readonly of: Declared }
  /** Texts by name. */
  | { readonly kind: "texts" }
  /** Values of one kind, by name. */
  | { readonly kind: "by-name"; readonly of: OptionKind }
  /** A text, a number, true, false or null. */
  | { readonly kind: "scalar" }
  /** One of several kinds. */
  | { readonly kind: "either"; readonly of: readonly OptionKind[] }
  /** A name that may not be set; `message` says why. */
  | { readonly kind: "forbidden"; readonly message: string };

/**
 * How far a change of an option reaches in a deployment with stored data:
 *
 * - `rebuild`: stored data was made under the old value and does not fit the new one;
 * - `onward`: data made from now on; stored data does not change;
 * - `at-once`: everything, as no stored data depends on it;
 * - `process`: this process only, as it is not part of the deployment.
 */
export type Reach = "rebuild" | "onward" | "at-once" | "process";

/** An option. */
export interface Option<T> {
  /** What it may hold. */
  readonly kind: OptionKind;
  /** Whether it may also be `null`. */
  readonly isNullable?: true;
  /** Whether it is required where its part is given. */
  readonly isWanted?: true;
  /** How far a change of it reaches. @default {that of the part that it is in} */
  readonly reach?: Reach;
  /** What it means, in Markdown; empty for a mere group. */
  readonly about: string;
  /** Its default. */
  readonly value: T;
  /** The default in words, in Markdown, if JSON has no such value or more needs to be said. */
  readonly words?: string;
}

/** Options by name. */
export type Declared = Readonly<Record<string, Option<unknown>>>;

/** Declares every option of `T`: a missing name, an extra one or a default of another type does not compile. */
export type OptionsOf<T> = { readonly [K in keyof T]-?: Option<T[K] | undefined> };

/** The values of options, all of them present. */
export type Settled<D extends Declared> = { readonly [K in keyof D]: D[K]["value"] };

/** The values of options, each of which may be absent. */
export type Given<D extends Declared> = { readonly [K in keyof D]?: D[K]["value"] | undefined };

/** Fills in the defaults of absent options. Names that are not declared are left out. */
export function settle<D extends Declared>(declared: D, given: Given<D> = {}): Settled<D> {
  const names = Object.keys(declared);
  return Object.fromEntries(
    names.map((name) => [name, given[name] === undefined ? declared[name]!.value : given[name]]),
  ) as Settled<D>; // the names of `declared`
}

/**
 * Values of all options, including those of parts, as data for JSON: what JSON has no value for is `null`, and a part
 * that is only turned on has its defaults.
 *
 * @example
 * ```ts
 * import { count, group, natural, settleAll } from "./option.ts";
 * import assert from "node:assert/strict";
 *
 * const OPTIONS = { rows: count(64, "rows"), queue: group({ length: natural(8, "of the queue") }) };
 * assert.deepEqual(settleAll(OPTIONS, { rows: 32 }), { rows: 32, queue: { length: 8 } });
 * ```
 */
export function settleAll(declared: Declared, given: object = {}): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, { kind, value }]) => {
      const had = fieldOf(given, name);
      const own = had === undefined ? value : had;
      if (own === null) return [name, null];
      const isPart = kind.kind === "group" || kind.kind === "switch" && own !== false;
      if (isPart) return [name, settleAll(kind.of, typeof own === "object" ? own : {})];
      return [name, own === undefined || typeof own === "number" && !Number.isFinite(own) ? null : own];
    }),
  );
}

/** A default in words. */
export interface Absent<T> {
  /** The words, in Markdown. */
  readonly words: string;
  readonly value: T;
}

/** A default that JSON has no value for, or that needs words. @param value what code uses for it */
export function absent(words: string): Absent<undefined>;
export function absent<T>(words: string, value: T): Absent<T>;
export function absent<T>(words: string, value?: T): Absent<T | undefined> {
  return { words, value };
}

/** The type of a default, widened: 64 stands for any number. */
type Widened<T> = T extends number ? number : T extends boolean ? boolean : T;

function option<T>(kind: OptionKind, value: T | Absent<T>, about: string): Option<Widened<T>> {
  const isInWords = typeof value === "object" && value !== null && "words" in value;
  return (isInWords ? { kind, about, ...value } : { kind, about, value }) as Option<Widened<T>>; // 64 stands for any number
}

export function number<T extends number | undefined>(
  value: T | Absent<T>,
  bounds: Bounds,
  about: string,
): Option<Widened<T>> {
  return option({ kind: "number", isInteger: false, bounds }, value, about);
}

/** A number above 0. */
export function positive<T extends number | undefined>(
  value: T | Absent<T>,
  about: string,
): Option<Widened<T>> {
  return number(value, { above: 0 }, about);
}

export function share<T extends number | undefined>(value: T | Absent<T>, about: string): Option<Widened<T>> {
  return number(value, { minimum: 0, maximum: 1 }, about);
}

export function integer<T extends number | undefined>(
  value: T | Absent<T>,
  bounds: Bounds,
  about: string,
): Option<Widened<T>> {
  return option({ kind: "number", isInteger: true, bounds }, value, about);
}

export function count<T extends number | undefined>(value: T | Absent<T>, about: string): Option<Widened<T>> {
  return integer(value, { above: 0 }, about);
}

export function natural<T extends number | undefined>(
  value: T | Absent<T>,
  about: string,
): Option<Widened<T>> {
  return integer(value, { minimum: 0 }, about);
}

/** Yes or no. */
export function flag<T extends boolean | undefined>(value: T | Absent<T>, about: string): Option<Widened<T>> {
  return option({ kind: "flag" }, value, about);
}

/** One of a few words. */
export function choice<const W extends string>(
  of: readonly W[],
  value: NoInfer<W> | Absent<NoInfer<W>>,
  about: string,
): Option<W> {
  return option<W>({ kind: "choice", of }, value, about) as Option<W>; // words stand for themselves
}

/** A text that is not empty. */
export function text<T extends string | undefined>(value: T | Absent<T>, about: string): Option<T> {
  return option({ kind: "text", minLength: 1, maxLength: Infinity }, value, about) as Option<T>; // a text is not widened
}

/** Texts that match a pattern, at least one. @param message the error for a text that does not match */
export function matching(
  source: string,
  message: string,
  value: readonly string[],
  about: string,
): Option<readonly string[]> {
  const of = { kind: "text", minLength: 1, maxLength: Infinity, pattern: { source, message } } as const;
  return listOf(of, { minimum: 1 }, value, about);
}

/** Texts by name. */
export function texts(about: string): Option<Readonly<Record<string, string>>> {
  return { kind: { kind: "texts" }, about, value: {} };
}

/** Values of one kind by name; none by default. */
export function by<T>(
  of: Option<T>,
  about: string,
): Option<Readonly<Record<string, Exclude<T, undefined>>> | undefined> {
  return { kind: { kind: "by-name", of: of.kind }, about, value: undefined, words: "none" };
}

/** A text, a number, true, false or null. */
export function scalar(about: string): Option<string | number | boolean | null | undefined> {
  return { kind: { kind: "scalar" }, about, value: undefined, words: "none" };
}

/** What may be given in several ways. */
export function either<T>(of: readonly Option<unknown>[], about: string): Option<T | undefined> {
  return { kind: { kind: "either", of: of.map(({ kind }) => kind) }, about, value: undefined };
}

/** A name that may not be set, such as that of a secret. @param message the error for setting it */
export function forbidden(message: string): Option<undefined> {
  return { kind: { kind: "forbidden", message }, about: "", value: undefined };
}

/** Names: up to 32 different texts of 1 to 64 characters. @param pattern what they also match */
export function names(
  value: readonly string[],
  about: string,
  pattern?: { readonly source: string; readonly message: string },
): Option<readonly string[]> {
  return listOf(
    { kind: "text", minLength: 1, maxLength: 64, pattern },
    { maximum: 32, unique: true },
    value,
    about,
  );
}

/** Values of one kind; none by default. @param length bounds of their number */
export function list<T>(
  of: Option<T>,
  length: Pick<Bounds, "minimum" | "maximum">,
  about: string,
): Option<readonly Exclude<T, undefined>[] | undefined> {
  const { minimum = 0, maximum = Infinity } = length;
  const kind: OptionKind = { kind: "list", of: of.kind, minItems: minimum, maxItems: maximum };
  return { kind, about, value: undefined, words: "none" };
}

/** Numbers. @param length bounds of their number */
export function numbers(
  of: Option<unknown>,
  length: Pick<Bounds, "minimum" | "maximum">,
  value: readonly number[],
  about: string,
): Option<readonly number[]> {
  return listOf(of.kind, length, value, about);
}

/** Widths of layers, at most 8. */
export function widths(value: readonly number[], about: string): Option<readonly number[]> {
  return numbers(count(1, ""), { maximum: 8 }, value, about);
}

function listOf<T>(
  of: OptionKind,
  { minimum = 0, maximum = Infinity, unique = false }: Pick<Bounds, "minimum" | "maximum"> & {
    readonly unique?: boolean;
  },
  value: readonly T[],
  about: string,
): Option<readonly T[]> {
  const kind: OptionKind = { kind: "list", of, minItems: minimum, maxItems: maximum, unique };
  return option<readonly T[]>(kind, value, about) as Option<readonly T[]>; // a list is not widened
}

/** Options of a part. @param words its default in words, unless that is `{}` */
export function group<D extends Declared>(of: D, about = "", words?: string): Option<Given<D>> {
  return { kind: { kind: "group", of }, about, value: {}, ...(words === undefined ? {} : { words }) };
}

/** Options of a part that `null` turns off. @param words its default in words, unless that is `{}` */
export function part<D extends Declared>(of: D, about: string, words?: string): Option<Given<D> | null> {
  return orNull(group(of, about, words));
}

/** On or off, or on with options. */
export function switchOf<D extends Declared>(
  of: D,
  value: boolean,
  about: string,
): Option<boolean | Given<D>> {
  return { kind: { kind: "switch", of }, about, value };
}

/** The same option, with how far a change of it reaches. */
export function reaches<O extends Option<unknown>>(reach: Reach, of: O): O {
  return { ...of, reach };
}

/** The same options; `reach` applies to those that have no reach of their own. */
export function allReach<D extends Declared>(reach: Reach, of: D): D {
  return Object.fromEntries(Object.entries(of).map(([name, one]) => [name, { reach, ...one }])) as D; // differs in `reach` only
}

/** The same option without a default: it is required where its part is given. */
export function wanted<T>({ kind, about }: Option<T>): Option<T | undefined> {
  return { kind, about, value: undefined, isWanted: true };
}

/** The same option without a default: if absent, there is none. */
export function orAbsent<T>({ kind, about }: Option<T>): Option<T | undefined> {
  return { kind, about, value: undefined, words: "none" };
}

/** The same option, which may also be `null`. */
export function orNull<T>(of: Option<T>): Option<T | null> {
  return { ...of, isNullable: true };
}
