/**
 * What retrieval learnt, and how it is durable: a snapshot now and then, and a journal of the signals since.
 *
 * ```text
 *   commit   1      2      3      4      5      6      7
 *   journal  ■      ■      ■      ■      ·      ■      ■        a few hundred bytes a behaviour
 *   snapshot                             █                      once the journals outweigh it; they are deleted then
 * ```
 *
 * A restored state is the snapshot with the journals applied in order, which is the state at the last commit, bit
 * for bit. The blend's weights depend on what was proposed, and the map of states on the versions that were served, not
 * on signals alone: they are records of their own.
 *
 * Tasks that share what they learn give each other their journals. What a task takes from others is applied between
 * two commits, and is part of its own journals from then on: a restore needs nothing of the others.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Catalogue } from "../state/catalogue.ts";
import type { Blend, Features } from "./blend.ts";
import { CategoryTransitions } from "./category_transitions.ts";
import { ItemVectors, type ItemVectorsOptions } from "./item_vectors.ts";
import { LinearItems } from "./linear_items.ts";
import { Neighbours, type NeighboursOptions } from "./neighbours.ts";
import { Sessions, type SessionsOptions } from "./sessions.ts";
import type { ItemLists } from "./item_lists.ts";
import { type JournalEntry, readJournal, type Signal, SignalJournal } from "./signal.ts";
import { checkStateSource, StateMap, type StateSourceOptions } from "./state_map.ts";
import { Trends } from "./trends.ts";

const FORMAT = 3;
/** Prefix of the keys of all records. */
export const RETRIEVAL_KEY = "retrieval:";
const BLEND_KEY = `${RETRIEVAL_KEY}blend`;
const MAP_KEY = `${RETRIEVAL_KEY}map`;
const JOURNAL_KEY = `${RETRIEVAL_KEY}journal:`;
const SNAPSHOT_KEY = `${RETRIEVAL_KEY}snapshot:`;
const OTHERS_KEY = `${RETRIEVAL_KEY}others`;
/** First byte of a record with journals of others; an own one begins with the format of journals. */
const OF_OTHERS = 255;
/** A record of a snapshot: well below what brokers take. */
const CHUNK_BYTES = 512 * 1024;
/** How long journals may name somebody whom another task was told to forget, event time: a snapshot costs 0.2 s. */
const FORGOTTEN_MS = 3_600_000;
/** Journals that weigh less make no snapshot. */
const MIN_JOURNAL_BYTES = 1 << 20;

/** Options of {@linkcode RetrievalState}. */
export interface RetrievalStateOptions {
  /** What is popular. */
  readonly lists: ItemLists;
  /** Which items go together. */
  readonly neighbours: NeighboursOptions;
  /** Sessions like the user's. */
  readonly sessions: SessionsOptions;
  /** Vectors of items. */
  readonly vectors: ItemVectorsOptions;
  /** The source of users' states. */
  readonly state: StateSourceOptions;
  /** Half-life of what is in demand now, milliseconds of event time. */
  readonly trendHalfLifeMs: number;
  /** Half-life of steps from category to category. */
  readonly transitionHalfLifeMs: number;
}

/** What changed since a commit. */
export interface RetrievalChanges {
  /** Records for the own changelog. */
  readonly records: readonly RetrievalRecord[];
  /** The own journal, for other tasks; `null` when there is none, or nothing is shared. */
  readonly signals: Uint8Array | null;
}

/** A journal of another task. */
export interface OthersJournal {
  /** Its partition. */
  readonly partition: number;
  /** What it gave as {@linkcode RetrievalChanges.signals}. */
  readonly journal: Uint8Array;
  /** Where to read on behind it. */
  readonly next: number;
}

/** A record to write; an empty value is one that is not needed any more. */
export interface RetrievalRecord {
  /** Key on the topic `statistics`. */
  readonly key: string;
  /** The record. */
  readonly value: Uint8Array;
}

const GONE = new Uint8Array(0);

