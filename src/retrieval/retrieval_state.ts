/**
 * The learnt state of retrieval, which is durable as a snapshot at intervals and a journal of the signals since
 * (`changelog.ts`).
 *
 * A restored state is the snapshot with the journals applied in order, which is the state at the last commit, bit
 * for bit. The blend's weights depend on proposed candidates, not on signals alone: they are a record of their own.
 *
 * Tasks that share what they learn read each other's journals. What a task takes from others is applied between two
 * commits and from then on is part of its own journals, so a restore needs nothing from the others
 * (`taken_journals.ts`).
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { Blend } from "./blend.ts";
import type { Features } from "./features.ts";
import { readingChange, RETRIEVAL_KEY, type RetrievalRecord, SignalChangelog } from "./signals/changelog.ts";
import type { SignalFold, Source } from "./sources/source.ts";
import { type ScoresByPart, Stack } from "./stack/stack.ts";
import type { ItemLists } from "./items/item_lists.ts";
import type { Returns } from "./signals/returns.ts";
import { type JournalEntry, readJournal, type Signal, SignalJournal } from "./signals/signal.ts";
import { takenFrom, TakenJournals } from "./signals/taken_journals.ts";
import { times } from "../values/times.ts";

const FORMAT = 1;
/** Format 1 of the blend has no curvature. */
const BLEND_FORMAT = 2;
export const BLEND_FORMATS: Formats = { oldest: FORMAT, newest: BLEND_FORMAT };
/** Formats of other records of retrieval. */
export const RETRIEVAL_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };
const BLEND_KEY = `${RETRIEVAL_KEY}blend`;
/** The blend before the first request for candidates. */
const EARLY_KEY = `${RETRIEVAL_KEY}early`;
const STACK_KEY = `${RETRIEVAL_KEY}mixture`;
const RETURNS_KEY = `${RETRIEVAL_KEY}returns`;
const OTHERS_KEY = `${RETRIEVAL_KEY}others`;

/** How much longer than the last one an encoding may be without another allocation, or a copy by `ByteWriter.take`. */
const GROWTH = 1.1;

export interface RetrievalStateParts {
  readonly catalogue: Catalogue;
  /** Lists of popular and new items. */
  readonly lists: ItemLists;
  readonly sources: readonly Source[];
  /** The folds that learn, in this order. @default {the sources} */
  readonly folds?: readonly SignalFold[];
  /** Ranks what the sources propose. */
  readonly blend: Blend;
  /** Whether people return to items. */
  readonly returns: Returns;
}

/** Changes since the last commit. */
export interface RetrievalChanges {
  /** Records for the own changelog. */
  readonly records: readonly RetrievalRecord[];
  /** The own journal, for other tasks; `null` when there is none, or nothing is shared. */
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

/** The sources that learn, and the blend. */
export class RetrievalState {
  readonly sources: readonly Source[];
  /** Weights the sources' scores and the properties of candidates. */
  readonly blend: Blend;
  /** Orders lists under `ranking: "auto"`. */
  readonly stack: Stack = new Stack();
  /** Signals learnt since the beginning of the log, those of other tasks included. */
  signals = 0;
  readonly #folds: readonly SignalFold[];
  readonly #lists: ItemLists;
  readonly #catalogue: Catalogue;
  readonly #idOf = (item: number): string => this.#catalogue.idOf(item);
  readonly #journal = new SignalJournal();
  #hasRequests = false;
  /** Whether there is a record of the blend from before the first request. */
  #hasEarly = false;
  #blendChanged = false;
  #hasStackRequests = false;
  #stackChanged = false;
  readonly #returns: Returns;
  #returnsChanged = false;
  readonly #changelog = new SignalChangelog();
  #snapshotDue = false;
  /** Room for the next encoding, and for its largest part, since growing to tens of megabytes wastes as much. */
  #room = { whole: 1 << 16, part: 1 << 16 };
  /** Whether journals may name a user whom another task has erased. */
  #namesForgotten = false;
  /** By partition, the position up to which they name no erased user. */
  #cleared: ReadonlyMap<number, number> = new Map();
  #shared = false;
  #isRestored = false;
  /** What was learnt from other tasks. */
  readonly #taken = new TakenJournals();

