/**
 * The runtime of a task: reads one partition's events, lets {@linkcode TaskState} apply them, and commits
 * outputs, changed states and input position together. A crash at any moment resumes from the last commit.
 *
 * Work is done in *rounds*. Where a round ends depends on the events alone (so many samples' rows, or so many
 * events), never on how the log cut them into batches: a restart sees the same rounds again.
 *
 * @module
 */

import type { DecodedEvent } from "../src/events/check.ts";
import { decodeEvent, decodeItem } from "../src/events/codec.ts";
import type { RefusalCode } from "../src/events/refusal.ts";
import { encodeRejection, rejectionOf } from "../src/events/rejection.ts";
import { encodeSample } from "../src/learner/sample_codec.ts";
import type { Serving } from "../src/scorer/serving.ts";
import {
  decodeItemState,
  decodeTask,
  encodeItemState,
  encodeTask,
  itemKey,
  itemOfKey,
  TASK_KEY,
} from "../src/state/task_codec.ts";
import { isWaiting, type TaskOptions, type TaskOutputs, TaskState } from "../src/state/task_state.ts";
import { type Log, LogError, type LogRecord, type NewRecord, type Writer } from "./log/log.ts";
import { readAll } from "./log/read_all.ts";
import type { Topics } from "./topics.ts";

/** Header of a catalogue record: it applies before the event at this offset of partition 0. */
export const BEFORE_EVENT = "before-event";

/** Header of a user's record that has open impressions: such a user must be in memory. */
const PENDING = "pending";

/** Where a round ends. */
export interface RoundLimits {
  /** Rows of emitted samples after which a round ends. */
  readonly rows: number;
  /** Events after which a round ends. */
  readonly events: number;
}

/** What a round did. */
export interface RoundResult {
  /** Events read. */
  readonly events: number;
  /** Whether the round came to its end; if not, the log had no more events, and nothing was committed. */
  readonly complete: boolean;
}

/** Options of {@linkcode Task.step}. */
export interface StepOptions {
  /** A clock in milliseconds that never goes back, for the times below. */
  readonly now: () => number;
  /** Events to read at most. @default {256} */
  readonly maxEvents?: number;
  /** How long to wait for a first event, milliseconds; at most until a commit is due. @default {0} */
  readonly waitMs?: number;
  /** Time from a commit to the next, and the longest that an event waits for its own, milliseconds. @default {100} */
  readonly commitIntervalMs?: number;
  /** Events after which a commit is due in any case. @default {1000} */
  readonly commitEvents?: number;
  /** Ends the wait: the step then rejects with the signal's reason, and nothing is lost. */
  readonly signal?: AbortSignal;
}

/** How far an event's time may be ahead of its record's: one wrong clock must not move everybody's watermark. */
const MAX_AHEAD_MS = 3_600_000;

const encoder = new TextEncoder();

/** One partition's task. */
export class Task implements AsyncDisposable {
  /** The partition it owns. */
  readonly partition: number;
  /** Its state machine. */
  readonly state: TaskState;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #group: string;
  readonly #writer: Writer;
  /** Where to read on. */
  #next: number;
  #committed: number;
  readonly #maxStateBytes: number;
  #roundEvents = 0;
  #roundRows = 0;
  /** When the first event after the last commit was applied, and when the last commit was, by the clock of steps. */
  #uncommittedSince = Infinity;
  #committedAt = -Infinity;
  #itemsReadAt = -Infinity;
  /** Catalogue records read ahead, applied up to `#itemsAt`. */
  #items: LogRecord[] = [];
  #itemsAt = 0;
  /** Position behind the last applied catalogue record. */
  #itemsApplied = 0;
  #itemsCommitted = 0;
  /** Position behind the last read catalogue record. */
  #itemsRead = 0;
  #out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  #rejected: NewRecord[] = [];

  private constructor(
    log: Log,
    topics: Topics,
    group: string,
    partition: number,
    state: TaskState,
    writer: Writer,
    next: number,
    maxStateBytes: number,
  ) {
    this.#maxStateBytes = maxStateBytes;
    this.#log = log;
    this.#topics = topics;
    this.#group = group;
    this.partition = partition;
    this.state = state;
    this.#writer = writer;
    this.#next = next;
    this.#committed = next;
  }

  /**
   * Takes the partition over: fences any other owner, then restores the state.
   *
   * @param maxStateBytes Memory for user states; beyond it the least recently active ones stay on the log.
   */
  static async open(
    log: Log,
    topics: Topics,
    partition: number,
    options: TaskOptions,
    serving: Serving,
    maxStateBytes = Infinity,
  ): Promise<Task> {
    const group = `${topics.events}-tasks`;
    const writer = await log.writer(`${group}-${partition}`);
    const next = await log.committed(group, topics.events, partition) ?? 0;
    const state = new TaskState(options, serving);
    const task = new Task(log, topics, group, partition, state, writer, next, maxStateBytes);
    await task.#restore();
    return task;
  }

  /** Offset of the next event to read. */
  get next(): number {
    return this.#next;
  }

