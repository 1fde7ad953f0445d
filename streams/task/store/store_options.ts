/** Options of local snapshots. */

import { count, type OptionsOf, positive } from "../../../src/options/option.ts";

/** Options of `StateStore.open`. */
export interface StateStoreOptions {
  /** Folder of the store; while it is in use, `<folder>.1` and so on are tried. */
  readonly folder: string;
  /** Time between syncs to disk, milliseconds. @default {30000} */
  readonly intervalMs?: number | undefined;
  /** A clock in milliseconds that never goes back. @default {performance.now} */
  readonly now?: () => number;
  /**
   * Age above which a snapshot is not used, milliseconds, because the log may no longer have erasures that it lacks.
   * Has to be less than `delete.retention.ms` of the topics minus the duration of a restore.
   *
   * @default {72000000}
   */
  readonly maxAgeMs?: number | undefined;
  /** The time of day, milliseconds since the epoch, for the age. @default {Date.now} */
  readonly wallClock?: () => number;
}

/** The options of {@linkcode StateStoreOptions} that are numbers. */
export const STORE_OPTIONS = {
  intervalMs: count(30_000, "time between syncs of the snapshots to disk"),
  maxAgeMs: positive(72_000_000, "age above which a snapshot is not used"),
} satisfies OptionsOf<Pick<StateStoreOptions, "intervalMs" | "maxAgeMs">>;
