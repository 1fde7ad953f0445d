/**
 * The runtime of a task: reads one partition's events, lets {@linkcode TaskState} apply them, and commits
 * outputs, changed states and input position together. A crash at any moment resumes from the last commit.
 *
 * Work is done in *rounds*. Where a round ends depends on the events alone (on a number of rows of samples, or of
 * events), never on how the log cut them into batches, so a restart goes through the same rounds again.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { LogRecord } from "../log/log.ts";
import { recordTime } from "./commit_records.ts";
import { SnapshotPace } from "./commit_pace.ts";
import { EventApplier } from "./event_applier.ts";
import type { EventRead, EventReader } from "./inputs/event_reader.ts";
import {
  type RoundLimits,
  type RoundResult,
  STEP_OPTIONS,
  type StepOptions,
  type TaskOpening,
} from "./options.ts";
import type { InputWatch } from "./inputs/inputs.ts";
import type { Outbox } from "./outbox.ts";
import type { StoreStatus } from "./store/state_store.ts";
import { openParts, type TaskParts } from "./task_parts.ts";
import type { UserReader } from "./user_table.ts";

/** Number of events that a round reads at once. */
const READ_EVENTS = 256;

const logger = getLogger(["meander", "task"]);

/** One partition's task. */
export class Task implements AsyncDisposable {
  readonly partition: number;
  readonly state: TaskState;
  /** Its users, in memory or not. */
  readonly users: UserReader;
  readonly #parts: TaskParts;
  readonly #events: EventReader;
  readonly #outbox: Outbox;
  readonly #applier: EventApplier;
  readonly #snapshots: SnapshotPace;
  #committed: number;
  /** Whether the group's offset differs from the task's own record. */
  #isAstray: boolean;
  /** Number of events passed since the last commit. */
  #roundEvents = 0;
  /** Whether more events may wait: the last step did not apply all, or read as many as it requested. */
  #isBehind = false;
  /** When the oldest unanswered event was read, by the clock of steps. */
  #waitingSince = Infinity;
  /** When the catalogue was last read, by the clock of steps. */
  #itemsReadAt = -Infinity;

  /** In a build, the number of the round that is committed next. */
  buildRound: number | undefined;
  /** Offset of the first event that it has read. */
  readonly openedAt: number;

  private constructor(parts: TaskParts) {
    this.#parts = parts;
    this.partition = parts.partition;
    this.state = parts.state;
    this.users = parts.users;
    this.#events = parts.events;
    this.#outbox = parts.outbox;
    this.#applier = new EventApplier(parts);
    this.#snapshots = new SnapshotPace(parts.state.retrieval.state);
    this.#committed = parts.events.next;
    this.openedAt = parts.events.next;
    this.#isAstray = parts.inputs.isAstray;
  }

  /** Takes the partition over: fences any other owner, then restores the state. */
  static async open(opening: TaskOpening): Promise<Task> {
    return new Task(await openParts(opening));
  }

  /** See {@linkcode EventApplier.lastErasure}; since the task was opened. */
  get lastErasure(): number {
    return this.#applier.lastErasure;
  }

  /** Offset of the next event to read. */
  get next(): number {
    return this.#events.next;
  }

  /** Offset up to which everything is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Status of the local snapshot; `null` when there is none. */
  get snapshot(): StoreStatus | null {
    return this.#parts.store?.status ?? null;
  }

  /** Position in the catalogue topic up to which everything is applied. */
  get appliedItems(): number {
    return this.#parts.catalogue.applied;
  }

  /** Position in the catalogue topic up to which everything is committed. */
  get committedItems(): number {
    return this.#parts.catalogue.committed;
  }

  /**
   * The number of signals and positives learnt from other partitions since the task was opened, and the next positions
   * by partition: now, and after a crash.
   */
  get others(): {
    readonly learnt: number;
    readonly positions: ReadonlyMap<number, number>;
    readonly committed: ReadonlyMap<number, number>;
    readonly isShared: boolean;
  } {
    return this.#parts.others;
  }

