/**
 * Decides which versions of the parameters are published, and when.
 *
 * @module
 */

/** Options of a {@linkcode VersionPace}. */
export interface VersionPaceOptions {
  /** Shortest time between two paced versions, milliseconds. */
  readonly publishIntervalMs: number;
  /** Minimum versions between two full snapshots; `null` = every version stays, even after an erasure. */
  readonly snapshotVersions: number | null;
}

/** A full snapshot larger than this waits until the deltas since the last one have as many bytes. */
const LIGHT_BYTES = 1 << 20;

/** Each at once, in lockstep; the newest of each interval; or `none` until all is learnt, and then the newest. */
export type Publishing = "each" | "paced" | "none";

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
  mustReplace = false;
  /** Whether the guard chose the weights, which are then published at once, even while it withholds batches. */
  isChosen = false;
  readonly #options: VersionPaceOptions;
  readonly #now: () => number;
  #published = 0;
  /** Number of versions on the log since the last with a full snapshot. */
  #sinceFull = 0;
  /** Whether the newest version taken has a full snapshot. */
  #isFull = false;
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
    if (this.publishing === "none") return Infinity;
    if (this.publishing === "each" || this.needsFull || this.isChosen) return 0;
    return this.#publishedAt + this.#options.publishIntervalMs - this.#now();
  }

  /** Whether the newest version taken has a full snapshot that replaces all earlier versions. */
  get isSuperseding(): boolean {
    return this.#options.snapshotVersions !== null && this.#isFull;
  }

  /** Makes the next version. @returns Whether the previous run has published it or a later one */
  make(): boolean {
    this.made++;
    if (this.isAhead) return false;
    this.needsFull = false;
    this.isChosen = false;
    return true;
  }

  /** The forms in which to publish the newest version, in order; it counts as taken. */
  take(): readonly ("delta" | "full")[] {
    const { needsFull } = this;
    const { snapshotVersions } = this.#options;
    const isHeavy = this.#deltaBytes < this.#fullBytes && this.#fullBytes > LIGHT_BYTES;
    const isPeriodic = snapshotVersions !== null &&
      (this.mustReplace || (this.#sinceFull + 1 >= snapshotVersions && !isHeavy));
    this.#isFull = needsFull || isPeriodic;
    this.#sinceFull = isPeriodic ? 0 : needsFull ? 1 : this.#sinceFull + 1;
    this.needsFull = false;
    this.isChosen = false;
    if (isPeriodic) this.mustReplace = false;
    if (needsFull) return ["full"];
    return isPeriodic ? ["delta", "full"] : ["delta"];
  }

  /** To be called when the newest version is published. @param forms its forms in order, with their sizes */
  arrived(forms: readonly PublishedForm[]): void {
    for (const form of forms) this.#weigh(form);
    this.#published = this.made;
    this.#publishedAt = this.#now();
  }

  /** To be called with each version on the log that an earlier run published, in order. */
  found(version: number, form: PublishedForm): void {
    if (form.kind === "full") this.#sinceFull = version === this.#published ? 0 : 1;
    else this.#sinceFull++;
    this.#published = version;
    this.#weigh(form);
  }

  #weigh({ kind, bytes }: PublishedForm): void {
    this.#fullBytes = kind === "full" ? bytes : this.#fullBytes;
    this.#deltaBytes = kind === "full" ? 0 : this.#deltaBytes + bytes;
  }
}
