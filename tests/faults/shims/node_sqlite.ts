/**
 * Stands for `node:sqlite` in a simulated world: the real thing, whose files are closed when the process that has opened
 * them dies.
 *
 * @module
 */

import process from "node:process";
import type * as sqlite from "node:sqlite";
import { here } from "../globals.ts";
import type { Owner } from "../world.ts";

const real = process.getBuiltinModule("node:sqlite") as typeof sqlite;
const opened = new WeakMap<Owner, Set<sqlite.DatabaseSync>>();

/** See Node. */
export class DatabaseSync extends real.DatabaseSync {
  readonly #own: Set<sqlite.DatabaseSync>;

  constructor(...args: ConstructorParameters<typeof real.DatabaseSync>) {
    super(...args);
    const owner = here().current;
    this.#own = opened.get(owner) ?? new Set();
    opened.set(owner, this.#own);
    this.#own.add(this);
  }

  override close(): void {
    this.#own.delete(this);
    super.close();
  }
}

/** See Node. */
export const StatementSync: typeof sqlite.StatementSync = real.StatementSync;

/** Closes what a process that is dead had open. */
export function closeAll(owner: Owner): void {
  for (const database of opened.get(owner) ?? []) database.close();
}
