/** Where fields are: in an object, or in the entries of a list. */

import { isWithin, pathOf, type Step } from "../path.ts";
import type { SurveyedField } from "./survey.ts";

/** The fields of the entries that have this one. */
export function entriesBeside(
  list: SurveyedField | undefined,
  inLists: readonly SurveyedField[],
): readonly SurveyedField[] {
  if (list === undefined) return [];
  const of = [...listOf(list), null];
  return inLists.filter((field) => depthOf(field) === depthOf(list) && isWithin(field.steps, of));
}

/** The steps to the object that holds a field, or to the field itself at the top level. */
export function branchOf(steps: readonly Step[]): readonly Step[] {
  return steps.length > 1 ? steps.slice(0, -1) : steps;
}

/** Number of lists around a field. */
export function depthOf({ steps }: SurveyedField): number {
  return steps.filter((step) => step === null).length;
}

/** The steps to the innermost list around a field. */
export function listOf({ steps }: SurveyedField): readonly Step[] {
  return steps.slice(0, steps.lastIndexOf(null));
}

/** The path of that list's entries; for nested lists, of all such entries together. */
export function entriesOf(list: SurveyedField): string {
  return pathOf(depthOf(list) === 1 ? listOf(list) : [...listOf(list), null]);
}

/** The path of an entry's field in a rule that iterates over its list. */
export function ofEntry({ steps }: SurveyedField): string {
  return pathOf(steps.slice(steps.lastIndexOf(null) + 1), "@");
}
