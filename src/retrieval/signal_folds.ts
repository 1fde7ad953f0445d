/**
 * All that is a fold over signals: what sources and others learn from them, and the popularity that other tasks
 * report. Its bytes are the snapshot of retrieval's state.
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Catalogue } from "../items/catalogue.ts";
import { joined } from "../codec/joined.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../values/portions.ts";
import type { ItemLists } from "./items/item_lists.ts";
import { CHUNK_BYTES, PARTS_SINCE, type StoredSnapshot } from "./signals/changelog.ts";
import type { Signal } from "./signals/signal.ts";
import type { SignalFold } from "./sources/source.ts";

/** The part of a snapshot that says which items there are. */
const ITEMS = "";

export interface SignalFoldsParts {
  readonly catalogue: Catalogue;
  /** Keeps items by popularity. */
  readonly lists: ItemLists;
  /** The folds, in the order in which they learn. */
  readonly folds: readonly SignalFold[];
}

/** The folds over signals, as one. */
export class SignalFolds {
  readonly #catalogue: Catalogue;
  readonly #lists: ItemLists;
  readonly #folds: readonly SignalFold[];
  #signals = 0;

  /** Folds that have learnt nothing. */
  constructor({ catalogue, lists, folds }: SignalFoldsParts) {
    this.#catalogue = catalogue;
    this.#lists = lists;
    this.#folds = folds;
  }

  /** Number of signals learnt. */
  get signals(): number {
    return this.#signals;
  }

