/**
 * The catalogue on the log, for calls that change a part of an item or read one back: the records of all items, as bytes.
 * It is read at the first such call; to read one item back, only from a log that does not index its keys.
 */

import { decodeItem } from "../../../src/events/codec.ts";
import type { ItemRecord } from "../../../src/events/event.ts";
import { indexesKeys } from "../../log/capabilities.ts";
import { InTurn } from "../../log/in_turn.ts";
import { readOn } from "../../log/reading.ts";
import { type ApiContext, appended, inPortions } from "../context.ts";
import { atOnce } from "../../../src/values/portions.ts";
import { arrivedRecords } from "../intake.ts";

export interface ItemChange {
  readonly id: string;
  /** Makes the next record from the newest one; `undefined` removes the item. May throw. */
  readonly change: (item: ItemRecord | undefined) => ItemRecord | undefined;
}

/** The newest record of each item. Includes every append that was acknowledged before. */
export class ItemMirror {
  readonly #context: ApiContext;
  readonly #records = new Map<string, Uint8Array>();
  #sorted: readonly string[] | null = null;
  #next = 0;
  /** See `ReadResult.epoch`, of the last read. */
  #epoch: number | undefined;
  /** A catch-up that has not begun. */
  #waiting: Promise<void> | undefined;
  /** Serialises reads of the log, and changes. */
  readonly #turns = new InTurn();

  /** Starts empty, and reads the log at the first call. */
  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** The newest record of an item. */
  async get(id: string): Promise<ItemRecord | undefined> {
    const { log, topics } = this.#context;
    if (indexesKeys(log)) return itemIn((await log.latest(topics.items, 0, id))?.value);
    await this.#caughtUp();
    return this.#at(id);
  }

  /** Catches up with all that is on the log now; calls that wait for their turn share one. */
  #caughtUp(): Promise<void> {
    return this.#waiting ??= this.#turns.run(async () => {
      this.#waiting = undefined;
      await this.#catchUp();
    });
  }

  /** Items by id, at most `count` after the id `after`. */
  page(after: string, count: number): Promise<readonly ItemRecord[]> {
    return this.#queue(() => {
      this.#sorted ??= [...this.#records.keys()].sort();
      const ids = this.#sorted;
      let start = 0;
      for (let end = ids.length; start < end;) {
        const middle = (start + end) >> 1;
        if (ids[middle]! > after) end = middle;
        else start = middle + 1;
      }
      const found = ids.slice(start, start + count).map((id) => this.#at(id));
      return Promise.resolve(found.filter((item) => item !== undefined));
    });
  }

  /** Changes items, in portions where they may have to wait; other calls come in between. */
  async change(changes: readonly ItemChange[], caller: string): Promise<void> {
    const context = this.#context;
    const load = { topic: context.topics.items, work: 1 }; // the records are made when it is their turn
    const sent = { sent: changes, loadOf: () => load, caller };
    await inPortions(context, sent, async (portion) => {
      await this.#caughtUp(); // the first time takes long, and others may write meanwhile
      await appended(context.itemWrites.run(() => this.#queue(() => this.#write(portion))));
    });
  }

  async #write(changes: readonly ItemChange[]): Promise<void> {
    const { log, topics, now, metrics } = this.#context;
    const after = new Map<string, ItemRecord | undefined>();
    for (const { id, change } of changes) after.set(id, change(after.has(id) ? after.get(id) : this.#at(id)));
    const records = [...after].flatMap(([id, item]) =>
      item === undefined
        ? [{ topic: topics.items, key: id, value: null, time: now(), work: 1 }]
        : atOnce(arrivedRecords(topics, [{ kind: "item", item }], now()))
    );
    await log.append(records);
    metrics.taken("item", records.length, []);
  }

  #at(id: string): ItemRecord | undefined {
    return itemIn(this.#records.get(id));
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      await this.#catchUp();
      return await work();
    });
  }

  /** Reads up to the end of the log. */
  async #catchUp(): Promise<void> {
    const { log, topics } = this.#context;
    const { end } = await log.bounds(topics.items, 0);
    while (this.#next < end) {
      const place = { topic: topics.items, partition: 0 };
      const options = { reader: "the catalogue of this process", from: this.#next, epoch: this.#epoch };
      const { records, next, epoch } = await readOn(log, place, options);
      for (const { key, value } of records) {
        if (key === null) continue;
        if (value === null) this.#records.delete(key);
        else this.#records.set(key, value.slice());
        this.#sorted = null;
      }
      if (next === this.#next) break;
      [this.#next, this.#epoch] = [next, epoch];
    }
  }
}

/** The item in the value of a record; `undefined` = there is none, it is removed, or another program wrote the record. */
function itemIn(value: Uint8Array | null | undefined): ItemRecord | undefined {
  if (!value) return undefined;
  const decoded = decodeItem(value);
  return decoded.ok ? decoded.item : undefined;
}
