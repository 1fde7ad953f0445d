/** The problem of unknown ids, with a remedy. */

import { shown } from "../../../src/events/rejected.ts";
import { keysOf } from "../../../src/values/record.ts";
import { Problem } from "./problem.ts";

const REMEDIES = {
  user:
    "no event with this id has been applied yet; send one to POST /v1/events, check the spelling, or wait for `lag` 0",
  session: "no event with this id was applied, so there is nothing to take over; check the spelling",
  item:
    "it is not in the catalogue of the user's partition; add it with POST /v1/items, or check the spelling",
} as const;

/** The problem `not-found`: names the unknown ids, and a remedy for each. */
export function notKnown(ids: { readonly [Kind in keyof typeof REMEDIES]?: string | undefined }): Problem {
  const sentences = keysOf(REMEDIES).flatMap((kind) => {
    const id = ids[kind];
    return id === undefined ? [] : [`${kind} ${shown(id)} is not known: ${REMEDIES[kind]}`];
  });
  return new Problem("not-found", sentences.join("; "));
}