/** The sources that learn, and the blend. */
export class RetrievalState {
  /** Which items go together. */
  readonly neighbours: Neighbours;
  /** Which of the liked things predict another. */
  readonly linear: LinearItems;
  /** Sessions like the user's. */
  readonly sessions: Sessions;
  /** Which items are near to what a user did. */
  readonly vectors: ItemVectors;
  /** Which items are near to a user's recurrent state; `null` when that is not searched with. */
  readonly map: StateMap | null;
  /** Which category comes next. */
  readonly transitions: CategoryTransitions;
  /** What is in demand now. */
  readonly trends: Trends;
  /** How the sources' scores add up. */
  readonly blend: Blend;
  /** Signals learnt since the beginning of the log, those of others too. */
  signals = 0;
  readonly #lists: ItemLists;
  readonly #catalogue: Catalogue;
  readonly #byId = (a: number, b: number): number => this.#catalogue.compare(a, b);
  readonly #idOf = (item: number): string => this.#catalogue.at(item).id;
  readonly #journal = new SignalJournal();
  #asked = false;
  #blendChanged = false;
  #mapChanged = false;
  /** Keys of the journals on the log, and their bytes. */
  #journals: string[] = [];
  #journalBytes = 0;
  #nextJournal = 0;
  #snapshotChunks = 0;
  #snapshotBytes = 0;
  #snapshotDue = false;
  /** Event time of the newest signal, and that at which another task forgot somebody whom journals name. */
  #time = -Infinity;
  #forgottenAt = Infinity;
  #shared = false;
  /** Positions behind what was learnt from other tasks, by partition. */
  readonly #others = new Map<number, number>();
  #othersChanged = false;
  /** Journals of others since the last commit, as records. */
  #taken: ByteWriter[] = [];
  #takenBytes = 0;

  /** Nothing learnt. @throws RangeError when states are to be searched with and items have no vectors. */
  constructor(catalogue: Catalogue, blend: Blend, options: RetrievalStateOptions) {
    checkStateSource(options);
    this.#catalogue = catalogue;
    this.#lists = options.lists;
    this.blend = blend;
    this.neighbours = new Neighbours(options.neighbours);
    this.linear = new LinearItems(this.neighbours);
    this.sessions = new Sessions(options.sessions);
    this.vectors = new ItemVectors(options.vectors);
    this.map = (options.state.learnEvery ?? 0) > 0 ? new StateMap(this.vectors) : null;
    this.transitions = new CategoryTransitions(options.transitionHalfLifeMs);
    this.trends = new Trends(options.trendHalfLifeMs, (a, b) => catalogue.compare(a, b));
  }

  /** Whether somebody asked for candidates yet: before that the blend, which costs most, learns nothing. */
  get asked(): boolean {
    return this.#asked;
  }

  /** Positions behind what was learnt from other tasks, by partition. */
  get others(): ReadonlyMap<number, number> {
    return this.#others;
  }

  /** Bytes learnt from other tasks since the last commit. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** From now on other tasks learn what this one does. */
  share(): void {
    this.#shared = true;
  }

