/** Iterates over rows without losing any. */

import type { StatementSync } from "node:sqlite";

/** Rows of a statement. */
export interface Rows {
  readonly statement: StatementSync;
  readonly values?: readonly number[];
  /** How many there are. */
  readonly count: number;
}

/** Yields the rows. @throws Error when one cannot be read: Deno's `iterate` ends there, as if it were the last */
export function* everyRow({ statement, values = [], count }: Rows): Generator<Record<string, unknown>> {
  let read = 0;
  for (const row of statement.iterate(...values)) {
    read++;
    yield row;
  }
  if (read < count) throw new Error(`Cannot read ${count} rows from SQLite: it ends after ${read}`);
}
