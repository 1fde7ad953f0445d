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
import type { ExperimentRecord } from "../src/experiments/experiment.ts";
import { pinnedModels } from "../src/experiments/pins.ts";
import { sizeInBatch } from "../src/learner/sample.ts";
import type { Serving } from "../src/scorer/serving.ts";
import { TaskState } from "../src/state/task_state.ts";
import type { TaskOptions } from "../src/state/task_options.ts";
import type { TaskOutputs } from "../src/state/task_outputs.ts";
import type { UserState } from "../src/state/user_state.ts";
import { decodeExperiment, EXPERIMENT } from "./experiments/record.ts";
import type { Log, LogRecord, NewRecord, ReadOptions, Writer } from "./log/log.ts";
import { CatalogueReader } from "./task/catalogue_reader.ts";
import { answerRecords, type Delivery, OutputNumbers } from "./task/delivery.ts";
import type { RoundLimits, RoundResult, StepOptions, TaskRuntime } from "./task/options.ts";
import { Others } from "./task/others.ts";
import { commitRecords, recordTime } from "./task/outputs.ts";
import { PENDING, restore, type Restored } from "./task/restore.ts";
import { RestoreMeter } from "./task/restore_meter.ts";
import { TimeShare } from "./task/time_share.ts";
import type { StoreStatus } from "./task/state_store.ts";
import type { PinSource } from "./pinned_models.ts";
import type { SampleHandover } from "./sample_handover.ts";
import type { Topics } from "./topics.ts";

export { BEFORE_EVENT } from "./task/catalogue_reader.ts";
export type { RoundLimits, RoundResult, StepOptions, TaskRuntime } from "./task/options.ts";

/** How far an event's time may be ahead of its record's: one wrong clock must not move everybody's watermark. */
const MAX_AHEAD_MS = 3_600_000;

/** Users beyond this stay as bytes, which take a fraction of it, when the log cannot be asked for one. */
const OBJECT_BYTES = 64 << 20;

/** Events that were read and are not applied yet. */
interface Ahead {
  readonly records: readonly LogRecord[];
  /** One for each record. */
  readonly decoded: readonly DecodedEvent[];
  /** Where to read on behind them. */
  readonly next: number;
}

/** One partition's task. */
export class Task implements AsyncDisposable {
  /** The partition it owns. */
  readonly partition: number;
  readonly #partitions: number;
  /** Its state machine. */
  readonly state: TaskState;
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #group: string;
  readonly #writer: Writer;
  /** Where to read on. */
  #next: number;
  #committed: number;
  /** Whether the last step had more events than it could do, or found as many as it would take: there are more. */
  #isBehind = false;
  /** What a step had no time for. */
  #ahead: Ahead | undefined;
  readonly #maxStateBytes: number;
  /** Where users are that are not in memory, and the rest of what was restored. */
  readonly #restored: Restored;
  readonly #lineage: string;
  #roundEvents = 0;
  #roundRows = 0;
  /** When the first event after the last commit was applied, and when the last commit was, by the clock of steps. */
  #uncommittedSince = Infinity;
  #committedAt = -Infinity;
  readonly #catalogue: CatalogueReader;
  /** When the catalogue was last read, by the clock of steps. */
  #itemsReadAt = -Infinity;
  #itemsCommitted: number;
  #out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  #numbers = new OutputNumbers();
  readonly #delivery: Delivery;
  readonly #pins: PinSource | undefined;
  readonly #handover: SampleHandover | undefined;
  /** Answers of `#out` that were sent, and what tells that they have arrived. */
  #sent = 0;
  #sending: Promise<unknown>[] = [];
  #rejected: NewRecord[] = [];
  readonly #others: Others;
  /** What goes with it: the writer, the local snapshot, the hold on pinned versions. */
  readonly #owned: AsyncDisposableStack;
  /** Where events end that an earlier life may have answered without a commit. */
  readonly #repeatsUntil: number;

