/**
 * The runtime of a task: reads one partition's events, lets {@linkcode TaskState} apply them, and commits
 * outputs, changed states and input position together. A crash at any moment resumes from the last commit.
 *
 * Work is done in *rounds*. Where a round ends depends on the events alone (on a number of rows of samples, or of
 * events), never on how the log cut them into batches, so a restart goes through the same rounds again.
 */

import type { TaskState } from "../../src/engine/task_state.ts";
import type { LogRecord } from "../log/log.ts";
import type { CatalogueReader } from "./catalogue_reader.ts";
import type { InputWatch } from "./inputs/inputs.ts";
import type { RoundLimits, RoundResult, StepOptions, TaskOpening } from "./options.ts";
import type { Others } from "./others.ts";
import { Round } from "./round.ts";
import { Stepper } from "./stepper.ts";
import type { StateStore } from "./store/state_store.ts";
import { openParts, type TaskParts } from "./task_parts.ts";
import type { UserReader } from "./user_table.ts";

/** Number of events that a round reads at once. */
const READ_EVENTS = 256;

/** One partition's task. */
export class Task implements AsyncDisposable {
  readonly partition: number;
  readonly state: TaskState;
  /** Its users, in memory or not. */
  readonly users: UserReader;
  /** The topics that it reads. */
  readonly inputs: InputWatch;
  /** Positions in the catalogue topic up to which everything is applied, and committed. */
  readonly catalogue: Pick<CatalogueReader, "applied" | "committed">;
  /** What it learns from the tasks of other partitions. */
  readonly others: Pick<Others, "learnt" | "positions" | "committed" | "isShared">;
  /** The local snapshot, as of the last commit; `null` when there is none. */
  readonly store: Pick<StateStore, "status" | "copy"> | null;
  /** Offset of the first event to read when it was opened. */
  readonly openedAt: number;
  readonly #parts: TaskParts;
  readonly #round: Round;
  readonly #stepper: Stepper;

  private constructor(parts: TaskParts) {
    this.#parts = parts;
    this.partition = parts.partition;
    this.state = parts.state;
    this.users = parts.users;
    this.inputs = parts.inputs;
    this.catalogue = parts.catalogue;
    this.others = parts.others;
    this.store = parts.store;
    this.openedAt = parts.events.next;
    this.#round = new Round(parts);
    this.#stepper = new Stepper(parts, this.#round);
  }

  /** Takes the partition over: fences any other owner, then restores the state. */
  static async open(opening: TaskOpening): Promise<Task> {
    return new Task(await openParts(opening));
  }

  /** See {@linkcode EventApplier.lastErasure}; since the task was opened. */
  get lastErasure(): number {
    return this.#round.lastErasure;
  }

  /** Offset of the next event to read. */
  get next(): number {
    return this.#parts.events.next;
  }

  /** Offset up to which everything is committed. */
  get committed(): number {
    return this.#round.committed;
  }

  /** Whether something was applied, or learnt from other tasks, but not committed. */
  get isDirty(): boolean {
    return this.#round.size > 0 || this.#parts.others.isDirty;
  }

  /** In a build, the number of the round that is committed next. */
  get buildRound(): number | undefined {
    return this.#round.number;
  }

  set buildRound(round: number | undefined) {
    this.#round.number = round;
  }

  /** Whether its commit writes events, because users hand over behaviours to others. */
  get hasMerges(): boolean {
    return this.#parts.outbox.hasMerges;
  }

  /** Whether events were waiting at the last step. */
  get isBehind(): boolean {
    return this.#stepper.isBehind;
  }

  /** See {@linkcode Stepper.waitedMs}. */
  waitedMs(now: number): number {
    return this.#stepper.waitedMs(now);
  }

  /** Applies waiting events, for a service, and commits when that is due. @returns The number of events applied. */
  async step(options: StepOptions): Promise<number> {
    return await this.#stepper.step(options);
  }

  /** Applies events until the round ends or the log has no more; commits at the end of a round. */
  async round(limits: RoundLimits): Promise<RoundResult> {
    const { catalogue, events: waiting, outbox } = this.#parts;
    const round = this.#round;
    await catalogue.read();
    let events = 0;
    for (;;) {
      await round.read({ maxRecords: Math.min(limits.events - round.size, READ_EVENTS) });
      if (waiting.first === undefined) {
        waiting.passGap();
        return { events, complete: false };
      }
      await round.prepare();
      for (let event = waiting.first; event !== undefined; event = waiting.first) {
        round.apply(event);
        events++;
        if (outbox.rows >= limits.rows || round.size >= limits.events) {
          await round.commit();
          return { events, complete: true };
        }
      }
    }
  }

  /** Reads up to the next event; if there is none, commits the position after offsets without one. @returns whether there is one */
  async reachEvent(): Promise<boolean> {
    const { events } = this.#parts;
    await this.#round.read({ maxRecords: READ_EVENTS });
    if (events.first !== undefined) return true;
    events.passGap();
    if (this.next > this.committed) await this.commit();
    return false;
  }

  /**
   * Learns a record of another partition of `signals`; steps do so by themselves.
   *
   * @param next the position after it
   * @throws RangeError when own events were applied since the last commit
   */
  learnOthers(record: LogRecord, next: number): void {
    if (this.#round.size > 0) {
      const { topic, partition, offset } = record;
      throw new RangeError(
        `Cannot learn ${topic}/${partition}@${offset}: ${this.#round.size} events have to be committed before`,
      );
    }
    this.#parts.others.learn(record, next);
  }

  /** Takes over the erasures so far of the generation that it follows. */
  async carryErased(): Promise<void> {
    await this.#parts.followed.erasures?.follow();
    if (this.state.erased.hasChanged) await this.commit();
  }

  /** Settles what is open at the end of a finite stream, and commits. */
  async flush(): Promise<void> {
    const { users, outbox } = this.#parts;
    await users.warmAll();
    this.state.flush(outbox.outputs);
    outbox.seal(this.next, { settledBefore: Infinity });
    await this.commit();
  }

  /** Makes everything since the last commit visible, atomically, and removes the names of erased users. */
  async commit(): Promise<void> {
    await this.#round.commit();
  }

  /** Releases the partition without committing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.owned.disposeAsync();
  }
}
