/**
 * The learnt state of retrieval, and how it becomes durable: what is a fold over signals (`signal_folds.ts`) as a
 * snapshot at intervals and a journal of the signals since (`changelog.ts`), the rest as records that are written when
 * they change (`ordering_state.ts`). A restored state is the snapshot with the journals applied in order, which is the
 * state at the last commit, bit for bit.
 *
 * A snapshot is of the state as of a commit, and is written in pieces by that one and later ones.
 *
 * Tasks that share what they learn read each other's journals. What a task takes from others is applied between two
 * commits and from then on is part of its own journals, so a restore needs nothing from the others
 * (`taken_journals.ts`).
 */

import type { Catalogue } from "../items/catalogue.ts";
import { atOnce, type Portions } from "../values/portions.ts";
import type { OrderingState } from "./ordering_state.ts";
import type { SignalFolds } from "./signal_folds.ts";
import { encodeHead, SignalChangelog } from "./signals/changelog.ts";
import {
  decodeRecord,
  encodeRecord,
  readingChange,
  RETRIEVAL_FORMATS,
  RETRIEVAL_KEY,
  type RetrievalRecord,
} from "./signals/records.ts";
import { ErasedNames } from "./signals/erased_names.ts";
import { type JournalEntry, readJournal, type Signal, SignalJournal } from "./signals/signal.ts";
import { Snapshot } from "./signals/snapshot.ts";
import { takenFrom, TakenJournals } from "./signals/taken_journals.ts";

const OTHERS_KEY = `${RETRIEVAL_KEY}others`;
/** Most deleted records per piece of a snapshot that a commit may write. */
const SWEPT = 2000;
/** If journals outweigh the snapshot this many times, restarts keep a new one from ending: it is written at once. */
const OVERDUE = 4;

export interface RetrievalStateParts {
  readonly catalogue: Catalogue;
  /** What is learnt from signals. */
  readonly folds: SignalFolds;
  /** What is learnt from choices among candidates. */
  readonly ordering: OrderingState;
}

/** Changes since the last commit. */
export interface RetrievalChanges {
  /** Records for the task's own changelog. */
  readonly records: readonly RetrievalRecord[];
  /** The task's own journal, for other tasks; `null` when there is none, or nothing is shared. */
  readonly signals: Uint8Array | null;
  /** Whether the records replace all that may name users whom other tasks have erased. */
  readonly dropsNames: boolean;
}

/** A journal of another task. */
export interface OthersJournal {
  readonly partition: number;
  /** Its {@linkcode RetrievalChanges.signals}. */
  readonly journal: Uint8Array;
  /** The position after it. */
  readonly next: number;
}

/** What retrieval has learnt, its journal, and the journals of other tasks. */
export class RetrievalState {
  readonly ordering: OrderingState;
  readonly #folds: SignalFolds;
  readonly #catalogue: Catalogue;
  readonly #idOf = (item: number): string => this.#catalogue.idOf(item);
  readonly #journal = new SignalJournal();
  readonly #changelog = new SignalChangelog();
  /** What was learnt from other tasks. */
  readonly #taken = new TakenJournals();
  #isShared = false;
  #isRestored = false;
  #isSnapshotDue = false;
  #snapshot: Snapshot | null = null;
  readonly #erased = new ErasedNames();

  constructor({ catalogue, folds, ordering }: RetrievalStateParts) {
    this.#catalogue = catalogue;
    this.#folds = folds;
    this.ordering = ordering;
  }

  /** Signals learnt since the beginning of the log, those of other tasks included. */
  get signals(): number {
    return this.#folds.signals;
  }

  /** By partition, the position up to which this task has learnt from others. */
  get others(): ReadonlyMap<number, number> {
    return this.#taken.positions;
  }

  /** Bytes learnt from other tasks since the last commit. */
  get takenBytes(): number {
    return this.#taken.bytes;
  }

  /** Shares what is learnt with other tasks from now on. */
  share(): void {
    this.#isShared = true;
  }

  learn(signal: Signal): void {
    this.#journal.add(signal, this.#idOf);
    this.#folds.learn(signal);
  }

