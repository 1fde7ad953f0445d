/**
 * Which versions of the parameters the log gets, and when.
 *
 * @module
 */

/** Options of a {@linkcode VersionPace}. */
export interface VersionPaceOptions {
  /** Time between two versions at least where they are paced, milliseconds. */
  readonly publishIntervalMs: number;
  /** Versions on the log between two full snapshots; `null` = each version stays, whoever is erased. */
  readonly snapshotVersions: number | null;
}

/**
 * Counts versions as they are made, one a batch; the log gets each, or the newest of each interval: as what has changed
 * since the last one on the log, as a full snapshot when changes were lost track of, and as both now and then.
 */
export class VersionPace {
  /** Newest version made. */
  made = 0;
  /** Versions keep their interval, since nothing is in lockstep with them. */
  isPaced = false;
  /** The next version must be a full snapshot, since changes were lost track of. */
  needsFull = false;
  /** The versions on the log name somebody who was erased: the next one comes with a full snapshot in their place. */
  mustReplace = false;
  /** The weights were chosen: they are to be published at once, whatever is thought of those of batches. */
  isChosen = false;
  readonly #options: VersionPaceOptions;
  readonly #now: () => number;
  #published = 0;
  /** Versions on the log since the last one that came with a full snapshot. */
  #sinceFull = 0;
  /** When a version was published, by the clock. */
  #publishedAt = -Infinity;

  /** Nothing is made yet. @param now a clock in milliseconds */
  constructor(options: VersionPaceOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  /** Newest version on the log. */
  get published(): number {
    return this.#published;
  }

  /** Whether there is a version that the log has not, nor a later one. */
  get isAhead(): boolean {
    return this.made > this.#published;
  }

  /** How long until the next version is due, milliseconds. */
  get untilDue(): number {
    if (!this.isPaced || this.needsFull || this.isChosen) return 0;
    return this.#publishedAt + this.#options.publishIntervalMs - this.#now();
  }

  /** Whether the newest version on the log, or on its way to it, came with a full snapshot beside what had changed. */
  get isSuperseding(): boolean {
    return this.#options.snapshotVersions !== null && this.#sinceFull === 0;
  }

  /** Makes the next version. @returns Whether an earlier life has published it or a later one. */
  make(): boolean {
    this.made++;
    if (this.isAhead) return false;
    this.needsFull = false;
    this.isChosen = false;
    return true;
  }

  /** As what the newest version goes to the log, in order; it counts as on its way. */
  take(): readonly ("delta" | "full")[] {
    const { needsFull } = this;
    const { snapshotVersions } = this.#options;
    const isPeriodic = snapshotVersions !== null &&
      (this.mustReplace || this.#sinceFull + 1 >= snapshotVersions);
    this.#sinceFull = isPeriodic ? 0 : needsFull ? 1 : this.#sinceFull + 1;
    this.needsFull = false;
    this.isChosen = false;
    if (isPeriodic) this.mustReplace = false;
    if (needsFull) return ["full"];
    return isPeriodic ? ["delta", "full"] : ["delta"];
  }

  /** Notes that the newest version is on the log. */
  arrived(): void {
    this.#published = this.made;
    this.#publishedAt = this.#now();
  }

  /** Notes a version that an earlier life has published, in the order of the log. */
  found(version: number, kind: "delta" | "full"): void {
    if (kind === "full") this.#sinceFull = version === this.#published ? 0 : 1;
    else this.#sinceFull++;
    this.#published = version;
  }
}
