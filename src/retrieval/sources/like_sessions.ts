/** Items of the sessions that are most like the user's. */

import { byRequest } from "../items/scored.ts";
import { Sessions } from "../folds/sessions.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import { durable, type SourceKind } from "./source.ts";

/** Proposes items of similar sessions. */
export const LIKE_SESSIONS: SourceKind = {
  name: "sessions",
  proposals: 40,
  weight: 0.1,
  create: ({ options }) => {
    const sessions = new Sessions(options.sessions);
    return {
      ...byRequest(({ user, time }: CandidateRequest, scores) => {
        if (user !== null) sessions.score(user.id, time, scores);
      }),
      learn: (signal) => sessions.learn(signal),
      forget: (user) => user === null ? sessions.forgetAll() : sessions.forget(user),
      ...durable(sessions),
    };
  },
};
