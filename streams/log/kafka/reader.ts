/**
 * Reads partitions from any position; sequential reads cost no round trip.
 *
 * Reading needs no consumer group. A read takes from the {@linkcode Cursor} at its position, so several readers of a
 * partition do not disturb each other. Records reach cursors in two ways:
 *
 * - **Fetches that return at once**, for one cursor: when a read finds it empty, and ahead of time when it runs low
 *   and the broker has more.
 * - **Polls that wait**, one at a time per broker: they cover all cursors at the end of their partition on which a read
 *   waited recently. They have their own connections, because a broker answers the requests of a connection in order.
 */

import { ignore } from "../ignore.ts";
import type { Place, ReadOptions, ReadResult } from "../log.ts";
import { orAborted } from "../pause.ts";
import type { KafkaClient } from "./client.ts";
import { isPassing } from "./protocol/errors.ts";
import { identifyTopic } from "./protocol/identity.ts";
import { type Broker, checkCode, protocolError } from "./protocol/patch.ts";
import { decodeBatches } from "./protocol/record_batch.ts";
import { UNKNOWN_EPOCH } from "./protocol/leader_epochs.ts";
import {
  FETCH_BY_ID,
  fetchBatches,
  type Fetched,
  type FetchFrom,
  isAtOdds,
  isUnknownId,
} from "./protocol/requests.ts";
import { Cursor } from "./reading/cursor.ts";
import { ownMissing } from "./reading/own_ends.ts";
import { FETCH_BYTES, fetchOne, NOT_LEADER, settle, unknownId } from "./settling.ts";

/** Bytes of records to hold for readers; the cursors least recently read are dropped first. */
const BUFFER_BYTES = 64 << 20;
/** How long a poll waits for a record, and so may a cursor that is added in the meantime. */
const POLL_MS = 100;
/** How long a cursor is polled after a read waited on it. */
const WATCH_MS = 2000;
const MAX_CURSORS = 1024;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** The node of a cursor before its first fetch, and from a failed poll to the next. */
const NOBODY = -1;
/** Longest pause between checks for own commits that are not visible yet. */
const OWN_PAUSE_MS = 20;

const FETCH = 1;

/** Reads the partitions of a cluster. */
export class KafkaReader {
  readonly #client: KafkaClient;
  readonly #polls: KafkaClient;
  readonly #retryMs: number;
  /** Least recently used first. */
  readonly #cursors = new Set<Cursor>();
  readonly #byPartition = new Map<string, Set<Cursor>>();
  /** Nodes with a poll in progress. */
  readonly #polling = new Set<number>();

  /**
   * @param client for fetches that return at once
   * @param polls for fetches that wait
   * @param retryMs how long to wait until our own writes are visible, milliseconds
   */
  constructor(client: KafkaClient, polls: KafkaClient, retryMs: number) {
    this.#client = client;
    this.#polls = polls;
    this.#retryMs = retryMs;
  }

