/**
 * All that is a fold over signals: what sources and others learn from them, and the popularity that other tasks
 * report. Its bytes are the snapshot of retrieval's state.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Catalogue } from "../items/catalogue.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../values/portions.ts";
import type { ItemLists } from "./items/item_lists.ts";
import { readFormat, RETRIEVAL_FORMATS } from "./signals/records.ts";
import type { Signal } from "./signals/signal.ts";
import type { SignalFold } from "./sources/source.ts";

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

  /** Everything in bytes, in portions: same signals, same bytes. */
  *encode(): Portions<Uint8Array> {
    const order: number[] = [];
    const rank = new Uint32Array(this.#catalogue.size);
    yield* inPortions(yield* this.#catalogue.byId(), (item) => rank[item] = order.push(item) - 1);
    const to = new ByteWriter(this.#room.whole);
    to.u8(RETRIEVAL_FORMATS.newest).uint(this.#signals).uint(order.length);
    yield* inPortions(order, (item) => to.string(this.#catalogue.idOf(item)));
    const kept = this.#folds.filter(({ encode }) => encode !== undefined);
    to.uint(kept.length);
    const own = new ByteWriter(this.#room.part);
    let largest = 0;
    for (const { name, encode } of kept) {
      own.reset();
      yield* encode?.(own, { order, rank }) ?? [];
      to.string(name).bytes(own.view());
      largest = Math.max(largest, own.length);
    }
    const popularity = (item: number) => this.#catalogue.at(item).othersPopularity;
    const raised = yield* filterInPortions(order, (item) => popularity(item) > -Infinity);
    to.uint(raised.length);
    yield* inPortions(raised, (item) => to.uint(rank[item]!).f64(popularity(item)));
    this.#room = { whole: Math.ceil(GROWTH * to.length), part: Math.ceil(GROWTH * largest) };
    return to.take();
  }

  /** Reads bytes of {@linkcode SignalFolds.encode}, in portions. @returns The names of the folds in it */
  *decode(bytes: Uint8Array): Portions<ReadonlySet<string>> {
    const from = new ByteReader(bytes);
    const format = readFormat(from, RETRIEVAL_FORMATS);
    this.#signals = from.uint();
    const items: number[] = [];
    yield* timesInPortions(from.count(), () => items.push(this.#catalogue.intern(from.string(), 0).index));
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
      yield* decode?.(own, itemAt, format) ?? [];
      if (decode !== undefined && !own.done) {
        throw new SyntaxError(`Cannot decode the retrieval state: there are bytes after the end of ${name}`);
      }
    }
    yield* timesInPortions(from.count(), () => {
      this.#lists.setOthers(this.#catalogue.at(itemAt(from.uint())), from.f64());
    });
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
  *catchUp(decoded: ReadonlySet<string>, learn: () => Portions): Portions<boolean> {
    const behind = this.#folds.filter(({ name, catchUp }) => catchUp !== undefined && !decoded.has(name));
    for (const { catchUp } of behind) catchUp!(true);
    yield* learn();
    for (const { catchUp } of behind) catchUp!(false);
    return behind.length > 0;
  }
}
