/** Ignores failures that do not matter. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";

const logger = getLogger(["meander", "log"]);

/**
 * Resolves when the promise settles and never rejects: a failure is logged at debug level.
 *
 * @param why why a failure does not matter, such as "the caller has the result"
 */
export async function ignore(promise: Promise<unknown> | undefined, why: string): Promise<void> {
  try {
    await promise;
  } catch (error) {
    const reason = reasonOf(error);
    logger.debug("ignored a failure, because {why}: {reason}", { why, reason });
  }
}
