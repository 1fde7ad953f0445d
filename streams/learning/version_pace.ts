/**
 * Decides which versions of the parameters are published, and when.
 *
 * @module
 */

export interface VersionPaceOptions {
  /** Shortest time between two paced versions, milliseconds. */
  readonly publishIntervalMs: number;
  /** Minimum versions between two full snapshots; `null` = every version stays, even after an erasure. */
  readonly snapshotVersions: number | null;
}

/** A full snapshot larger than this waits until the deltas since the last one have as many bytes. */
const LIGHT_BYTES = 1 << 20;

/** `each`: at once, in lockstep; `paced`: the newest of each interval; `last`: only the last, once all is learnt. */
export type Publishing = "each" | "paced" | "last";

/** A form in which a version is on the log. */
export interface PublishedForm {
  readonly kind: "delta" | "full";
  /** Size of its record. */
  readonly bytes: number;
}

/**
 * Counts versions as they are made, one per batch, and decides which to publish: each, or the newest of each interval;
 * as a delta from the last published one, as a full snapshot when changes were not tracked, and periodically as both.
 */
export class VersionPace {
  /** Newest version made. */
  made = 0;
  /** Which versions are published, apart from those that a checkpoint needs. */
  publishing: Publishing = "each";
  /** Whether the next version must be a full snapshot, because changes were not tracked. */
  needsFull = false;
  /** Whether published versions name an erased user: the next has a full snapshot that replaces them. */
  namesErased = false;
  /** Whether the guard chose the weights, which are then published at once, even while it withholds batches. */
  isChosen = false;
  readonly #options: VersionPaceOptions;
  readonly #now: () => number;
  #published = 0;
  /** Number of versions on the log since the last that has a full snapshot besides its delta. */
  #sinceFull = 0;
  /** Bytes of the last full snapshot, and of the deltas since. */
  #fullBytes = 0;
  #deltaBytes = 0;
  /** When the last version was published, by the clock. */
  #publishedAt = -Infinity;

  /** Starts without a version. @param now a clock in milliseconds */
  constructor(options: VersionPaceOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  /** Newest version on the log. */
  get published(): number {
    return this.#published;
  }

  /** Whether there is a version newer than the published one. */
  get isAhead(): boolean {
    return this.made > this.#published;
  }

  /** Time until the next version is due, milliseconds. */
  get untilDue(): number {
    if (this.publishing === "last") return Infinity;
    if (this.publishing === "each" || this.needsFull || this.isChosen) return 0;
    return this.#publishedAt + this.#options.publishIntervalMs - this.#now();
  }

  /** Makes the next version. @returns Whether the previous run has published it or a later one */
  make(): boolean {
    this.made++;
    if (this.isAhead) return false;
    this.needsFull = this.isChosen = false;
    return true;
  }

  /** The forms in which to publish the newest version, in order. To be called once for each that is published. */
  nextForms(): readonly PublishedForm["kind"][] {
    const { needsFull } = this;
    const isSnapshotDue = this.#isSnapshotDue;
    this.needsFull = this.isChosen = false;
    if (isSnapshotDue) this.namesErased = false;
    if (needsFull) return ["full"];
    return isSnapshotDue ? ["delta", "full"] : ["delta"];
  }

  get #isSnapshotDue(): boolean {
    const { snapshotVersions } = this.#options;
    if (snapshotVersions === null) return false;
    const isHeavy = this.#deltaBytes < this.#fullBytes && this.#fullBytes > LIGHT_BYTES;
    return this.namesErased || (this.#sinceFull + 1 >= snapshotVersions && !isHeavy);
  }

  /** To be called when the newest version is published. @param forms its forms in order, with their sizes */
  arrived(forms: readonly PublishedForm[]): void {
    for (const form of forms) this.found(this.made, form);
    this.#publishedAt = this.#now();
  }

  /** To be called with each form of each version on the log that an earlier run published, in order. */
  found(version: number, { kind, bytes }: PublishedForm): void {
    if (kind === "full") {
      this.#sinceFull = version === this.#published ? 0 : 1;
      this.#fullBytes = bytes;
      this.#deltaBytes = 0;
    } else {
      this.#sinceFull++;
      this.#deltaBytes += bytes;
    }
    this.#published = version;
  }
}
