/** Logs rejections without flooding the log, and without what the records contain. */

import type { Logger } from "@logtape/logtape";
import { placeOf, type Rejection } from "../../src/events/rejection.ts";

/** Logs the first rejection of each code and rule. */
export class FirstRejections {
  readonly #logger: Logger;
  readonly #who: string;
  readonly #told = new Set<string>();

  /** @param who rejects them: a source, or the task */
  constructor(logger: Logger, who: string) {
    this.#logger = logger;
    this.#who = who;
  }

  /** Logs a rejection if it is the first of its kind. */
  tell(rejection: Rejection): void {
    const { code, rule } = rejection;
    const kind = kindOf(rejection);
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#logger.warn(
      "{who} rejects {place} as {code}{by}; others like it are not logged, but `meander rejected list` " +
        "counts them",
      {
        who: this.#who,
        place: placeOf(rejection),
        code,
        by: rule === undefined ? "" : ` by the rule ${rule}`,
      },
    );
  }
}

/** What is rejected alike: its code, and the rule that rejects it. */
export function kindOf({ code, rule }: Pick<Rejection, "code" | "rule">): string {
  return rule === undefined ? code : `${code} ${rule}`;
}
