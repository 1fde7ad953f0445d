/**
 * All that is a fold over signals: what sources and others learn from them, and the popularity that other tasks
 * report. Its bytes are the snapshot of retrieval's state.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { ItemLists } from "./items/item_lists.ts";
import { readFormat, RETRIEVAL_FORMATS } from "./signals/records.ts";
import type { Signal } from "./signals/signal.ts";
import type { SignalFold } from "./sources/source.ts";

/** Items whose names are read without a pause. */
const PORTION = 100;
/** How much longer than the last one an encoding may be without another allocation, or a copy by `ByteWriter.take`. */
const GROWTH = 1.1;

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
  /** Room for the next encoding, and for its largest part, since growing to tens of megabytes wastes as much. */
  #room = { whole: 1 << 16, part: 1 << 16 };

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

  /** Everything in bytes: same signals, same bytes. */
  encode(): Uint8Array {
    const order = Array.from(this.#catalogue.byId());
    const items = order.map((item) => this.#catalogue.at(item));
    const rank = new Uint32Array(order.length);
    order.forEach((item, place) => rank[item] = place);
    const to = new ByteWriter(this.#room.whole).u8(RETRIEVAL_FORMATS.newest).uint(this.#signals).uint(
      items.length,
    );
    for (const { id } of items) to.string(id);
    const kept = this.#folds.filter(({ encode }) => encode !== undefined);
    to.uint(kept.length);
    const own = new ByteWriter(this.#room.part);
    let largest = 0;
    for (const { name, encode } of kept) {
      own.reset();
      encode?.(own, { order, rank });
      to.string(name).bytes(own.view());
      largest = Math.max(largest, own.length);
    }
    const raised = items.filter(({ othersPopularity }) => othersPopularity > -Infinity);
    to.uint(raised.length);
    for (const { index, othersPopularity } of raised) to.uint(rank[index]!).f64(othersPopularity);
    this.#room = { whole: Math.ceil(GROWTH * to.length), part: Math.ceil(GROWTH * largest) };
    return to.take();
  }

  /** Reads bytes of {@linkcode SignalFolds.encode}, in portions. @returns The names of the folds in it */
  *decode(bytes: Uint8Array): Generator<void, ReadonlySet<string>> {
    const from = new ByteReader(bytes);
    readFormat(from, RETRIEVAL_FORMATS);
    this.#signals = from.uint();
    const items: number[] = [];
    for (let n = from.count(); n > 0; n--) {
      items.push(this.#catalogue.intern(from.string(), 0).index);
      if (n % PORTION === 0) yield;
    }
    const itemAt = (place: number) => {
      const item = items[place];
      if (item === undefined) {
        throw new SyntaxError(`Cannot decode the retrieval state: it names item ${place} of ${items.length}`);
      }
      return item;
    };
    const names = new Set<string>();
    for (let n = from.count(); n > 0; n--) {
      const [name, own] = [from.string(), new ByteReader(from.bytes())];
      names.add(name);
      // A fold that no longer exists is skipped; a new one starts from here.
      const decode = this.#folds.find((fold) => fold.name === name)?.decode;
      decode?.(own, itemAt);
      yield;
      if (decode !== undefined && !own.done) {
        throw new SyntaxError(`Cannot decode the retrieval state: there are bytes after the end of ${name}`);
      }
    }
    for (let n = from.count(); n > 0; n--) {
      this.#lists.setOthers(this.#catalogue.at(itemAt(from.uint())), from.f64());
    }
    if (!from.done) throw new SyntaxError("Cannot decode the retrieval state: there are bytes after its end");
    return names;
  }

  /**
   * Learns what follows a snapshot, in portions.
   *
   * @param decoded The names of the folds in it
   * @param learn Learns the signals after it
   * @returns Whether any fold that was not in it had to catch up
   */
  *catchUp(decoded: ReadonlySet<string>, learn: () => Iterable<void>): Generator<void, boolean> {
    const behind = this.#folds.filter(({ name, catchUp }) => catchUp !== undefined && !decoded.has(name));
    for (const { catchUp } of behind) catchUp!(true);
    yield* learn();
    for (const { catchUp } of behind) catchUp!(false);
    return behind.length > 0;
  }
}