  /**
   * See `Log.read`.
   *
   * @param ownEnd offset after our own newest record, which a read must not miss
   */
  async read(
    topic: string,
    partition: number,
    from: number,
    ownEnd: () => number,
    options: ReadOptions,
  ): Promise<ReadResult> {
    const { maxRecords = 1000, maxBytes = 4 << 20, waitMs = 0, epoch, signal } = options;
    const until = performance.now() + waitMs;
    const ownUntil = performance.now() + this.#retryMs;
    const start = Math.max(0, from);
    for (let pause = 1;; pause = Math.min(pause * 2, OWN_PAUSE_MS)) {
      signal?.throwIfAborted();
      this.#client.throwIfClosed();
      const cursor = this.#cursorAt({ topic, partition }, start, epoch);
      if (cursor.isEmpty && (waitMs <= 0 || !cursor.polled)) await orAborted(this.#fill(cursor), signal);
      else if (cursor.isEmpty) await this.#wait(cursor, until, signal);
      // Another reader at this position may have moved the cursor in the meantime.
      if (!cursor.holds(start)) continue;
      cursor.seek(start);
      if (!cursor.isEmpty) {
        const result = cursor.take(maxRecords, maxBytes);
        if (cursor.isBehind && cursor.bytesAhead < FETCH_BYTES / 2) this.#fillAhead(cursor);
        return withEpoch(result, cursor, { next: start, epoch });
      }
      if (cursor.isBehind || cursor.node === NOBODY) continue; // there is more, or its poll has failed
      if (cursor.position < ownEnd()) {
        if (performance.now() >= ownUntil) throw ownMissing(topic, partition, ownEnd());
        await this.#client.pause(pause);
      } else if (performance.now() >= until) {
        return withEpoch(cursor.take(0, 0), cursor, { next: start, epoch });
      } else {
        this.#watch(cursor);
        await this.#wait(cursor, until, signal);
      }
    }
  }

  /** Drops the cursors of a partition. */
  forget(topic: string, partition: number): void {
    for (const cursor of this.#byPartition.get(`${topic}/${partition}`) ?? []) this.#drop(cursor);
  }

  /**
   * A cursor moved to an offset: the most recently used of the partition that holds the offset, or a new one.
   *
   * @param epoch of the record before it, if the reader knows that
   */
  #cursorAt({ topic, partition }: Place, offset: number, epoch: number | undefined): Cursor {
    const key = `${topic}/${partition}`;
    const cursors = this.#byPartition.get(key) ?? new Set();
    this.#byPartition.set(key, cursors);
    const found = [...cursors].findLast((cursor) => cursor.holds(offset, epoch));
    const cursor = found ?? new Cursor(topic, partition, offset, epoch);
    cursor.seek(offset);
    for (const set of [this.#cursors, cursors]) {
      set.delete(cursor);
      set.add(cursor);
    }
    if (found === undefined) this.#evict();
    return cursor;
  }

  #evict(): void {
    let bytes = 0;
    for (const cursor of this.#cursors) bytes += cursor.bytes;
    for (const cursor of this.#cursors) {
      if (this.#cursors.size <= MAX_CURSORS && bytes <= BUFFER_BYTES) return;
      if (this.#cursors.size === 1) return;
      bytes -= cursor.bytes;
      this.#drop(cursor);
    }
  }

  #drop(cursor: Cursor): void {
    const key = `${cursor.topic}/${cursor.partition}`;
    this.#cursors.delete(cursor);
    this.#byPartition.get(key)?.delete(cursor);
    if (this.#byPartition.get(key)?.size === 0) this.#byPartition.delete(key);
    cursor.wake();
  }

  /** Fetches the records that follow those that a cursor holds. */
  #fill(cursor: Cursor): Promise<void> {
    return cursor.filling ??= this.#fetch(cursor).finally(() => cursor.filling = undefined);
  }

  #fillAhead(cursor: Cursor): void {
    ignore(this.#fill(cursor), "the read that finds the cursor empty fetches again");
  }

  async #fetch(cursor: Cursor): Promise<void> {
    const { topic, partition } = cursor;
    try {
      await this.#client.retry(async () => {
        cursor.node = await this.#client.leaderId(topic, partition);
        const broker = await this.#client.node(cursor.node);
        cursor.topicId ??= await topicId(broker, topic);
        const from = this.#from(cursor, cursor.topicId);
        const fetched = await fetchOne(this.#client, broker, from);
        if (isUnknownId(fetched)) throw await unknownId(this.#client, cursor);
        if (!isAtOdds(fetched)) return await this.#accept(cursor, fetched, from.offset);
        const lost = await settle(this.#client, cursor, { broker, from });
        if (lost === undefined) return;
        this.forget(topic, partition); // other cursors hold lost records, too; their readers know the epochs
        throw lost;
      });
    } catch (error) {
      this.#drop(cursor);
      throw this.#client.lasting(error, cursor);
    }
  }

  /** What to fetch next. */
  #from({ topic, partition, position: offset, epochs }: Cursor, topicId: string | null): FetchFrom {
    const epochBefore = epochs.before(offset);
    return { topic, topicId, partition, offset, epochBefore, maxBytes: FETCH_BYTES };
  }

  async #accept(cursor: Cursor, fetched: Fetched, from: number): Promise<void> {
    const { topic, partition, errorCode, bytes, aborted, stableEnd } = fetched;
    checkCode(errorCode);
    // A poll was told so: the reads that wait for it fetch for themselves, and settle it.
    if (isAtOdds(fetched)) throw protocolError(NOT_LEADER);
    const { records, next, epochs } = await decodeBatches(bytes, topic, partition, from, aborted);
    if (from !== cursor.position) return; // another fetch was faster
    cursor.accept(records, next, stableEnd, epochs);
    this.#evict();
  }

  /** Makes polls of the cursor's node include it for a while. */
  #watch(cursor: Cursor): void {
    cursor.watchedUntil = performance.now() + WATCH_MS;
    const { node } = cursor; // it may have another when the poll ends
    if (this.#polling.has(node)) return;
    this.#polling.add(node);
    ignore(this.#poll(node), "waiting reads fetch for themselves").finally(() => this.#polling.delete(node));
  }

  /** Polls a node while there are cursors to cover. */
  async #poll(node: number): Promise<void> {
    for (;;) {
      const watched = this.#watched(node);
      if (watched.length === 0) return;
      for (const cursor of watched) cursor.polled = true;
      try {
        await this.#polls.once(() => this.#pollOnce(node, watched));
        for (const cursor of watched) cursor.polled = false;
      } catch (error) {
        // Waiting reads fetch for themselves, which finds the new leader or reports the error; no poll takes them before.
        for (const cursor of watched) {
          [cursor.node, cursor.polled, cursor.watchedUntil] = [NOBODY, false, 0];
          cursor.wake();
        }
        if (isPassing(error)) {
          await ignore(this.#polls.once(() => this.#polls.refresh()), "the next poll fails, too");
        }
        await this.#polls.pause(POLL_MS); // while polls alone fail, reads would ask without end
      }
    }
  }

  async #pollOnce(node: number, watched: readonly Cursor[]): Promise<void> {
    for (const { topic, partition } of watched) {
      if (await this.#client.leaderId(topic, partition) !== node) throw protocolError(NOT_LEADER);
    }
    const broker = await this.#polls.node(node);
    const partitions = watched.map((cursor) => this.#from(cursor, cursor.topicId ?? null));
    const limits = { waitMs: POLL_MS, maxBytes: 8 * FETCH_BYTES };
    for (const fetched of await fetchBatches(broker, partitions, limits)) {
      const i = partitions.findIndex((p) => p.topic === fetched.topic && p.partition === fetched.partition);
      const [cursor, from] = [watched[i], partitions[i]?.offset];
      if (cursor !== undefined && from !== undefined) await this.#accept(cursor, fetched, from);
    }
  }

  /** The cursors to poll at a node, at most one per partition. */
  #watched(node: number): Cursor[] {
    const now = performance.now();
    const watched = new Map<string, Cursor>();
    for (const cursor of this.#cursors) {
      if (cursor.node !== node || cursor.isBehind) continue;
      if (cursor.waiting === 0 && cursor.watchedUntil < now || cursor.bytesAhead > FETCH_BYTES) {
        continue;
      }
      watched.set(`${cursor.topic}/${cursor.partition}`, cursor);
    }
    return [...watched.values()];
  }

  /** Waits until records reach a cursor, or time is up. */
  async #wait(cursor: Cursor, until: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const left = Math.min(Math.max(0, until - performance.now()), MAX_TIMEOUT_MS);
    const timer = setTimeout(resolve, left);
    const aborted = () => reject(signal?.reason);
    const { closing } = this.#client;
    const closed = () => resolve(); // the caller checks for this, and throws
    signal?.addEventListener("abort", aborted);
    closing.addEventListener("abort", closed);
    cursor.listen(resolve);
    cursor.waiting++;
    try {
      await promise;
    } finally {
      cursor.waiting--;
      cursor.unlisten(resolve);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      closing.removeEventListener("abort", closed);
    }
  }
}

/** A result with the epoch of the record before its end. @param from where the read began */
function withEpoch(
  result: ReadResult,
  { epochs }: Cursor,
  from: Pick<ReadResult, "next" | "epoch">,
): ReadResult {
  const epoch = result.next === from.next ? from.epoch ?? UNKNOWN_EPOCH : epochs.before(result.next);
  return epoch === UNKNOWN_EPOCH ? result : { ...result, epoch };
}

/** The id of a topic; `null` if the broker fetches by name only. */
async function topicId(broker: Broker, topic: string): Promise<string | null> {
  if ((broker.versions[FETCH]?.maxVersion ?? 0) < FETCH_BY_ID) return null;
  return (await identifyTopic(broker, topic)).id;
}