  private constructor(
    log: Log,
    topics: Topics,
    group: string,
    { partition, partitions }: { readonly partition: number; readonly partitions: number },
    writer: Writer,
    next: number,
    state: TaskState,
    { others, repeatsUntil, owned, ...restored }: Restored & {
      readonly others: Others;
      readonly repeatsUntil: number;
      readonly owned: AsyncDisposableStack;
    },
    {
      maxStateBytes = log.latest === undefined ? OBJECT_BYTES : Infinity,
      delivery = "exactly-once",
      handover,
      pins,
    }: TaskRuntime,
  ) {
    this.#others = others;
    this.#owned = owned;
    this.#repeatsUntil = repeatsUntil;
    this.#delivery = delivery;
    this.#handover = handover;
    this.#pins = pins;
    this.#log = log;
    this.#topics = topics;
    this.#group = group;
    this.partition = partition;
    this.#partitions = partitions;
    this.#writer = writer;
    this.#next = next;
    this.#committed = next;
    this.state = state;
    this.#restored = restored;
    this.#lineage = restored.lineage ?? crypto.randomUUID();
    this.#itemsCommitted = restored.itemsApplied;
    const apply = (record: LogRecord) => this.#applyItem(record);
    this.#catalogue = new CatalogueReader(log, topics.items, restored.itemsApplied, apply);
    this.#maxStateBytes = maxStateBytes;
  }

  /** Takes the partition over: fences any other owner, then restores the state. */
  static async open(
    log: Log,
    topics: Topics,
    partition: number,
    options: TaskOptions,
    serving: Serving,
    runtime: TaskRuntime = {},
  ): Promise<Task> {
    const group = `${topics.events}-tasks`;
    await using opened = new AsyncDisposableStack();
    const writer = opened.use(await log.writer(`${group}-${partition}`));
    const next = await log.committed(group, topics.events, partition) ?? 0;
    const partitions = runtime.partitions ?? (await log.topics()).get(topics.events)?.partitions ?? 1;
    const state = new TaskState(options, serving, runtime.variants);
    const { snapshot, meter = new RestoreMeter(), signal, pins } = runtime;
    const restored = await restore({ log, topics, partition, partitions, state, snapshot, meter, signal });
    opened.defer(async () => await restored.store?.close());
    if (pins !== undefined) {
      opened.defer(() => pins.release(partition));
      state.setPinned(await pins.need(partition, state.pins()));
    }
    const shared = options.retrieval?.shared ?? true;
    const { othersTime: time = new TimeShare() } = runtime;
    const sharing = { partition, partitions, shared, time };
    const others = opened.use(await Others.open(log, topics.signals, state, sharing));
    const repeatsUntil = runtime.delivery === "at-least-once"
      ? (await log.bounds(topics.events, partition)).end
      : 0;
    const whole = { ...restored, others, repeatsUntil, owned: opened.move() };
    return new Task(log, topics, group, { partition, partitions }, writer, next, state, whole, runtime);
  }

  /** Offset of the next event to read. */
  get next(): number {
    return this.#next;
  }

  /** Offset up to which everything is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Users that have a committed record. */
  get users(): number {
    return this.#restored.users.size;
  }

  /** How the local snapshot is doing; `null` when there is none. */
  get snapshot(): StoreStatus | null {
    return this.#restored.store?.status ?? null;
  }

  /** Position in the catalogue topic up to which everything is committed. */
  get committedItems(): number {
    return this.#itemsCommitted;
  }

  /**
   * Signals and positives that it has learnt from other partitions since it was opened, and where it reads on, by
   * partition: now, and after a crash.
   */
  get others(): {
    readonly learnt: number;
    readonly positions: ReadonlyMap<number, number>;
    readonly committed: ReadonlyMap<number, number>;
    readonly isShared: boolean;
  } {
    return this.#others;
  }