  learn(signal: Signal): void {
    this.#signals++;
    for (const fold of this.#folds) fold.learn?.(signal);
  }

  /** Drops the name of a user; `null` = of all users. */
  forget(user: string | null): void {
    for (const fold of this.#folds) fold.forget?.(user);
  }

  /** Counts a positive of an item that another task has reported. */
  raiseOthers(item: number, time: number): void {
    this.#lists.raiseOthers(this.#catalogue.at(item), time);
  }

  /** Sorts the items, so that {@linkcode SignalFolds.freeze} need not. */
  *sort(): Portions {
    yield* this.#catalogue.byId();
  }

  /** What is known now, to be written while more is learnt: same signals, same bytes. */
  *freeze(): Portions<FrozenFolds> {
    const { signals } = this;
    const order: number[] = [], rank = new Uint32Array(this.#catalogue.size);
    for (const item of yield* this.#catalogue.byId()) rank[item] = order.push(item) - 1;
    const items = { order, rank };
    const popularities = new Float64Array(rank.length);
    yield* inPortions(this.#catalogue.items(), ({ index, othersPopularity }) => {
      popularities[index] = othersPopularity;
    });
    const idOf = (item: number) => this.#catalogue.idOf(item);
    const parts: FrozenPart[] = [{
      name: ITEMS,
      encode: function* (to) {
        to.uint(signals).uint(order.length);
        yield* inPortions(order, (item) => to.string(idOf(item)));
        const raised = yield* filterInPortions(order, (item) => popularities[item]! > -Infinity);
        to.uint(raised.length);
        yield* inPortions(raised, (item) => to.uint(rank[item]!).f64(popularities[item]!));
      },
    }];
    for (const { name, copy, encode } of this.#folds) {
      if (copy !== undefined) {
        const write = copy();
        parts.push({ name, encode: (to) => write(to, items) });
        yield;
      } else if (encode !== undefined) {
        const to = new ByteWriter();
        yield* encode(to, items) ?? [];
        const bytes = to.take();
        parts.push({ name, encode: (to) => void to.append(bytes) });
      }
    }
    return new FrozenFolds(parts);
  }

  /** Everything in bytes, in portions. */
  *encode(): Portions<Uint8Array> {
    const pieces: Uint8Array[] = [];
    const last = yield* (yield* this.freeze()).write((piece) => pieces.push(piece));
    return joined([...pieces, last]);
  }

  /** Reads the pieces of a snapshot, in portions. @returns The names of the folds in it */
  *decode({ format, pieces }: Pick<StoredSnapshot, "format" | "pieces">): Portions<ReadonlySet<string>> {
    const parts = format < PARTS_SINCE ? yield* partsOfOne(pieces) : partsOf(pieces);
    const own = parts.get(ITEMS);
    if (own === undefined) throw new SyntaxError("Cannot decode the retrieval state: it names no items");
    parts.delete(ITEMS);
    this.#signals = own.uint();
    const items: number[] = [];
    yield* timesInPortions(own.count(), () => items.push(this.#catalogue.intern(own.string(), 0).index));
    const itemAt = (place: number) => {
      const item = items[place];
      if (item === undefined) {
        throw new SyntaxError(`Cannot decode the retrieval state: it names item ${place} of ${items.length}`);
      }
      return item;
    };
    for (const [name, from] of parts) {
      // A fold that no longer exists is skipped; a new one starts from here.
      const decode = this.#folds.find((fold) => fold.name === name)?.decode;
      yield* decode?.(from, itemAt, format) ?? [];
      if (decode !== undefined && !from.done) {
        throw new SyntaxError(`Cannot decode the retrieval state: there are bytes after the end of ${name}`);
      }
    }
    yield* timesInPortions(own.count(), () => {
      this.#lists.setOthers(this.#catalogue.at(itemAt(own.uint())), own.f64());
    });
    if (!own.done) throw new SyntaxError("Cannot decode the retrieval state: there are bytes after its end");
    return new Set(parts.keys());
  }

  /**
   * Learns what follows a snapshot, in portions.
   *
   * @param decoded The names of the folds in it
   * @param learn Learns the signals after it
   * @returns Whether any fold that was not in it had to catch up
   */
  *catchUp(decoded: ReadonlySet<string>, learn: () => Portions): Portions<boolean> {
    const behind = this.#folds.filter(({ name, catchUp }) => catchUp !== undefined && !decoded.has(name));
    for (const { catchUp } of behind) catchUp!(true);
    yield* learn();
    for (const { catchUp } of behind) catchUp!(false);
    return behind.length > 0;
  }
}

/** What is written under a name. */
interface FrozenPart {
  readonly name: string;
  encode(to: ByteWriter): Portions | void;
}

/**
 * Folds as of a moment. Their bytes are parts, a name and what is written under it, whose bytes are joined by name: so
 * they can be cut anywhere.
 */
export class FrozenFolds {
  readonly #parts: FrozenPart[];

  constructor(parts: FrozenPart[]) {
    this.#parts = parts;
  }

  /**
   * Writes everything, in portions, and releases what is written.
   *
   * @param give Receives pieces, slightly longer than {@linkcode CHUNK_BYTES}
   * @returns The last piece
   */
  *write(give: (piece: Uint8Array) => void): Portions<Uint8Array> {
    const piece = new ByteWriter(CHUNK_BYTES), own = new ByteWriter(CHUNK_BYTES);
    for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
      const { name } = part;
      const flush = () => {
        const bytes = own.view();
        for (let at = 0; at < bytes.length;) {
          const end = Math.min(bytes.length, at + CHUNK_BYTES - piece.length);
          piece.string(name).bytes(bytes.subarray(at, end));
          at = end;
          if (piece.length < CHUNK_BYTES) continue;
          give(piece.toBytes());
          piece.reset();
        }
        own.reset();
      };
      for (const _portion of part.encode(own) ?? []) {
        if (own.length >= CHUNK_BYTES) flush();
        yield;
      }
      flush();
    }
    return piece.toBytes();
  }
}

/** The parts in pieces, by name. */
function partsOf(pieces: readonly Uint8Array[]): Map<string, ByteReader> {
  const parts = new Map<string, Uint8Array[]>();
  for (const piece of pieces) {
    for (const from = new ByteReader(piece); !from.done;) {
      const [name, bytes] = [from.string(), from.bytes()];
      const before = parts.get(name);
      if (before === undefined) parts.set(name, [bytes]);
      else before.push(bytes);
    }
  }
  return new Map(Array.from(parts, ([name, bytes]) => [name, new ByteReader(joined(bytes))]));
}

/** The same of format 1: signals, ids, folds, popularity. */
function* partsOfOne(pieces: readonly Uint8Array[]): Portions<Map<string, ByteReader>> {
  const all = joined(pieces), from = new ByteReader(all);
  from.u8();
  const start = from.position;
  from.uint();
  yield* timesInPortions(from.count(), () => void from.string());
  const items = all.subarray(start, from.position);
  const folds = new Map<string, ByteReader>();
  for (let n = from.count(); n > 0; n--) folds.set(from.string(), new ByteReader(from.bytes()));
  const own = new ByteReader(joined([items, all.subarray(from.position)]));
  return new Map([[ITEMS, own], ...folds]);
}
