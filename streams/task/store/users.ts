/** Where a task finds the records of users who are not in memory. */

import { type Log, LogError } from "../../log/log.ts";
import { RecordStore } from "./record_store.ts";

/** The committed records of a task's users, by id. */
export interface UserIndex {
  /** Number of users that have a record. */
  readonly size: number;
  /** The newest committed record, or `null`. One that is returned synchronously is valid until the next call. */
  get(id: string): Uint8Array | null | Promise<Uint8Array | null>;
  /** Stores a committed record. @param waiting whether the user has a pending deadline */
  put(id: string, record: Uint8Array, waiting: boolean): void;
  /** Removes the record of an erased user. */
  delete(id: string): void;
  /** Ids of all users, in no order. */
  ids(): Iterable<string>;
}

/** Users on a log with an index of keys. Only ids are kept in memory. */
export class LogUsers implements UserIndex {
  readonly #latest: NonNullable<Log["latest"]>;
  readonly #topic: string;
  readonly #partition: number;
  readonly #ids = new Set<string>();

  /** The users on a partition of the changelog. */
  constructor(latest: NonNullable<Log["latest"]>, topic: string, partition: number) {
    this.#latest = latest;
    this.#topic = topic;
    this.#partition = partition;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** See {@linkcode UserIndex.get}. @throws LogError `corrupt` when the log has lost the record */
  async get(id: string): Promise<Uint8Array | null> {
    if (!this.#ids.has(id)) return null;
    const record = await this.#latest(this.#topic, this.#partition, id);
    if (record?.value) return record.value;
    if (!this.#ids.has(id)) return null; // erased meanwhile
    throw new LogError("corrupt", `Cannot restore user ${id}: ${this.#topic} has no record of it`);
  }

  put(id: string): void {
    this.#ids.add(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  ids(): Iterable<string> {
    return this.#ids;
  }
}

/** Share of dead bytes above which a segment is emptied. */
const MAX_DEAD = 0.2;

/** Users as bytes in memory, which take a fraction of the memory of objects. */
export class PackedUsers implements UserIndex {
  readonly #store = new RecordStore();

  get size(): number {
    return this.#store.size;
  }

  /** Bytes of all records, including replaced ones. */
  get bytes(): number {
    return this.#store.bytes;
  }

  get(id: string): Uint8Array | null {
    return this.#store.get(id);
  }

  put(id: string, record: Uint8Array): void {
    this.#store.put(id, record);
    const victim = this.#store.victim(MAX_DEAD);
    const [chunk] = victim?.chunks ?? [];
    if (victim === undefined || chunk === undefined) return;
    this.#store.relocate(victim, chunk.bytes.subarray(0, victim.length), 0, victim.length);
    this.#store.drop(victim);
  }

  delete(id: string): void {
    this.#store.delete(id);
  }

  ids(): Iterable<string> {
    return this.#store.keys();
  }
}