  /**
   * Learns a record of another partition of `signals`; steps do so by themselves.
   *
   * @param next where to read on behind it
   * @throws RangeError when own events were applied since the last commit
   */
  learnOthers(record: LogRecord, next: number): void {
    if (this.#roundEvents > 0) {
      const { topic, partition, offset } = record;
      throw new RangeError(
        `Cannot learn ${topic}/${partition}@${offset}: ${this.#roundEvents} events are to be committed before`,
      );
    }
    this.#others.learn(record, next);
  }

  /** Applies events until the round ends or the log has no more; commits at the end of a round. */
  async round(limits: RoundLimits): Promise<RoundResult> {
    this.#ahead = undefined; // read again, in rounds
    await this.#catalogue.read();
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
      await this.#pin(records);
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
    const { answerIntervalMs = commitIntervalMs, sliceMs = Infinity } = options;
    const dueAt = () => {
      // What is sent at once need not be committed at once after a while of silence.
      if (this.#delivery === "at-least-once" && this.#roundEvents > 0) {
        return this.#uncommittedSince + commitIntervalMs;
      }
      return this.#committedAt + (this.#out.recommendations.length > 0 ? answerIntervalMs : commitIntervalMs);
    };
    if (this.#roundEvents === 0) {
      this.#learnOthers(now);
      if (this.#others.mustCommit(now())) await this.commit();
    }
    const untilDue = this.#roundEvents > 0 ? dueAt() - now() : this.#others.idleMs(waitMs);
    const { records, decoded, next } = this.#ahead ?? await this.#readAhead({
      maxRecords: maxEvents,
      waitMs: Math.max(0, Math.min(waitMs, untilDue)),
      ...(signal === undefined ? {} : { signal }),
    });
    this.#isBehind = this.#ahead !== undefined || records.length >= maxEvents;
    this.#ahead = undefined;
    if (now() - this.#itemsReadAt >= commitIntervalMs) {
      await this.#catalogue.read();
      this.#itemsReadAt = now();
    }
    await this.#pin(records);
    await this.#warm(decoded);
    const commit = async () => {
      await this.commit();
      this.#committedAt = now();
      this.#uncommittedSince = Infinity;
      this.#learnOthers(now);
    };
    const begun = now();
    let applied = 0;
    for (let at = 0; at < records.length && (at === 0 || now() - begun < sliceMs); at++) {
      if (this.#delivery === "at-least-once" && this.#roundEvents === 0 && this.#others.isDirty) {
        // What an answer depends on is committed before it is sent: a repeat is the same.
        await this.commit();
        await this.#warm(decoded.slice(at));
      }
      const record = records[at]!;
      this.#apply(record, decoded[at]!);
      this.#next = record.offset + 1;
      this.#roundEvents++;
      applied++;
      if (this.#uncommittedSince === Infinity) this.#uncommittedSince = now();
      if (this.#roundEvents >= commitEvents || now() - this.#uncommittedSince >= commitIntervalMs) {
        await commit();
        await this.#warm(decoded.slice(at + 1)); // the commit may have let some of them go cold
      }
    }
    if (applied === records.length) this.#next = next;
    else {
      this.#ahead = { records: records.slice(applied), decoded: decoded.slice(applied), next };
      this.#isBehind = true;
    }
    if (this.#delivery === "at-least-once") this.#send();
    if ((this.#roundEvents > 0 || this.#passedGap) && now() >= dueAt()) await commit();
    return applied;
  }

  /** Learns from others for a while, but not before events that an earlier life may have answered. */
  #learnOthers(now: () => number): void {
    if (this.#next >= this.#repeatsUntil) this.#others.learnSome(now, this.#isBehind);
  }

  async #readAhead(options: ReadOptions): Promise<Ahead> {
    const { records, next } = await this.#log.read(this.#topics.events, this.partition, this.#next, options);
    return { records, decoded: records.map(({ value }) => decodeEvent(value ?? new Uint8Array(0))), next };
  }

  /** Whether something was applied, or learnt from others, and not committed. */
  get isDirty(): boolean {
    return this.#roundEvents > 0 || this.#others.isDirty;
  }

  /**
   * Whether there is nothing to commit but that offsets without a record were passed, such as the mark at the end of a
   * transaction on Kafka, or what was trimmed: else a task that is done would lag behind them until the next event.
   */
  get #passedGap(): boolean {
    return this.#roundEvents === 0 && this.#ahead === undefined && this.#next > this.#committed;
  }

  /** Settles what is open at the end of a finite stream, and commits. */
  async flush(): Promise<void> {
    this.state.flush(this.#out);
    this.#numbers.add(this.#out, this.partition, this.#next);
    await this.commit();
  }

  /** Makes everything since the last commit visible, atomically. */
  async commit(): Promise<void> {
    const { state, partition } = this;
    const topics = this.#topics;
    const lineage = this.#lineage;
    if (this.#delivery === "at-least-once") {
      // Before their input counts as done: a crash in between sends them again.
      this.#send();
      await Promise.all(this.#sending);
    }
    const { outputs, samplePlaces, users, statistics } = commitRecords({
      topics,
      partition,
      partitions: this.#partitions,
      state,
      out: this.#out,
      numbers: this.#numbers,
      sent: this.#sent,
      rejected: this.#rejected,
      itemsApplied: this.#catalogue.applied,
      others: this.#others.note,
      committed: this.#committed,
      lineage,
    });
    const offsets = await this.#writer.commit({
      records: [...outputs, ...users, ...statistics],
      group: this.#group,
      offsets: [{ topic: topics.events, partition, offset: this.#next }],
    });
    this.#note(users, statistics, offsets.slice(outputs.length));
    for (const [n, sample] of this.#out.samples.entries()) {
      this.#handover?.put(offsets[samplePlaces[n]!]!, sample);
    }
    this.#committed = this.#next;
    this.#itemsCommitted = this.#catalogue.applied;
    state.dirtyUsers.clear();
    state.dirtyItems.clear();
    this.#out = { recommendations: [], samples: [], forgotten: [] };
    this.#numbers = new OutputNumbers();
    [this.#sent, this.#sending] = [0, []];
    this.#rejected = [];
    this.#others.keep();
    this.#roundEvents = 0;
    this.#roundRows = 0;
    state.evict(this.#maxStateBytes);
    await this.#restored.store?.room();
  }

  /** Sends the answers that were not sent yet; the next commit waits until they have arrived. */
  #send(): void {
    const { partition } = this;
    const from = this.#sent;
    const time = recordTime(this.state);
    const records = answerRecords(this.#topics.recommendations, this.#out, {
      numbers: this.#numbers,
      partition,
      time,
      from,
    });
    if (records.length === 0) return;
    this.#sent += records.length;
    const sending = this.#log.append(records);
    sending.catch(() => {}); // told by the commit
    this.#sending.push(sending);
  }

  /** Notes what was committed where users are looked for, and in the local snapshot. */
  #note(users: readonly NewRecord[], statistics: readonly NewRecord[], offsets: readonly number[]): void {
    const { users: index, store } = this.#restored;
    for (const { key, value, headers } of users) {
      if (key === null) continue;
      if (value === null) index.delete(key);
      else index.put(key, value, headers?.[PENDING] !== undefined);
    }
    if (store === null) return;
    for (const { key, value } of statistics) {
      if (key !== null && value !== null) store.putStatistic(key, value);
    }
    const state = users.length > 0 ? (offsets[users.length - 1] ?? 0) + 1 : store.position?.state ?? 0;
    store.setPosition({ state, task: offsets.at(-1) ?? 0, lineage: this.#lineage });
    store.maintain();
  }

  /** Ids of all users, cold ones too, sorted. */
  userIds(): readonly string[] {
    const gone = new Set(this.#out.forgotten.map(({ user }) => user));
    const cold = [...this.#restored.users.ids()].filter((id) => !gone.has(id));
    return [...new Set([...this.state.users.keys(), ...cold])].sort();
  }

  /** The records of all users, cold ones too, by id; for digests and exports. */
  async *records(): AsyncGenerator<readonly [user: string, record: Uint8Array]> {
    const { state } = this;
    const { users } = this.#restored;
    for (const id of this.userIds()) {
      const user = state.users.get(id);
      const found = user === undefined ? users.get(id) : state.record(user);
      const record = found instanceof Promise ? await found : found;
      if (record !== null) yield [id, record.slice()];
    }
  }

  /**
   * Looks at a user, in memory or not, and changes nothing; `undefined` when nothing is known of it.
   *
   * @param view what to take from the state, which is not valid any more afterwards
   */
  async peek<View>(id: string, view: (user: UserState) => View): Promise<View | undefined> {
    const { users } = this.state;
    const known = users.get(id);
    if (known !== undefined) return view(known);
    const found = this.#restored.users.get(id);
    // What is there at once is valid until the next look-up only: nothing may come between.
    const record = found instanceof Promise ? await found : found;
    const meanwhile = users.get(id);
    if (meanwhile !== undefined) return view(meanwhile);
    // Of somebody who was forgotten since the last commit, the record is still there.
    if (record === null || this.#out.forgotten.some((gone) => gone.user === id)) return undefined;
    return this.state.viewRecord(id, record, view);
  }

  /** Lets the partition go without committing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  /** Takes the users of these events in that have a record and are not in memory. */
  async #warm(events: readonly DecodedEvent[]): Promise<void> {
    const { users } = this.#restored;
    for (const decoded of events) {
      if (!decoded.ok) continue;
      const { user } = decoded.event;
      // What is found of somebody who was forgotten since the last commit does not count any more.
      if (this.state.users.has(user) || this.#out.forgotten.some((gone) => gone.user === user)) continue;
      const found = users.get(user);
      const record = found instanceof Promise ? await found : found;
      if (record !== null) this.state.restoreUser(user, record);
    }
  }

  /**
   * Takes the versions in that experiments among these records pin: they score from that very record on. Those that
   * are not needed any more are let go.
   */
  async #pin(records: readonly LogRecord[]): Promise<void> {
    const changes = records.filter(({ headers }) => headers[EXPERIMENT] !== undefined);
    if (this.#pins === undefined || changes.length === 0 && !this.state.hasSparePins) return;
    const coming = changes.flatMap(({ value }) => {
      const record = readExperiment(value);
      return record instanceof Error ? [] : [record];
    });
    const keys = [...this.state.pins(), ...pinnedModels(coming, this.state.servingModel)];
    this.state.setPinned(await this.#pins.need(this.partition, new Set(keys)));
  }

  #apply(record: LogRecord, decoded: DecodedEvent): void {
    this.#catalogue.applyBefore(record.offset);
    if (record.headers[EXPERIMENT] !== undefined) {
      this.#applyExperiment(record);
      return;
    }
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
    this.#numbers.add(this.#out, this.partition, record.offset);
    if (refused !== null) this.#reject(record, refused.code, refused.reason);
    for (let s = before; s < this.#out.samples.length; s++) {
      this.#roundRows += sizeInBatch(this.#out.samples[s]!);
    }
  }

  #applyExperiment(record: LogRecord): void {
    const experiment = readExperiment(record.value);
    if (experiment instanceof Error) this.#reject(record, "wrong-type", experiment.message);
    else this.state.applyExperiments([experiment]);
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

  #applyItem(record: LogRecord): void {
    if (record.value === null) {
      if (record.key !== null) this.state.removeItem(record.key, record.time);
      return;
    }
    const decoded = decodeItem(record.value);
    if (decoded.ok) this.state.applyItem(decoded.item);
    else this.#reject(record, decoded.code, decoded.reason);
  }
}

/** An experiment, or why it is none. */
function readExperiment(value: Uint8Array | null): ExperimentRecord | Error {
  try {
    return decodeExperiment(value ?? new Uint8Array(0));
  } catch (error) {
    return error as Error;
  }
}
