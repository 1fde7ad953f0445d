/**
 * Ignores failures that do not matter.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";

const logger = getLogger(["meander", "log"]);

/**
 * Settles with the promise and never rejects: a failure is logged at debug level.
 *
 * @param why why it does not matter, such as "the caller has the result"
 */
export async function ignore(promise: Promise<unknown> | undefined, why: string): Promise<void> {
  try {
    await promise;
  } catch (error) {
    const reason = reasonOf(error);
    logger.debug("ignored a failure, because {why}: {reason}", { why, reason });
  }
}
