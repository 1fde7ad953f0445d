/** The answers to the requests of an archive: a request whose list was shown is not answered again. */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { ImpressionEvent, RequestEvent } from "../../../src/events/event.ts";
import type { Recommendation } from "../../../src/events/recommendation.ts";

/** SQLite spills to its file beyond this amount of memory. */
const CACHE_KIB = 64 * 1024;

/** The parts of an answer that become part of an impression. */
type Shown = Pick<ImpressionEvent, "items" | "positions" | "propensities">;

/** Answers by user and request, in a temporary file. */
export class ShownLists implements AsyncDisposable {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  private constructor(file: string) {
    this.#file = file;
    this.#database = new DatabaseSync(file);
    this.#database.exec(
      `PRAGMA cache_size = -${CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF`,
    );
    this.#database.exec(
      "CREATE TABLE answers (user TEXT, request TEXT, shown TEXT, PRIMARY KEY (user, request)) WITHOUT ROWID; BEGIN",
    );
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)");
    this.#find = this.#database.prepare("SELECT shown FROM answers WHERE user = ? AND request = ?");
  }

  /** Makes the file. */
  static async open(): Promise<ShownLists> {
    return new ShownLists(await Deno.makeTempFile({ prefix: "meander-shown-" }));
  }

  /** Adds an answer; a later one to the same request replaces it. */
  add({ user, request, items }: Recommendation): void {
    const shown: Shown = {
      items: items.map(({ item }) => item),
      positions: items.map(({ position }) => position),
      propensities: items.map(({ propensity }) => propensity),
    };
    this.#insert.run(user, request, JSON.stringify(shown));
  }

  /** The list that was shown for a request; `null` = it was empty, `undefined` = it is unknown. */
  shownFor(event: RequestEvent): ImpressionEvent | null | undefined {
    const row = this.#find.get(event.user, event.request);
    if (row === undefined) return undefined;
    const shown: Shown = JSON.parse(String(row["shown"]));
    if (shown.items.length === 0) return null;
    const { id, user, time, request, context, surface } = event;
    return {
      type: "impression",
      ...(id !== undefined && { id }),
      user,
      time,
      request,
      ...shown,
      ...(context !== undefined && { context }),
      ...(surface !== undefined && { surface }),
    };
  }

  /** Removes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    await Deno.remove(this.#file);
  }
}