  /** Tells other tasks of a positive that an item's popularity counts. */
  raised(item: number, time: number): void {
    if (this.#shared) this.#journal.raise(item, time, this.#idOf);
  }

  /**
   * Learns what another task has learnt. Only while nothing of the own users is to be committed.
   *
   * @param itemAt The index of an item, which is durable from now on.
   * @returns How many signals and positives it was.
   * @throws SyntaxError when it is no journal; nothing is learnt then
   * @throws RangeError when there are own signals to be committed
   */
  learnOthers(
    { partition, journal, next }: OthersJournal,
    itemAt: (id: string, time: number) => number,
  ): number {
    if (this.#journal.entries > 0) {
      throw new RangeError(`Cannot learn from task ${partition}: own signals must be committed before`);
    }
    const entries = readJournal(journal, itemAt);
    for (const entry of entries) this.#applyOthers(entry);
    this.passOthers(partition, next);
    if (entries.length === 0) return 0;
    let record = this.#taken.at(-1);
    if (record === undefined || record.length + journal.length > CHUNK_BYTES) {
      this.#taken.push(record = new ByteWriter().u8(OF_OTHERS));
    }
    record.bytes(journal);
    this.#takenBytes += journal.length;
    return entries.length;
  }

  /** Notes that there is nothing to learn from another task before a position. */
  passOthers(partition: number, next: number): void {
    this.#others.set(partition, next);
    this.#othersChanged = true;
  }

  /** Learns a signal. */
  learn(signal: Signal): void {
    this.#journal.add(signal, this.#idOf);
    this.#apply(signal);
  }

  /** Somebody asks for candidates, and will ask again. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#blendChanged = true;
  }

  /** A step of the blend. */
  learnBlend(features: Features, taken: number): void {
    this.blend.learn(features, taken);
    this.#blendChanged = true;
  }

  /** A step of the map from a user's state towards the item that was taken. */
  learnMap(state: Float32Array, item: number): void {
    if (this.map?.learn(state, item)) this.#mapChanged = true;
  }

  /** Forgets whose signals they were: the journals that name the user go with the next commit. */
  forget(user: string): void {
    this.#journal.forget(user);
    this.sessions.forget(user);
    this.#snapshotDue = true;
  }

  /**
   * Forgets whose signals all of them were, for who has missed whom other tasks were told to forget: sessions end, and
   * the journals go with the next commit.
   */
  forgetAll(): void {
    this.sessions.forgetAll();
    this.#snapshotDue = true;
  }

  /** What changed since the last call; it belongs into the commit that is being made. */
  changes(): RetrievalChanges {
    const records: RetrievalRecord[] = [];
    if (this.#blendChanged) {
      const to = new ByteWriter().u8(FORMAT);
      this.blend.encode(to);
      records.push({ key: BLEND_KEY, value: to.toBytes() });
      this.#blendChanged = false;
    }
    if (this.#mapChanged && this.map !== null) {
      const to = new ByteWriter().u8(FORMAT);
      this.map.encode(to);
      records.push({ key: MAP_KEY, value: to.toBytes() });
      this.#mapChanged = false;
    }
    if (this.#othersChanged) records.push(this.#positions());
    const own = this.#journal.entries > 0 ? this.#journal.take() : null;
    // What others did comes first: it was learnt before any own signal.
    const journals = this.#taken.map((record) => record.toBytes());
    if (own !== null) journals.push(own);
    this.#taken = [];
    this.#takenBytes = 0;
    const signals = this.#shared ? own : null;
    if (journals.length === 0 && !this.#snapshotDue) return { records, signals };
    const bytes = journals.reduce((sum, { length }) => sum + length, this.#journalBytes);
    const isDue = this.#snapshotDue || this.#time - this.#forgottenAt >= FORGOTTEN_MS;
    if (isDue || bytes > Math.max(MIN_JOURNAL_BYTES, this.#snapshotBytes)) {
      return { records: [...records, ...this.#snapshot()], signals };
    }
    for (const value of journals) {
      const key = `${JOURNAL_KEY}${this.#nextJournal++}`;
      this.#journals.push(key);
      records.push({ key, value });
    }
    this.#journalBytes = bytes;
    return { records, signals };
  }

  /**
   * Restores what was committed; the catalogue has its items already.
   *
   * @param records The newest value by key, of the keys that begin with {@linkcode RETRIEVAL_KEY}.
   * @throws SyntaxError when they are no such records.
   */
  restore(records: ReadonlyMap<string, Uint8Array>): void {
    const blend = records.get(BLEND_KEY);
    if (blend !== undefined) {
      const from = new ByteReader(blend);
      checkFormat(from);
      this.blend.decode(from);
      this.#asked = true;
    }
    const map = records.get(MAP_KEY);
    if (map !== undefined && this.map !== null) {
      const from = new ByteReader(map);
      checkFormat(from);
      this.map.decode(from);
    }
    const others = records.get(OTHERS_KEY);
    if (others !== undefined) {
      const from = new ByteReader(others);
      checkFormat(from);
      for (let n = from.count(); n > 0; n--) this.#others.set(from.uint(), from.uint());
    }
    const inOrder = (prefix: string) =>
      [...records].filter(([key, bytes]) => key.startsWith(prefix) && bytes.length > 0)
        .sort(([a], [b]) => numberOf(a) - numberOf(b));
    const chunks = inOrder(SNAPSHOT_KEY).map(([, bytes]) => bytes);
    if (chunks.length > 0) this.#decode(joined(chunks));
    this.#snapshotChunks = chunks.length;
    this.#snapshotBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const itemAt = (id: string) => this.#catalogue.intern(id, 0).index;
    for (const [key, bytes] of inOrder(JOURNAL_KEY)) {
      if (bytes[0] === OF_OTHERS) {
        const from = new ByteReader(bytes.subarray(1));
        while (!from.done) for (const entry of readJournal(from.bytes(), itemAt)) this.#applyOthers(entry);
      } else for (const entry of readJournal(bytes, itemAt)) this.#applyOwn(entry);
      this.#journals.push(key);
      this.#journalBytes += bytes.length;
      this.#nextJournal = numberOf(key) + 1;
    }
  }

  /** Everything but the blend and the map in bytes: same signals, same bytes. */
  encode(): Uint8Array {
    const ids = [...this.#catalogue.items()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const order = ids.map(({ index }) => index);
    const rank = new Uint32Array(order.length);
    order.forEach((item, place) => rank[item] = place);
    const to = new ByteWriter(1 << 16).u8(FORMAT).uint(this.signals).uint(ids.length);
    for (const { id } of ids) to.string(id);
    this.neighbours.encode(to, order, rank);
    this.linear.encode(to, order, rank);
    this.sessions.encode(to, rank);
    this.vectors.encode(to, rank);
    this.transitions.encode(to);
    this.trends.encode(to, order, rank);
    const raised = ids.filter(({ othersPopularity }) => othersPopularity > -Infinity);
    if (raised.length === 0) return to.toBytes();
    to.uint(raised.length);
    for (const { index, othersPopularity } of raised) to.uint(rank[index]!).f64(othersPopularity);
    return to.toBytes();
  }

  #decode(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    checkFormat(from);
    this.signals = from.uint();
    const items = Array.from({ length: from.count() }, () => this.#catalogue.intern(from.string(), 0).index);
    const itemAt = (place: number) => {
      const item = items[place];
      if (item === undefined) {
        throw new SyntaxError(`Cannot decode the retrieval state: it names item ${place} of ${items.length}`);
      }
      return item;
    };
    this.neighbours.decode(from, itemAt);
    this.linear.decode(from, itemAt);
    this.sessions.decode(from, itemAt);
    this.vectors.decode(from, itemAt);
    this.transitions.decode(from);
    this.trends.decode(from, itemAt);
    for (let n = from.done ? 0 : from.count(); n > 0; n--) {
      this.#lists.setOthers(this.#catalogue.at(itemAt(from.uint())), from.f64());
    }
    if (!from.done) throw new SyntaxError("Cannot decode the retrieval state: it goes on behind its end");
  }

  /** An entry of an own journal; what it says of popularity is in the items' own records. */
  #applyOwn(entry: JournalEntry): void {
    if ("raised" in entry) return;
    if ("forget" in entry) this.sessions.forget(entry.forget);
    else this.#apply(entry);
  }

  #applyOthers(entry: JournalEntry): void {
    if ("raised" in entry) this.#lists.raiseOthers(this.#catalogue.at(entry.raised), entry.time);
    else this.#applyOwn(entry);
    if ("forget" in entry) this.#forgottenAt = Math.min(this.#forgottenAt, this.#time);
  }

  #apply(signal: Signal): void {
    this.signals++;
    this.#time = Math.max(this.#time, signal.time);
    this.neighbours.learn(signal, this.#byId);
    this.linear.learn(signal, this.#byId);
    this.sessions.learn(signal);
    this.vectors.learn(signal);
    const { item, time, step } = signal;
    if (step !== null) this.transitions.learn(step[0], step[1], time);
    this.trends.learn(item, time);
  }

  #positions(): RetrievalRecord {
    const to = new ByteWriter().u8(FORMAT).uint(this.#others.size);
    for (const [partition, next] of [...this.#others].sort(([a], [b]) => a - b)) {
      to.uint(partition).uint(next);
    }
    this.#othersChanged = false;
    return { key: OTHERS_KEY, value: to.toBytes() };
  }

  #snapshot(): RetrievalRecord[] {
    const bytes = this.encode();
    const records: RetrievalRecord[] = this.#journals.map((key) => ({ key, value: GONE }));
    const chunks = Math.ceil(bytes.length / CHUNK_BYTES);
    for (let k = 0; k < chunks; k++) {
      const value = bytes.subarray(k * CHUNK_BYTES, (k + 1) * CHUNK_BYTES);
      records.push({ key: `${SNAPSHOT_KEY}${k}`, value });
    }
    for (let k = chunks; k < this.#snapshotChunks; k++) {
      records.push({ key: `${SNAPSHOT_KEY}${k}`, value: GONE });
    }
    this.#journals = [];
    this.#journalBytes = 0;
    this.#nextJournal = 0;
    this.#snapshotChunks = chunks;
    this.#snapshotBytes = bytes.length;
    this.#snapshotDue = false;
    this.#forgottenAt = Infinity;
    return records;
  }
}

function checkFormat(from: ByteReader): void {
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(`Cannot decode the retrieval state: format is ${format}, this reads ${FORMAT}`);
  }
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf(":") + 1));
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
