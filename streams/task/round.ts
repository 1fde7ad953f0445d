/**
 * What a task does from one commit to the next: it reads events, applies them, and makes visible what came of them.
 * When it does so is up to `task.ts` (a replay) and `stepper.ts` (a service).
 */

import { getLogger } from "@logtape/logtape";
import type { ReadOptions } from "../log/log.ts";
import { recordTime } from "./commit_records.ts";
import { EventApplier } from "./event_applier.ts";
import type { EventRead } from "./inputs/event_reader.ts";
import type { TaskParts } from "./task_parts.ts";

const logger = getLogger(["meander", "task"]);

export class Round {
  readonly #parts: TaskParts;
  readonly #applier: EventApplier;
  #committed: number;
  /** Whether the group's offset differs from the task's own record. */
  #isAstray: boolean;
  #size = 0;
  /** In a build, the number of the round. */
  number: number | undefined;

  constructor(parts: TaskParts) {
    this.#parts = parts;
    this.#applier = new EventApplier(parts);
    this.#committed = parts.events.next;
    this.#isAstray = parts.inputs.isAstray;
  }

  /** Number of events passed since the last commit. */
  get size(): number {
    return this.#size;
  }

  /** Offset up to which everything is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** See {@linkcode EventApplier.lastErasure}. */
  get lastErasure(): number {
    return this.#applier.lastErasure;
  }

  /**
   * Whether only offsets without a record are left to commit, such as a transaction marker on Kafka or trimmed ones:
   * without that commit, an idle task would show lag until the next event.
   */
  get isGap(): boolean {
    const { events } = this.#parts;
    return this.#size === 0 && events.first === undefined &&
      (events.next > this.#committed || this.#isAstray);
  }

  /** {@linkcode EventReader.read}; counts and logs offsets that the log dropped. Stopping would not bring them back. */
  async read(options: ReadOptions & { readonly maxRecords: number }): Promise<boolean> {
    const { events, users, state, partition, place } = this.#parts;
    const mayBeMore = await events.read(options);
    const lost = events.takeLost();
    if (lost === undefined) return mayBeMore;
    const { from, to } = lost;
    await users.warmAll();
    state.lose(to - from);
    logger.error(
      "task {partition} has lost {count} offsets of {place}, {from} to {last}: the log dropped them before they were " +
        "applied. It continues after them; lists that were open give no samples. Repeat erasures that were requested " +
        "in between, and have the topic keep its events for longer than a task may be away",
      { partition, count: to - from, place, from, last: to - 1 },
    );
    return mayBeMore;
  }

  /** Loads what waiting events need: versions that experiments pin, given answers, users who are not in memory. */
  async prepare(): Promise<void> {
    const { events, experiments, users, followed: { given, erasures } } = this.#parts;
    const { records } = events;
    await experiments.pin(records);
    const last = records.at(-1);
    if (last !== undefined) await given?.readTo(records[0]!.offset, last.offset);
    // Erasures whose events had been dropped when these events were read are known by now.
    if (events.hasMerge) await erasures?.follow();
    await users.warmDue(events.newestTime);
    await users.warm(events.users);
  }

  /** Applies the first waiting event. */
  apply(event: EventRead): void {
    this.#applier.apply(event);
    this.#parts.events.pass();
    this.#size++;
  }

  /** Commits, with all of a snapshot that removes the names of erased users, if there are any. */
  async commit(): Promise<void> {
    this.#parts.snapshots.dropNames();
    await this.write(Infinity);
  }

  /** Makes everything since the last commit visible, atomically. @param pieces of a snapshot of retrieval */
  async write(pieces = 0): Promise<void> {
    const { state, outbox, catalogue, others, store, events, committer } = this.#parts;
    if (this.#parts.delivery === "at-least-once") {
      // Before the input position moves, so that a crash in between repeats them rather than loses them.
      outbox.send(recordTime(state));
      await outbox.arrived();
    }
    const { next, epoch } = events;
    await committer.commit({
      next,
      epoch,
      committed: this.#committed,
      itemsApplied: catalogue.applied,
      others: others.note,
      pieces,
      round: this.number,
    });
    this.#committed = next;
    this.#isAstray = false;
    this.#size = 0;
    catalogue.keep();
    others.keep();
    state.memory.evict(this.#parts.maxStateBytes);
    await store?.room();
  }
}
