/** Items that the user already had, newest first, if they may be recommended again. */

import { byRequest } from "../items/scored.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import type { SourceKind } from "./source.ts";

const STEP = 0.8;
const BEHAVIOURS = 60;

/** Proposes items that the user already had. */
export const RE_VISIT: SourceKind = {
  name: "re-visit",
  proposals: BEHAVIOURS,
  weight: 1,
  judgesReturns: true,
  create: ({ returns }) =>
    byRequest(({ context }: CandidateRequest, scores) => {
      if (!returns.expected) return;
      for (let x = 0; x < Math.min(BEHAVIOURS, context.size); x++) scores.add(context.items[x]!, STEP ** x);
    }),
};
