/**
 * The problem of unknown ids, with a remedy.
 *
 * @module
 */

import { shown } from "../../../src/events/rejected.ts";
import { keysOf } from "../../../src/values/record.ts";
import { Problem } from "./problem.ts";

const REMEDIES = {
  user: "no event of this id was applied; send one to POST /v1/events, or look at the spelling",
  session: "no event of this id was applied, and there is nothing to take over; look at the spelling",
  item:
    "it is not in the catalogue of the user's partition; add it by POST /v1/items, or look at the spelling",
} as const;

/** The problem `not-found`: names the unknown ids, and a remedy for each. */
export function notKnown(ids: { readonly [Kind in keyof typeof REMEDIES]?: string | undefined }): Problem {
  const sentences = keysOf(REMEDIES).flatMap((kind) => {
    const id = ids[kind];
    return id === undefined ? [] : [`${kind} ${shown(id)} is not known: ${REMEDIES[kind]}`];
  });
  return new Problem("not-found", sentences.join("; "));
}
