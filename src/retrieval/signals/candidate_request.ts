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
  /** The user; `null` = an anonymous user with the behaviours of `context`. */
  readonly user: UserState | null;
  /** What was done before, newest first. */
  readonly context: Context;
  /** Event time. */
  readonly time: number;
  /** Wanted categories; absent = all. */
  readonly categories?: readonly string[] | undefined;
  /** Items that may not be recommended, by index, some perhaps twice. */
  readonly excluded?: ArrayLike<number>;
  /** Whether another item may be. */
  readonly allowed: (item: CatalogueItem) => boolean;
}