  /** Copies the local snapshot, if any, as of the last commit. @param to an unused folder, which is replaced */
  async copySnapshot(to: string): Promise<void> {
    await this.#parts.store?.copy(to);
  }

  /** Whether events were waiting at the last step. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** How long the oldest unanswered event has waited, milliseconds; negative = none waits. */
  waitedMs(now: number): number {
    return now - this.#waitingSince;
  }

  /** Whether something was applied, or learnt from other tasks, but not committed. */
  get isDirty(): boolean {
    return this.#roundEvents > 0 || this.#parts.others.isDirty;
  }

  /**
   * Learns a record of another partition of `signals`; steps do so by themselves.
   *
   * @param next the position after it
   * @throws RangeError when own events were applied since the last commit
   */
  learnOthers(record: LogRecord, next: number): void {
    if (this.#roundEvents > 0) {
      const { topic, partition, offset } = record;
      throw new RangeError(
        `Cannot learn ${topic}/${partition}@${offset}: ${this.#roundEvents} events have to be committed before`,
      );
    }
    this.#parts.others.learn(record, next);
  }

  /** Reads up to the next event; if there is none, commits the position after offsets without one. @returns whether */
  async reachEvent(): Promise<boolean> {
    await this.#events.read({ maxRecords: READ_EVENTS });
    if (this.#events.first !== undefined) return true;
    await this.#lose();
    this.#events.passGap();
    if (this.next > this.#committed) await this.commit();
    return false;
  }

  /** Applies events until the round ends or the log has no more; commits at the end of a round. */
  async round(limits: RoundLimits): Promise<RoundResult> {
    const waiting = this.#events;
    await this.#parts.catalogue.read();
    let events = 0;
    for (;;) {
      await waiting.read({ maxRecords: Math.min(limits.events - this.#roundEvents, READ_EVENTS) });
      await this.#lose();
      if (waiting.first === undefined) {
        waiting.passGap();
        return { events, complete: false };
      }
      await this.#prepare();
      for (let event = waiting.first; event !== undefined; event = waiting.first) {
        this.#apply(event);
        events++;
        if (this.#outbox.rows >= limits.rows || this.#roundEvents >= limits.events) {
          await this.commit();
          return { events, complete: true };
        }
      }
    }
  }

  /**
   * Applies waiting events, for a service, and commits when that is due: an event after a pause is committed at once,
   * events in quick succession together.
   *
   * @returns The number of events applied.
   */
  async step(options: StepOptions): Promise<number> {
    const limits = limitsOf(options);
    const { delivery, store } = this.#parts;
    const waiting = this.#events;
    if (store?.isPurgeDue) store.maintain();
    await this.#learnFirst(limits.now);
    await this.#readSome(limits);
    const { catalogue } = this.#parts;
    if (catalogue.isAtEnd) await this.#prepare(); // events see the items that were there before them
    const applied = catalogue.isAtEnd ? await this.#applySome(limits) : 0;
    if (waiting.first === undefined) waiting.passGap();
    else this.#isBehind = true;
    if (delivery === "at-least-once") this.#outbox.send(recordTime(this.state));
    const isLeft = this.#roundEvents > 0 || this.#passedGap || catalogue.isBehind ||
      this.#snapshots.untilDue(limits.now) === 0;
    if (isLeft && limits.now() >= this.#dueAt(limits)) await this.#commitInStep(limits.now);
    if (waiting.first === undefined && !this.#outbox.isAsked) this.#waitingSince = Infinity;
    return applied;
  }

  /** When the next commit is due. */
  #dueAt(limits: StepLimits): number {
    return this.#parts.pace.dueAt(this.#outbox.isAsked, limits);
  }

  async #commitInStep(now: () => number): Promise<void> {
    await this.#snapshots.commit(now, (pieces) => this.#write(pieces));
    this.#parts.pace.committed(now());
    this.#learnSome(now);
  }

  /** Learns from other tasks, if no own event waits for a commit, and removes the names of users that they erased. */
  async #learnFirst(now: () => number): Promise<void> {
    const { others } = this.#parts;
    if (this.#roundEvents === 0) this.#learnSome(now);
    others.eraseNames(now());
    if (this.#roundEvents === 0 && others.mustCommit(now())) await this.#write();
  }

  /** Reads events, and then items: those that were there before the events, as far as the time allows. */
  async #readSome(limits: StepLimits): Promise<void> {
    const { now, commitIntervalMs, sliceMs } = limits;
    const { catalogue } = this.#parts;
    if (!catalogue.isSeeking) await this.#readEvents(limits);
    if (catalogue.isAtEnd && now() - this.#itemsReadAt < commitIntervalMs) return;
    const begun = this.#itemsReadAt = now();
    await catalogue.read(() => now() - begun >= sliceMs);
  }

  /** Reads events, waiting for some at most until a commit is due. */
  async #readEvents(limits: StepLimits): Promise<void> {
    const { now, maxEvents, waitMs, signal } = limits;
    const { catalogue } = this.#parts;
    const untilDue = this.#roundEvents > 0 ? this.#dueAt(limits) - now() : this.#idleMs(limits);
    this.#isBehind = await this.#events.read({
      maxRecords: maxEvents,
      waitMs: catalogue.isBehind ? 0 : Math.max(0, Math.min(waitMs, untilDue)),
      signal,
    });
    await this.#lose();
    if (this.#events.first !== undefined) this.#waitingSince = Math.min(this.#waitingSince, now());
  }

  /** Longest wait for an event while none waits for a commit: until a piece of a snapshot is due, or others' signals. */
  #idleMs(limits: StepLimits): number {
    const { now, waitMs } = limits;
    const untilOthers = this.#parts.others.idleMs(waitMs);
    const untilPiece = this.#snapshots.untilDue(now);
    if (untilPiece === Infinity) return untilOthers;
    return Math.min(untilOthers, Math.max(untilPiece, this.#dueAt(limits) - now()));
  }

  /** Applies waiting events until the slice is over, and commits whenever due. @returns how many were applied */
  async #applySome({ now, sliceMs, commitEvents, commitIntervalMs }: StepLimits): Promise<number> {
    const { delivery, others, users, pace, catalogue } = this.#parts;
    const waiting = this.#events;
    const begun = now();
    const isOver = () => now() - begun >= sliceMs;
    let applied = 0;
    for (let event = waiting.first; event !== undefined; event = waiting.first) {
      if (applied > 0 && isOver()) break;
      if (!catalogue.applyBefore(event.record.offset, isOver)) break;
      if (delivery === "at-least-once" && this.#roundEvents === 0 && others.isDirty) {
        // What a recommendation depends on is committed before it is sent, so that a repeat is the same.
        await this.#write();
        await users.warm(waiting.users);
      }
      this.#apply(event);
      applied++;
      const at = now();
      pace.applied(at);
      if (this.#roundEvents >= commitEvents || at >= pace.latestAt(commitIntervalMs)) {
        await this.#commitInStep(now);
        await users.warm(waiting.users); // the commit may have evicted some of them
      }
    }
    return applied;
  }

  /** Learns from other tasks, but not before events that the previous run may have answered. */
  #learnSome(now: () => number): void {
    const { others, repeatsUntil } = this.#parts;
    if (this.next >= repeatsUntil) others.learnSome(now, this.#isBehind);
  }

  /** Takes over the erasures so far of the generation that it follows. */
  async carryErased(): Promise<void> {
    await this.#parts.followed.erasures?.follow();
    if (this.state.erased.hasChanged) await this.commit();
  }

  /** Loads what waiting events need: versions that experiments pin, given answers, users who are not in memory. */
  async #prepare(): Promise<void> {
    const { records } = this.#events;
    const { given, erasures } = this.#parts.followed;
    await this.#parts.experiments.pin(records);
    const last = records.at(-1);
    if (last !== undefined) await given?.readTo(records[0]!.offset, last.offset);
    // Erasures whose events had been dropped when these events were read are known by now.
    if (this.#events.hasMerge) await erasures?.follow();
    await this.#parts.users.warmDue(this.#events.newestTime);
    await this.#parts.users.warm(this.#events.users);
  }

  /** Applies the first waiting event. */
  #apply(event: EventRead): void {
    this.#applier.apply(event);
    this.#events.pass();
    this.#roundEvents++;
  }

  /**
   * Whether only offsets without a record are left to commit, such as a transaction marker on Kafka or trimmed ones:
   * without that commit, an idle task would show lag until the next event.
   */
  get #passedGap(): boolean {
    if (this.#roundEvents > 0 || this.#events.first !== undefined) return false;
    return this.next > this.#committed || this.#isAstray;
  }

  /** Counts and logs offsets that the log dropped before they were read. Stopping would not bring them back. */
  async #lose(): Promise<void> {
    const lost = this.#events.takeLost();
    if (lost === undefined) return;
    const { from, to } = lost;
    await this.#parts.users.warmAll();
    this.state.lose(to - from);
    logger.error(
      "task {partition} has lost {count} offsets of {place}, {from} to {last}: the log dropped them before they were " +
        "applied. It continues after them; lists that were open give no samples. Repeat erasures that were requested " +
        "in between, and have the topic keep its events for longer than a task may be away",
      { partition: this.partition, count: to - from, place: this.#parts.place, from, last: to - 1 },
    );
  }

  /** The topics that it reads. */
  get inputs(): InputWatch {
    return this.#parts.inputs;
  }

  /** Whether its commit writes events, because users hand over behaviours to others. */
  get hasMerges(): boolean {
    return this.#outbox.hasMerges;
  }

  /** Settles what is open at the end of a finite stream, and commits. */
  async flush(): Promise<void> {
    await this.#parts.users.warmAll();
    this.state.flush(this.#outbox.outputs);
    this.#outbox.seal(this.next, { settledBefore: Infinity });
    await this.commit();
  }

  /** Makes everything since the last commit visible, atomically, and removes the names of erased users. */
  async commit(): Promise<void> {
    this.#snapshots.dropNames();
    await this.#write(Infinity);
  }

  /** @param pieces of a snapshot of retrieval */
  async #write(pieces = 0): Promise<void> {
    const { state, outbox, catalogue, others, store } = this.#parts;
    if (this.#parts.delivery === "at-least-once") {
      // Before the input position moves, so that a crash in between repeats them rather than loses them.
      outbox.send(recordTime(state));
      await outbox.arrived();
    }
    await this.#parts.committer.commit({
      next: this.next,
      committed: this.#committed,
      itemsApplied: catalogue.applied,
      others: others.note,
      pieces,
      round: this.buildRound,
    });
    this.#committed = this.next;
    this.#isAstray = false;
    this.#roundEvents = 0;
    catalogue.keep();
    others.keep();
    state.memory.evict(this.#parts.maxStateBytes);
    await store?.room();
  }

  /** Releases the partition without committing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.owned.disposeAsync();
  }
}

type StepLimits = ReturnType<typeof limitsOf>;

/** The limits of a step. Applies defaults itself rather than by `settle()`, because it runs at every step. */
function limitsOf(
  {
    now,
    signal,
    maxEvents = STEP_OPTIONS.maxEvents.value,
    waitMs = STEP_OPTIONS.waitMs.value,
    commitIntervalMs = STEP_OPTIONS.commitIntervalMs.value,
    commitEvents = STEP_OPTIONS.commitEvents.value,
    answerIntervalMs = commitIntervalMs,
    sliceMs = STEP_OPTIONS.sliceMs.value,
  }: StepOptions,
) {
  return { now, signal, maxEvents, waitMs, commitIntervalMs, commitEvents, answerIntervalMs, sliceMs };
}