  constructor({ catalogue, lists, sources, folds = sources, blend, returns }: RetrievalStateParts) {
    this.#catalogue = catalogue;
    this.#lists = lists;
    this.sources = sources;
    this.#folds = folds;
    this.blend = blend;
    this.#returns = returns;
  }

  /** Whether candidates have ever been requested. Until then the blend, the most expensive part, learns little. */
  get hasRequests(): boolean {
    return this.#hasRequests;
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
    this.#shared = true;
  }

  /** Passes a positive that counts for an item's popularity on to the other tasks. */
  raised(item: number, time: number): void {
    if (this.#shared) this.#journal.raise(item, time, this.#idOf);
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

  learn(signal: Signal): void {
    this.#journal.add(signal, this.#idOf);
    this.#apply(signal);
  }

  /** Records that candidates were requested. */
  noteRequest(): void {
    if (this.#hasRequests) return;
    this.#hasRequests = true;
    this.#blendChanged = true;
  }

  /** Whether the stack has ever ordered a list. Until then it learns nothing. */
  get hasStackRequests(): boolean {
    return this.#hasStackRequests;
  }

  /** Records that the stack orders a list. */
  noteStackRequest(): void {
    if (this.#hasStackRequests) return;
    this.#hasStackRequests = true;
    this.#stackChanged = true;
  }

  learnStack(scores: ScoresByPart, taken: number, user: number, modelShare?: number): void {
    this.stack.learn(scores, taken, user, modelShare);
    this.#stackChanged = true;
  }

  /** Learns whether people return to items. @param before Number of the user's earlier behaviours */
  learnReturn(isReturn: boolean, before: number): void {
    this.#returns.learn(isReturn, before);
    this.#returnsChanged = true;
  }

  learnBlend(features: Features, taken: number): void {
    this.blend.learn(features, taken);
    this.#blendChanged = true;
  }

  /** Erases a user: the next commit replaces the journals that name the user. */
  forget(user: string): void {
    this.#journal.forget(user);
    this.#forget(user);
    this.#snapshotDue = true;
  }

  /**
   * Drops all user names, for a task that has missed erasures by other tasks. Sessions end, and the next commit
   * replaces the journals.
   */
  forgetAll(): void {
    this.#forget(null);
    this.#snapshotDue = true;
  }

  /** Whether written records may name a user whom another task has erased, until {@linkcode RetrievalState.dropNames}. */
  get namesForgotten(): boolean {
    return this.#namesForgotten;
  }

  /** Makes the next commit replace records that may name erased users by a snapshot: 0.3 to 0.6 s at 20,000 items. */
  dropNames(): void {
    this.#snapshotDue ||= this.#namesForgotten;
  }

  /**
   * By partition, the position up to which {@linkcode RetrievalState.changes} names none of that task's erased users;
   * `null` if nothing is shared with other tasks.
   */
  get cleared(): ReadonlyMap<number, number> | null {
    return this.#shared ? this.#cleared : null;
  }

  /** The changes since the last call, for the current commit. */
  changes(): RetrievalChanges {
    const records = this.#changedRecords();
    const own = this.#journal.entries > 0 ? this.#journal.take() : null;
    // Journals of others come first: they were learnt before any own signal.
    const journals = this.#taken.take();
    if (own !== null) journals.push(own);
    const isSnapshot = this.#snapshotDue || this.#changelog.outweighs(journals);
    const dropsNames = isSnapshot && this.#namesForgotten;
    records.push(...(isSnapshot ? this.#snapshot() : this.#changelog.add(journals)));
    if (!this.#namesForgotten) this.#cleared = new Map(this.#taken.positions);
    return { records, signals: this.#shared ? own : null, dropsNames };
  }

  /** The records of what is not a fold over signals, if it has changed. */
  #changedRecords(): RetrievalRecord[] {
    const records: RetrievalRecord[] = [];
    const put = (key: string, format: number, encode: (to: ByteWriter) => void) => {
      const to = new ByteWriter(1 << 10).u8(format);
      encode(to);
      records.push({ key, value: to.toBytes() });
    };
    if (this.#blendChanged) {
      put(this.#hasRequests ? BLEND_KEY : EARLY_KEY, BLEND_FORMAT, (to) => this.blend.encode(to));
      if (this.#hasRequests && this.#hasEarly) records.push({ key: EARLY_KEY, value: new Uint8Array() });
      this.#hasEarly = !this.#hasRequests;
    }
    if (this.#stackChanged) put(STACK_KEY, FORMAT, (to) => this.stack.encode(to));
    if (this.#returnsChanged) put(RETURNS_KEY, FORMAT, (to) => this.#returns.encode(to));
    if (this.#taken.moved) put(OTHERS_KEY, FORMAT, (to) => this.#taken.encodePositions(to));
    this.#blendChanged = this.#stackChanged = this.#returnsChanged = false;
    return records;
  }

  /**
   * Restores what was committed, in later calls what was committed since. The catalogue must already have its items.
   *
   * @param records The newest value by key, of the keys that begin with {@linkcode RETRIEVAL_KEY}; a snapshot only the
   * first time.
   * @throws SyntaxError when they are not such records.
   */
  restore(records: ReadonlyMap<string, Uint8Array>): void {
    const read = (key: string, newest: number, decode: (from: ByteReader, format: number) => void) => {
      const value = records.get(key);
      if (value === undefined || value.length === 0) return;
      readingChange(key, () => {
        const from = new ByteReader(value);
        decode(from, checkFormat(from, newest));
        if (!from.done) throw new SyntaxError(`Cannot decode ${key}: there are bytes after its end`);
      });
    };
    read(EARLY_KEY, BLEND_FORMAT, (from) => {
      this.blend.decode(from);
    });
    this.#hasEarly = (records.get(EARLY_KEY)?.length ?? (this.#hasEarly ? 1 : 0)) > 0;
    read(BLEND_KEY, BLEND_FORMAT, (from, format) => {
      if (format < BLEND_FORMAT) this.blend.decodeWithoutCurvature(from);
      else this.blend.decode(from);
      this.#hasRequests = true;
    });
    read(STACK_KEY, FORMAT, (from) => {
      this.stack.decode(from);
      this.#hasStackRequests = true;
    });
    read(RETURNS_KEY, FORMAT, (from) => this.#returns.decode(from));
    read(OTHERS_KEY, FORMAT, (from) => this.#taken.decodePositions(from));
    const { snapshot, journals } = this.#changelog.restore(records);
    const known = new Set<string>();
    if (snapshot !== null) readingChange(snapshot.key, () => this.#decode(snapshot.value, known));
    const behind = this.#isRestored
      ? []
      : this.#folds.filter(({ name, catchUp }) => catchUp !== undefined && !known.has(name));
    this.#isRestored = true;
    for (const { catchUp } of behind) catchUp!(true);
    const itemAt = (id: string) => this.#catalogue.intern(id, 0).index;
    for (const { key, value: journal } of journals) {
      readingChange(key, () => {
        const taken = takenFrom(journal);
        if (taken === null) { for (const entry of readJournal(journal, itemAt)) this.#applyOwn(entry); }
        for (const each of taken ?? []) {
          for (const entry of readJournal(each, itemAt)) this.#applyOthers(entry);
        }
      });
    }
    for (const { catchUp } of behind) catchUp!(false);
    // A new snapshot, so that they need not catch up again.
    this.#snapshotDue ||= snapshot !== null && behind.length > 0;
  }

  /** Everything but blend, stack and returns in bytes: same signals, same bytes. */
  encode(): Uint8Array {
    const order = Array.from(this.#catalogue.byId());
    const ids = order.map((item) => this.#catalogue.at(item));
    const rank = new Uint32Array(order.length);
    order.forEach((item, place) => rank[item] = place);
    const to = new ByteWriter(this.#room.whole).u8(FORMAT).uint(this.signals).uint(ids.length);
    for (const { id } of ids) to.string(id);
    const learning = this.#folds.filter(({ encode }) => encode !== undefined);
    to.uint(learning.length);
    const own = new ByteWriter(this.#room.part);
    let largest = 0;
    for (const { name, encode } of learning) {
      own.reset();
      encode?.(own, { order, rank });
      to.string(name).bytes(own.view());
      largest = Math.max(largest, own.length);
    }
    const raised = ids.filter(({ othersPopularity }) => othersPopularity > -Infinity);
    to.uint(raised.length);
    for (const { index, othersPopularity } of raised) to.uint(rank[index]!).f64(othersPopularity);
    this.#room = { whole: Math.ceil(GROWTH * to.length), part: Math.ceil(GROWTH * largest) };
    return to.take();
  }

  /** Reads bytes of {@linkcode RetrievalState.encode}. @param known Collects the names of the folds in it */
  #decode(bytes: Uint8Array, known: Set<string>): void {
    const from = new ByteReader(bytes);
    checkFormat(from);
    this.signals = from.uint();
    const items = times(from.count(), () => this.#catalogue.intern(from.string(), 0).index);
    const itemAt = (place: number) => {
      const item = items[place];
      if (item === undefined) {
        throw new SyntaxError(`Cannot decode the retrieval state: it names item ${place} of ${items.length}`);
      }
      return item;
    };
    for (let n = from.count(); n > 0; n--) {
      const [name, own] = [from.string(), new ByteReader(from.bytes())];
      known.add(name);
      // A source that no longer exists is skipped; a new one starts from here.
      const decode = this.#folds.find((fold) => fold.name === name)?.decode;
      decode?.(own, itemAt);
      if (decode !== undefined && !own.done) {
        throw new SyntaxError(`Cannot decode the retrieval state: there are bytes after the end of ${name}`);
      }
    }
    for (let n = from.count(); n > 0; n--) {
      this.#lists.setOthers(this.#catalogue.at(itemAt(from.uint())), from.f64());
    }
    if (!from.done) throw new SyntaxError("Cannot decode the retrieval state: there are bytes after its end");
  }

  /** Applies an entry of an own journal; its effect on popularity is in the items' own records. */
  #applyOwn(entry: JournalEntry): void {
    if ("raised" in entry) return;
    if ("forget" in entry) this.#forget(entry.forget);
    else this.#apply(entry);
  }

  #applyOthers(entry: JournalEntry): void {
    if ("raised" in entry) this.#lists.raiseOthers(this.#catalogue.at(entry.raised), entry.time);
    else this.#applyOwn(entry);
    this.#namesForgotten ||= "forget" in entry;
  }

  #apply(signal: Signal): void {
    this.signals++;
    for (const fold of this.#folds) fold.learn?.(signal);
  }

  /** Erases a user from the sources; `null` = all users. */
  #forget(user: string | null): void {
    for (const fold of this.#folds) fold.forget?.(user);
  }

  #snapshot(): readonly RetrievalRecord[] {
    this.#snapshotDue = false;
    this.#namesForgotten = false;
    return this.#changelog.replace(this.encode());
  }
}

function checkFormat(from: ByteReader, newest: number = FORMAT): number {
  const format = from.u8();
  if (format >= FORMAT && format <= newest) return format;
  throw new SyntaxError(
    `Cannot decode the retrieval state: format is ${format}, this reads ${FORMAT} to ${newest}`,
  );
}
