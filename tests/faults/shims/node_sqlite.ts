/**
 * Replaces `node:sqlite` in a simulated world: the real module, whose files are closed when the process that opened
 * them dies, and whose syncs the world's disk knows of.
 *
 * @module
 */

import process from "node:process";
import type * as sqlite from "node:sqlite";
import { noteSync } from "../disk.ts";
import { here } from "../globals.ts";
import type { Owner } from "../world.ts";

const real = process.getBuiltinModule("node:sqlite") as typeof sqlite;
/** `PRAGMA synchronous = FULL`. */
const FULL = 2;
const opened = new WeakMap<Owner, Set<sqlite.DatabaseSync>>();

/** See Node. */
export class DatabaseSync extends real.DatabaseSync {
  readonly #own: Set<sqlite.DatabaseSync>;
  readonly #path: string;

  constructor(...args: ConstructorParameters<typeof real.DatabaseSync>) {
    super(...args);
    this.#path = `${args[0]}`;
    const owner = here().current;
    this.#own = opened.get(owner) ?? new Set();
    opened.set(owner, this.#own);
    this.#own.add(this);
  }

  /** A commit makes the disk confirm the write-ahead log if SQLite is configured to, as SQLite itself reports. */
  override prepare(...args: Parameters<sqlite.DatabaseSync["prepare"]>): sqlite.StatementSync {
    const statement = super.prepare(...args);
    if (args[0] !== "COMMIT") return statement;
    const run = statement.run.bind(statement);
    statement.run = () => {
      const result = run();
      if (Number(super.prepare("PRAGMA synchronous").get()?.["synchronous"]) >= FULL) {
        noteSync(`${this.#path}-wal`);
      }
      return result;
    };
    return statement;
  }

  override close(): void {
    this.#own.delete(this);
    super.close();
  }
}

/** See Node. */
export const StatementSync: typeof sqlite.StatementSync = real.StatementSync;

/** See Node. */
export const backup: typeof sqlite.backup = real.backup;

/** See Node: not part of a world, and closed by its opener. */
export const RealDatabase: typeof sqlite.DatabaseSync = real.DatabaseSync;

/** Closes what a dead process had open. */
export function closeAll(owner: Owner): void {
  for (const database of opened.get(owner) ?? []) database.close();
}
