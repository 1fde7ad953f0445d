/** Conditions on a record. */

import type { ConditionSettings, ConditionSpec, Scalar } from "./mapping_options.ts";
import { MappingError, placed } from "./mapping_error.ts";
import { compilePath } from "./path.ts";
import type { Scope } from "./scope.ts";

export interface Condition {
  readonly holds: (scope: Scope) => boolean;
  /** Whether it depends on the entry of a list. */
  readonly isOfElement: boolean;
}

/**
 * Compiles a condition on the value at a path; with `[*]`, on any one of the values, or on whether there are any.
 *
 * @param at its place in the settings
 * @throws MappingError
 */
export function compileCondition(
  path: string,
  spec: ConditionSpec,
  at: readonly (string | number)[],
): Condition {
  const { read, isOfElement } = placed(at, () => compilePath(path));
  const { exists, ...ofOne } = settingsOf(spec);
  const [whole, tests] = [testsOf({ exists }), testsOf(ofOne)];
  const [test] = tests;
  if (test === undefined && whole.length === 0) throw new MappingError(at, "the condition is empty");
  const isOfAny = path.includes("[*]");
  if (!isOfAny && test !== undefined && tests.length === 1 && whole.length === 0) {
    return { isOfElement, holds: (scope) => test(read(scope)) };
  }
  return {
    isOfElement,
    holds: (scope) => {
      let value: unknown;
      try {
        value = read(scope);
      } catch {
        return false; // the list is too long
      }
      if (!whole.every((test) => test(value))) return false;
      const values = isOfAny && Array.isArray(value) ? value : [value];
      return test === undefined || values.some((one) => tests.every((test) => test(one)));
    },
  };
}

function settingsOf(spec: ConditionSpec): ConditionSettings {
  if (Array.isArray(spec)) return { is: spec };
  if (typeof spec === "object" && spec !== null) return spec as ConditionSettings; // `isArray` misses readonly lists
  return { is: [spec] };
}

type Test = (value: unknown) => boolean;

function testsOf(settings: ConditionSettings): readonly Test[] {
  const { is, not, exists, startsWith, endsWith, above, below } = settings;
  const tests: Test[] = [];
  if (is !== undefined) tests.push(isOne(is));
  if (not !== undefined) {
    const isNot = isOne(not);
    tests.push((value) => !isNot(value));
  }
  if (exists !== undefined) tests.push((value) => (value !== undefined && value !== "") === exists);
  if (startsWith !== undefined) {
    tests.push((value) => typeof value === "string" && value.startsWith(startsWith));
  }
  if (endsWith !== undefined) tests.push((value) => typeof value === "string" && value.endsWith(endsWith));
  if (above !== undefined) tests.push((value) => numeric(value) > above);
  if (below !== undefined) tests.push((value) => numeric(value) < below);
  return tests;
}

/** Whether a value is one of these; a missing value and an empty text both match `null`. */
function isOne(scalars: readonly Scalar[]): Test {
  const [only] = scalars;
  if (scalars.length === 1 && typeof only === "string" && only !== "") return (value) => value === only;
  const set = new Set<unknown>(scalars);
  return (value) =>
    set.has(value === undefined || value === "" ? null : value) || (value === "" && set.has(""));
}

function numeric(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value !== "" ? Number(value) : NaN;
}
