/**
 * What candidates are wanted.
 *
 * @module
 */

import type { CatalogueItem } from "../../items/catalogue.ts";
import type { UserState } from "../../users/user_state.ts";
import type { Context } from "./context.ts";

/** A request for candidates. */
export interface CandidateRequest {
  /** For whom; without a user, for somebody who did only what `context` says. */
  readonly user: UserState | null;
  /** What was done before, newest first. */
  readonly context: Context;
  /** Event time. */
  readonly time: number;
  /** Categories that are asked for, if any. */
  readonly categories?: readonly string[] | undefined;
  /** Items that may not be recommended, by index, some perhaps twice. */
  readonly excluded?: ArrayLike<number>;
  /** Whether another item may be. */
  readonly allowed: (item: CatalogueItem) => boolean;
}
