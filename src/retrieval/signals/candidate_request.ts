/** A request for candidates. */

import type { CatalogueItem } from "../../items/catalogue.ts";
import type { UserState } from "../../users/user_state.ts";
import type { Context } from "./context.ts";

/** Specifies the candidates to retrieve. */
export interface CandidateRequest {
  /** The user; `null` = an anonymous user with the behaviours of `context`. */
  readonly user: UserState | null;
  /** The earlier behaviours, newest first. */
  readonly context: Context;
  /** Event time. */
  readonly time: number;
  /** Wanted categories; absent = all. */
  readonly categories?: readonly string[] | undefined;
  /** Indices of items that may not be recommended, some perhaps twice. */
  readonly excluded?: ArrayLike<number>;
  /** Whether any other item may be recommended. */
  readonly allowed: (item: CatalogueItem) => boolean;
}
