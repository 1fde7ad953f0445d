/** Finds the id that a shown list and the clicks on it have in common, by its values. */

import { nameOf } from "./field_names.ts";
import { isUnique, REPEATED, type SurveyedField } from "./survey.ts";

/** The ids of a list that was shown, and of those that acted on it. */
export interface SharedId {
  /** Differs in every list. */
  readonly ofList: SurveyedField;
  /** Fields elsewhere with values of `ofList`. */
  readonly ofActs: readonly SurveyedField[];
}

/** Smallest share of a field's values that the list's id must have: another partition may have the lists of the rest. */
const LEAST_SHARED = 0.1;
/** Most records per value of an act's id: clicks on one list are few. */
const MOST_REPEATS = 4;

/** The id that lists share with other records. @param lists fields that only lists have @param acts those of the others */
export function sharedId(
  lists: readonly SurveyedField[],
  acts: readonly SurveyedField[],
): SharedId | undefined {
  for (const ofList of lists) {
    if (ofList.isTime || ofList.records < 2 || !isUnique(ofList, ofList.records, REPEATED)) continue;
    const ofActs = acts.filter((field) => sharesValues(field, ofList));
    if (ofActs.length > 0) return { ofList, ofActs };
  }
  return undefined;
}

/** Whether a field may name the list that was shown: an id that few records have in common. */
export function mayNameList({ steps, types, values, hasMore, records }: SurveyedField): boolean {
  return /id$/i.test(nameOf(steps)) && types.join() === "text" && records > values.size &&
    (hasMore || values.size * MOST_REPEATS >= records);
}

/** Whether a field's values are those of another one, and no mere counts that happen to be equal. */
function sharesValues(field: SurveyedField, { steps, values }: SurveyedField): boolean {
  const shared = [...field.values.keys()].filter((value) => values.has(value));
  const isCount = shared.every((value) => /^\d{1,9}$/.test(value));
  const isAlike = !isCount || (nameOf(field.steps) === nameOf(steps) && nameOf(steps) !== "id");
  return isAlike && shared.length >= 2 && shared.length >= LEAST_SHARED * field.values.size &&
    field.values.size * MOST_REPEATS >= field.records;
}