  /** Passes a positive that counts for an item's popularity on to the other tasks. */
  raised(item: number, time: number): void {
    if (this.#isShared) this.#journal.raise(item, time, this.#idOf);
  }

  /**
   * Learns from the journal of another task. Call only while no own signals wait for a commit.
   *
   * @param itemAt Returns the index of an item, and makes it durable.
   * @returns The number of signals and positives.
   * @throws SyntaxError when it is not a journal; nothing is learnt then
   * @throws RangeError when there are own signals to be committed
   */
  learnOthers(
    { partition, journal, next }: OthersJournal,
    itemAt: (id: string, time: number) => number,
  ): number {
    if (this.#journal.entries > 0) {
      throw new RangeError(`Cannot learn from task ${partition}: own signals must be committed first`);
    }
    const entries = readJournal(journal, itemAt);
    for (const entry of entries) this.#applyOthers(entry);
    this.passOthers(partition, next);
    if (entries.length === 0) return 0;
    this.#taken.add(journal);
    return entries.length;
  }

  /** Records that nothing is left to learn from another task before a position. */
  passOthers(partition: number, next: number): void {
    this.#taken.pass(partition, next);
  }

  /**
   * Erases a user, whom journals on the log may name until {@linkcode RetrievalState.dropNames}.
   *
   * @param offset of the event that asks for it
   */
  forget(user: string, offset = 0): void {
    this.#journal.forget(user);
    this.#folds.forget(user);
    this.#erased.add(offset);
  }

  /**
   * Drops all user names, for a task that has missed erasures by other tasks. Sessions end, and a snapshot is due.
   */
  forgetAll(): void {
    this.#folds.forget(null);
    this.#erased.addOthers();
    this.#isSnapshotDue = true;
  }

  /** Whether written records may name a user whom another task has erased, until {@linkcode RetrievalState.dropNames}. */
  get mayNameErased(): boolean {
    return this.#erased.ofOthers;
  }

  /**
   * Offset of the first erasure of a user whom the task's records may still name; `Infinity` = they name none. They no
   * longer do once the snapshot that {@linkcode RetrievalState.dropNames} makes due is complete.
   */
  get namedFrom(): number {
    return this.#erased.from;
  }

  /** Whether a part of a snapshot remains to be written or deleted. */
  get isSnapshotUnderWay(): boolean {
    return this.#isSnapshotDue || this.#snapshot !== null || this.#changelog.hasGarbage;
  }

  /** Makes a snapshot due that replaces records that may name erased users. */
  dropNames(): void {
    this.#isSnapshotDue ||= this.#erased.anyWritten;
  }

  /**
   * By partition, the position up to which {@linkcode RetrievalState.changes} names none of that task's erased users;
   * `null` if nothing is shared with other tasks, nor left of what was.
   */
  get cleared(): ReadonlyMap<number, number> | null {
    return this.#isShared || this.mayNameErased ? this.#erased.cleared : null;
  }

  /** The changes since the last call, for the current commit, at once, with all of a snapshot that is due. */
  changes(): RetrievalChanges {
    return atOnce(this.changing());
  }

  /**
   * {@linkcode RetrievalState.changes} in portions.
   *
   * @param pieces How many pieces of a snapshot the commit may write, each of 512 KB or some 50,000 entries
   */
  *changing(pieces = Infinity): Portions<RetrievalChanges> {
    const records = this.ordering.changes();
    if (this.#taken.moved) {
      records.push(encodeRecord(OTHERS_KEY, RETRIEVAL_FORMATS, (to) => this.#taken.encodePositions(to)));
    }
    const own = this.#journal.entries > 0 ? this.#journal.take() : null;
    // Journals of others come first: they were learnt before any own signal.
    const journals = this.#taken.take();
    if (own !== null) journals.push(own);
    if (pieces === 0) records.push(...this.#changelog.add(journals));
    else records.push(...yield* this.#writeSnapshot(pieces, journals));
    const dropsNames = this.#snapshot === null && !this.#changelog.hasGarbage && this.#erased.end();
    this.#erased.reach(this.#taken.positions);
    return { records, signals: this.#isShared ? own : null, dropsNames };
  }

  /** Writes journals, and goes on with a snapshot if one is due. */
  *#writeSnapshot(pieces: number, journals: readonly Uint8Array[]): Portions<RetrievalRecord[]> {
    const changelog = this.#changelog;
    const isDue = this.#isSnapshotDue || changelog.outweighs(journals);
    const isAtOnce = isDue && (changelog.isWhole || changelog.outweighs(journals, OVERDUE));
    const budget = isAtOnce ? Infinity : pieces;
    const records = [...changelog.sweep(budget * SWEPT)];
    if (isDue && !changelog.hasGarbage) this.#snapshot ??= new Snapshot(this.#folds);
    const snapshot = this.#snapshot;
    if (snapshot === null) return [...records, ...changelog.add(journals)];
    const wasFrozen = snapshot.isFrozen;
    const [given, last] = yield* snapshot.take(budget);
    const begins = !wasFrozen && snapshot.isFrozen;
    // What begins now has these journals, so if it ends now, too, nobody needs them.
    if (!begins || last === null) records.push(...changelog.add(journals));
    if (begins) {
      changelog.begin();
      this.#erased.begin(this.#taken.positions);
      this.#isSnapshotDue = false;
    }
    records.push(...given.map((piece) => changelog.piece(piece)));
    if (last === null) return records;
    this.#snapshot = null;
    records.push(changelog.end(last), ...changelog.sweep(budget * SWEPT));
    if (budget === Infinity && this.#isSnapshotDue) records.push(...yield* this.#writeSnapshot(budget, []));
    return records;
  }

  /** Restores what was committed at once. */
  restore(records: ReadonlyMap<string, Uint8Array>): void {
    atOnce(this.restoring(records));
  }

  /**
   * Restores what was committed, in later calls what was committed since. The catalogue must already have its items.
   *
   * @param records The newest value by key, of the keys that begin with {@linkcode RETRIEVAL_KEY}; a snapshot only the
   * first time.
   * @throws SyntaxError when they are not such records.
   */
  *restoring(records: ReadonlyMap<string, Uint8Array>): Portions {
    this.ordering.restore(records);
    decodeRecord(records, { key: OTHERS_KEY, formats: RETRIEVAL_FORMATS }, (from) => {
      this.#taken.decodePositions(from);
    });
    const { snapshot, journals } = this.#changelog.restore(records);
    const decoded = snapshot === null
      ? new Set<string>()
      : yield* readingChange(snapshot.key, () => this.#folds.decode(snapshot));
    this.#erased.restore(this.#changelog.hasGarbage);
    if (this.#isRestored) return yield* this.#relearn(journals);
    this.#isRestored = true;
    const wasBehind = yield* this.#folds.catchUp(decoded, () => this.#relearn(journals));
    // A new snapshot, so that they need not catch up again.
    this.#isSnapshotDue ||= snapshot !== null && wasBehind;
  }

  /** Everything that is learnt from signals, in bytes: same signals, same bytes. */
  encode(): Uint8Array {
    return encodeHead(atOnce(this.#folds.encode()));
  }

  *#relearn(journals: readonly RetrievalRecord[]): Portions {
    for (const { key, value } of journals) yield* readingChange(key, () => this.#relearnOne(value));
  }

  /** Applies a committed journal: an own one, or some that were taken from others. */
  *#relearnOne(journal: Uint8Array): Portions {
    const itemAt = (id: string) => this.#catalogue.intern(id, 0).index;
    const taken = takenFrom(journal);
    if (taken === null) {
      for (const entry of readJournal(journal, itemAt)) {
        this.#applyOwn(entry);
        if ("forget" in entry) this.#erased.add(0); // by which event is unknown
      }
    }
    yield;
    for (const each of taken ?? []) {
      for (const entry of readJournal(each, itemAt)) this.#applyOthers(entry);
      yield;
    }
  }

  /** Applies an entry of an own journal; its effect on popularity is in the items' own records. */
  #applyOwn(entry: JournalEntry): void {
    if ("raised" in entry) return;
    if ("forget" in entry) this.#folds.forget(entry.forget);
    else this.#folds.learn(entry);
  }

  #applyOthers(entry: JournalEntry): void {
    if ("raised" in entry) this.#folds.raiseOthers(entry.raised, entry.time);
    else this.#applyOwn(entry);
    if ("forget" in entry) this.#erased.addOthers();
  }
}