  /** Offset up to which everything is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Position in the catalogue topic up to which everything is committed. */
  get committedItems(): number {
    return this.#itemsCommitted;
  }

  /** Applies events until the round ends or the log has no more; commits at the end of a round. */
  async round(limits: RoundLimits): Promise<RoundResult> {
    await this.#readItems();
    let events = 0;
    for (;;) {
      const wanted = limits.events - this.#roundEvents;
      const { records, next } = await this.#log.read(this.#topics.events, this.partition, this.#next, {
        maxRecords: Math.min(wanted, 256),
      });
      if (records.length === 0) {
        this.#next = next;
        return { events, complete: false };
      }
      const decoded = records.map((record) => decodeEvent(record.value ?? new Uint8Array(0)));
      await this.#warm(decoded);
      for (let at = 0; at < records.length; at++) {
        const record = records[at]!;
        this.#apply(record, decoded[at]!);
        this.#next = record.offset + 1;
        events++;
        this.#roundEvents++;
        if (this.#roundRows >= limits.rows || this.#roundEvents >= limits.events) {
          await this.commit();
          return { events, complete: true };
        }
      }
    }
  }

  /**
   * Applies what is there, for a service, and commits when a commit is due: an event that comes after a while of
   * silence is committed at once, those that come one after the other together.
   *
   * @returns Events applied.
   */
  async step(options: StepOptions): Promise<number> {
    const { now, maxEvents = 256, waitMs = 0, commitIntervalMs = 100, commitEvents = 1000, signal } = options;
    const untilDue = this.isDirty ? this.#committedAt + commitIntervalMs - now() : waitMs;
    const { records, next } = await this.#log.read(this.#topics.events, this.partition, this.#next, {
      maxRecords: maxEvents,
      waitMs: Math.max(0, Math.min(waitMs, untilDue)),
      ...(signal === undefined ? {} : { signal }),
    });
    if (now() - this.#itemsReadAt >= commitIntervalMs) {
      await this.#readItems();
      this.#itemsReadAt = now();
    }
    const decoded = records.map((record) => decodeEvent(record.value ?? new Uint8Array(0)));
    await this.#warm(decoded);
    const commit = async () => {
      await this.commit();
      this.#committedAt = now();
      this.#uncommittedSince = Infinity;
    };
    for (let at = 0; at < records.length; at++) {
      const record = records[at]!;
      this.#apply(record, decoded[at]!);
      this.#next = record.offset + 1;
      this.#roundEvents++;
      if (this.#uncommittedSince === Infinity) this.#uncommittedSince = now();
      if (this.#roundEvents >= commitEvents || now() - this.#uncommittedSince >= commitIntervalMs) {
        await commit();
        await this.#warm(decoded.slice(at + 1)); // the commit may have let some of them go cold
      }
    }
    this.#next = next;
    if (this.isDirty && now() - this.#committedAt >= commitIntervalMs) await commit();
    return records.length;
  }

  /** Whether something was applied and not committed. */
  get isDirty(): boolean {
    return this.#roundEvents > 0;
  }

  /** Settles what is open at the end of a finite stream, and commits. */
  async flush(): Promise<void> {
    this.state.flush(this.#out);
    await this.commit();
  }

  /** Makes everything since the last commit visible, atomically. */
  async commit(): Promise<void> {
    const { state, partition } = this;
    const topics = this.#topics;
    const time = state.maxTime === -Infinity ? 0 : state.maxTime;
    const records: NewRecord[] = [];
    const add = (topic: string, key: string, value: Uint8Array | null) =>
      records.push({ topic, partition, key, value, time });
    for (const recommendation of this.#out.recommendations) {
      add(topics.recommendations, recommendation.user, encoder.encode(JSON.stringify(recommendation)));
    }
    const { samples, forgotten } = this.#out;
    let told = 0;
    for (const { user, afterSamples } of forgotten) {
      for (const sample of samples.slice(told, afterSamples)) {
        add(topics.samples, sample.user, encodeSample(sample));
      }
      told = afterSamples;
      add(topics.samples, user, null);
      add(topics.state, user, null);
    }
    for (const sample of samples.slice(told)) add(topics.samples, sample.user, encodeSample(sample));
    for (const record of this.#rejected) records.push(record);
    for (const user of state.dirtyUsers) {
      const headers = isWaiting(user) ? { [PENDING]: "1" } : {};
      const record = {
        topic: topics.state,
        partition,
        key: user.id,
        value: state.record(user),
        time,
        headers,
      };
      records.push(record);
    }
    for (const item of state.dirtyItems) add(topics.statistics, itemKey(item.id), encodeItemState(item));
    add(topics.statistics, TASK_KEY, encodeTask(state, this.#itemsApplied));
    await this.#writer.commit({
      records,
      group: this.#group,
      offsets: [{ topic: topics.events, partition, offset: this.#next }],
    });
    this.#committed = this.#next;
    this.#itemsCommitted = this.#itemsApplied;
    state.dirtyUsers.clear();
    state.dirtyItems.clear();
    this.#out = { recommendations: [], samples: [], forgotten: [] };
    this.#rejected = [];
    this.#roundEvents = 0;
    this.#roundRows = 0;
    if (this.#log.latest !== undefined) state.evict(this.#maxStateBytes);
  }

  /** The records of all users, cold ones too, by id; for digests and exports. */
  async *records(): AsyncGenerator<readonly [user: string, record: Uint8Array]> {
    const { state } = this;
    for (const id of [...state.users.keys(), ...state.cold].sort()) {
      const user = state.users.get(id);
      if (user !== undefined) {
        yield [id, state.record(user)];
        continue;
      }
      const record = await this.#log.latest?.(this.#topics.state, this.partition, id);
      if (record?.value) yield [id, record.value];
    }
  }

  /** Lets the partition go without committing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  /** Restores the users of these events that are cold. */
  async #warm(events: readonly DecodedEvent[]): Promise<void> {
    for (const decoded of events) {
      if (!decoded.ok || !this.state.cold.has(decoded.event.user)) continue;
      const { user } = decoded.event;
      const record = await this.#log.latest?.(this.#topics.state, this.partition, user);
      if (!record?.value) {
        throw new LogError(
          "corrupt",
          `Cannot restore user ${user}: ${this.#topics.state} has no record of it`,
        );
      }
      this.state.restoreUser(user, record.value);
    }
  }

  #apply(record: LogRecord, decoded: DecodedEvent): void {
    this.#applyItems(record.offset);
    const before = this.#out.samples.length;
    if (decoded.ok && decoded.event.time > record.time + MAX_AHEAD_MS) {
      const ahead = decoded.event.time - record.time;
      this.#reject(
        record,
        "in-the-future",
        `event time is ${ahead} ms after the record's, allowed are ${MAX_AHEAD_MS} ms`,
      );
      return;
    }
    const refused = decoded.ok ? this.state.apply(decoded.event, record.offset, this.#out) : decoded;
    if (refused !== null) this.#reject(record, refused.code, refused.reason);
    for (let s = before; s < this.#out.samples.length; s++) {
      this.#roundRows += this.#out.samples[s]!.rows.length;
    }
  }

  #reject(record: LogRecord, code: RefusalCode, reason: string): void {
    this.state.counters.rejected++;
    const { topic, partition, offset } = record;
    const bytes = record.value ?? new Uint8Array(0);
    const value = encodeRejection(
      rejectionOf({ topic, partition, offset }, { ok: false, code, reason }, bytes),
    );
    this.#rejected.push({
      topic: this.#topics.rejected,
      partition: this.partition,
      key: record.key,
      value,
      time: record.time,
    });
  }

  async #readItems(): Promise<void> {
    for (;;) {
      const { records, next } = await this.#log.read(this.#topics.items, 0, this.#itemsRead);
      for (const record of records) this.#items.push(record);
      this.#itemsRead = next;
      if (records.length === 0) return;
    }
  }

  /** Applies the catalogue records that come before the event at `offset`. */
  #applyItems(offset: number): void {
    for (; this.#itemsAt < this.#items.length; this.#itemsAt++) {
      const record = this.#items[this.#itemsAt]!;
      if (Number(record.headers[BEFORE_EVENT] ?? -1) > offset) return;
      this.#applyItem(record);
      this.#itemsApplied = record.offset + 1;
    }
    this.#items = [];
    this.#itemsAt = 0;
  }

  #applyItem(record: LogRecord): void {
    if (record.value === null) {
      if (record.key !== null) this.state.removeItem(record.key, record.time);
      return;
    }
    const decoded = decodeItem(record.value);
    if (decoded.ok) this.state.applyItem(decoded.item);
    else this.#reject(record, decoded.code, decoded.reason);
  }

  async #restore(): Promise<void> {
    try {
      await this.#readState();
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new LogError("corrupt", `Cannot restore task ${this.partition}: ${cause.message}`, { cause });
    }
  }

  async #readState(): Promise<void> {
    const { state, partition } = this;
    const statistics = new Map<string, Uint8Array>();
    for await (const { key, value } of readAll(this.#log, this.#topics.statistics, partition)) {
      if (key !== null && value !== null) statistics.set(key, value);
    }
    for (const [key, value] of statistics) {
      if (key === TASK_KEY) this.#itemsApplied = decodeTask(value, state);
      else state.retrieval.add(decodeItemState(itemOfKey(key), value, state.catalogue));
    }
    this.#itemsRead = this.#itemsCommitted = this.#itemsApplied;
    const lazily = this.#log.latest !== undefined;
    const users = new Map<string, Uint8Array>();
    for await (const { key, value, headers } of readAll(this.#log, this.#topics.state, partition)) {
      if (key === null) continue;
      users.delete(key);
      state.cold.delete(key);
      if (value === null) continue;
      if (lazily && headers[PENDING] === undefined) state.cold.add(key);
      else users.set(key, value);
    }
    for (const [id, bytes] of users) state.restoreUser(id, bytes);
  }
}
