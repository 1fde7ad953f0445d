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
 * for bit. The blend's weights depend on what was proposed, not on signals alone: they are a record of their own.
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
import { readJournal, type Signal, SignalJournal } from "./signal.ts";
import { Trends } from "./trends.ts";

const FORMAT = 2;
/** Prefix of the keys of all records. */
export const RETRIEVAL_KEY = "retrieval:";
const BLEND_KEY = `${RETRIEVAL_KEY}blend`;
const JOURNAL_KEY = `${RETRIEVAL_KEY}journal:`;
const SNAPSHOT_KEY = `${RETRIEVAL_KEY}snapshot:`;
/** A record of a snapshot: well below what brokers take. */
const CHUNK_BYTES = 512 * 1024;
/** Journals that weigh less make no snapshot. */
const MIN_JOURNAL_BYTES = 1 << 20;

/** Options of {@linkcode RetrievalState}. */
export interface RetrievalStateOptions {
  /** Which items go together. */
  readonly neighbours: NeighboursOptions;
  /** Sessions like the user's. */
  readonly sessions: SessionsOptions;
  /** Vectors of items. */
  readonly vectors: ItemVectorsOptions;
  /** Half-life of what is in demand now, milliseconds of event time. */
  readonly trendHalfLifeMs: number;
  /** Half-life of steps from category to category. */
  readonly transitionHalfLifeMs: number;
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
  /** Which category comes next. */
  readonly transitions: CategoryTransitions;
  /** What is in demand now. */
  readonly trends: Trends;
  /** How the sources' scores add up. */
  readonly blend: Blend;
  /** Signals learnt since the beginning of the log. */
  signals = 0;
  readonly #catalogue: Catalogue;
  readonly #byId = (a: number, b: number): number => this.#catalogue.compare(a, b);
  readonly #idOf = (item: number): string => this.#catalogue.at(item).id;
  readonly #journal = new SignalJournal();
  #asked = false;
  #blendChanged = false;
  /** Keys of the journals on the log, and their bytes. */
  #journals: string[] = [];
  #journalBytes = 0;
  #nextJournal = 0;
  #snapshotChunks = 0;
  #snapshotBytes = 0;
  #snapshotDue = false;

  /** Nothing learnt. */
  constructor(catalogue: Catalogue, blend: Blend, options: RetrievalStateOptions) {
    this.#catalogue = catalogue;
    this.blend = blend;
    this.neighbours = new Neighbours(options.neighbours);
    this.linear = new LinearItems(this.neighbours);
    this.sessions = new Sessions(options.sessions);
    this.vectors = new ItemVectors(options.vectors);
    this.transitions = new CategoryTransitions(options.transitionHalfLifeMs);
    this.trends = new Trends(options.trendHalfLifeMs, (a, b) => catalogue.compare(a, b));
  }

  /** Whether somebody asked for candidates yet: before that the blend, which costs most, learns nothing. */
  get asked(): boolean {
    return this.#asked;
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

  /** Forgets whose signals they were: the journals that name the user go with the next commit. */
  forget(user: string): void {
    this.#journal.forget(user);
    this.sessions.forget(user);
    this.#snapshotDue = true;
  }

  /** Records of what changed since the last call; they belong into the commit that is being made. */
  changes(): RetrievalRecord[] {
    const records: RetrievalRecord[] = [];
    if (this.#blendChanged) {
      const to = new ByteWriter().u8(FORMAT);
      this.blend.encode(to);
      records.push({ key: BLEND_KEY, value: to.toBytes() });
      this.#blendChanged = false;
    }
    if (this.#journal.entries === 0) return records;
    const journal = this.#journal.take();
    if (
      this.#snapshotDue ||
      this.#journalBytes + journal.length > Math.max(MIN_JOURNAL_BYTES, this.#snapshotBytes)
    ) {
      return [...records, ...this.#snapshot()];
    }
    const key = `${JOURNAL_KEY}${this.#nextJournal++}`;
    this.#journals.push(key);
    this.#journalBytes += journal.length;
    return [...records, { key, value: journal }];
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
    const inOrder = (prefix: string) =>
      [...records].filter(([key, bytes]) => key.startsWith(prefix) && bytes.length > 0)
        .sort(([a], [b]) => numberOf(a) - numberOf(b));
    const chunks = inOrder(SNAPSHOT_KEY).map(([, bytes]) => bytes);
    if (chunks.length > 0) this.#decode(joined(chunks));
    this.#snapshotChunks = chunks.length;
    this.#snapshotBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    for (const [key, bytes] of inOrder(JOURNAL_KEY)) {
      for (const entry of readJournal(bytes, (id) => this.#catalogue.intern(id, 0).index)) {
        if ("forget" in entry) this.sessions.forget(entry.forget);
        else this.#apply(entry);
      }
      this.#journals.push(key);
      this.#journalBytes += bytes.length;
      this.#nextJournal = numberOf(key) + 1;
    }
  }

  /** Everything but the blend in bytes: same signals, same bytes. */
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
    if (!from.done) throw new SyntaxError("Cannot decode the retrieval state: it goes on behind its end");
  }

  #apply(signal: Signal): void {
    this.signals++;
    this.neighbours.learn(signal, this.#byId);
    this.linear.learn(signal, this.#byId);
    this.sessions.learn(signal);
    this.vectors.learn(signal);
    const { item, time, step } = signal;
    if (step !== null) this.transitions.learn(step[0], step[1], time);
    this.trends.learn(item, time);
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
