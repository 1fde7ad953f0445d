/** Progress of a restore. */

import { getLogger } from "@logtape/logtape";

/** Progress of a restore. */
export interface RestoreStatus {
  /** What is being read: the local snapshot or a changelog. */
  readonly source: "snapshot" | "statistics" | "state";
  /** Number of records read from the changelogs. */
  readonly records: number;
  /** Bytes read from snapshot and changelogs. */
  readonly bytes: number;
  /** Share of the current source that is read, in [0, 1]. */
  readonly share: number;
  /** Records of the changelogs per second; 0 at first. */
  readonly recordsPerSecond: number;
  /** Bytes per second; 0 at first. */
  readonly bytesPerSecond: number;
  /** Estimated seconds until the current source is read; `null` while unknown. */
  readonly secondsLeft: number | null;
}

/** Time between reports of a restore, and before the first. */
const REPORT_MS = 5000;

const logger = getLogger(["meander", "restore"]);

export class RestoreMeter {
  readonly #now: () => number;
  readonly #startedAt: number;
  #source: RestoreStatus["source"] = "snapshot";
  #sourceAt: number;
  #share = 0;
  #records = 0;
  #bytes = 0;
  #reportedAt: number;

  /** Starts measuring. @param now a clock in milliseconds that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = this.#sourceAt = this.#reportedAt = now();
  }

  /** Milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.#now() - this.#startedAt;
  }

  /** Begins another source. */
  begin(source: RestoreStatus["source"]): void {
    this.#source = source;
    this.#sourceAt = this.#now();
    this.#share = 0;
  }

  /** Adds what was read. @param share share of the source that has been read, 0..1 */
  advance(records: number, bytes: number, share: number): void {
    this.#records += records;
    this.#bytes += bytes;
    this.#share = share;
  }

  /** Logs progress from time to time. */
  report(name: string): void {
    const now = this.#now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    const { source, records, bytes, share, recordsPerSecond, bytesPerSecond, secondsLeft } = this.status;
    logger.info(
      "{name}: restoring from {source}, {percent} %, {left} s left; {records} records and {mb} MB so far, " +
        "{recordRate} records/s, {mbRate} MB/s",
      {
        name,
        source,
        percent: Math.floor(share * 100),
        left: secondsLeft === null ? "?" : Math.ceil(secondsLeft),
        records,
        mb: Math.round(bytes / 1e6),
        recordRate: Math.round(recordsPerSecond),
        mbRate: Math.round(bytesPerSecond / 1e6),
      },
    );
  }

  /** Current progress. */
  get status(): RestoreStatus {
    const seconds = this.elapsedMs / 1000;
    const onSource = (this.#now() - this.#sourceAt) / 1000;
    return {
      source: this.#source,
      records: this.#records,
      bytes: this.#bytes,
      share: this.#share,
      recordsPerSecond: seconds > 0 ? this.#records / seconds : 0,
      bytesPerSecond: seconds > 0 ? this.#bytes / seconds : 0,
      secondsLeft: this.#share > 0 ? onSource * (1 - this.#share) / this.#share : null,
    };
  }
}
