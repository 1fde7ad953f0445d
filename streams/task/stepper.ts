/**
 * Steps of a task in a service: each waits for events, applies some, and commits when that is due. An event after a
 * pause is committed at once, events in quick succession together.
 */

import { recordTime } from "./commit_records.ts";
import { STEP_OPTIONS, type StepOptions } from "./options.ts";
import type { Round } from "./round.ts";
import type { TaskParts } from "./task_parts.ts";

/** Takes steps, by the clock of its caller. */
export class Stepper {
  readonly #parts: TaskParts;
  readonly #round: Round;
  #isBehind = false;
  /** When the oldest unanswered event was read. */
  #waitingSince = Infinity;
  /** When the catalogue was last read. */
  #itemsReadAt = -Infinity;

  constructor(parts: TaskParts, round: Round) {
    this.#parts = parts;
    this.#round = round;
  }

  /** Whether more events may wait: the last step did not apply all, or read as many as it requested. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** How long the oldest unanswered event has waited, milliseconds; negative = none waits. */
  waitedMs(now: number): number {
    return now - this.#waitingSince;
  }

  /** Takes a step. @returns The number of events applied. */
  async step(options: StepOptions): Promise<number> {
    const limits = limitsOf(options);
    const { delivery, store, catalogue, events, outbox, snapshots, state } = this.#parts;
    const round = this.#round;
    if (store?.isPurgeDue) store.maintain();
    await this.#learnFirst(limits.now);
    await this.#readSome(limits);
    if (catalogue.isAtEnd) await round.prepare(); // events see the items that were there before them
    const applied = catalogue.isAtEnd ? await this.#applySome(limits) : 0;
    if (events.first === undefined) events.passGap();
    else this.#isBehind = true;
    if (delivery === "at-least-once") outbox.send(recordTime(state));
    const isLeft = round.size > 0 || round.isGap || catalogue.isBehind ||
      snapshots.untilDue(limits.now) === 0;
    if (isLeft && limits.now() >= this.#dueAt(limits)) await this.#commit(limits.now);
    if (events.first === undefined && !outbox.isAsked) this.#waitingSince = Infinity;
    return applied;
  }

  /** When the next commit is due. */
  #dueAt(limits: StepLimits): number {
    return this.#parts.pace.dueAt(this.#parts.outbox.isAsked, limits);
  }

  async #commit(now: () => number): Promise<void> {
    const { snapshots, pace } = this.#parts;
    await snapshots.commit(now, (pieces) => this.#round.write(pieces));
    pace.committed(now());
    this.#learnSome(now);
  }

  /** Learns from other tasks, if no own event waits for a commit, and removes the names of users that they erased. */
  async #learnFirst(now: () => number): Promise<void> {
    const { others } = this.#parts;
    if (this.#round.size === 0) this.#learnSome(now);
    others.eraseNames(now());
    if (this.#round.size === 0 && others.mustCommit(now())) await this.#round.write();
  }

  /** Learns from other tasks, but not before events that the previous run may have answered. */
  #learnSome(now: () => number): void {
    const { others, events, repeatsUntil } = this.#parts;
    if (events.next >= repeatsUntil) others.learnSome(now, this.#isBehind);
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
    const { catalogue, events } = this.#parts;
    const untilDue = this.#round.size > 0 ? this.#dueAt(limits) - now() : this.#idleMs(limits);
    this.#isBehind = await this.#round.read({
      maxRecords: maxEvents,
      waitMs: catalogue.isBehind ? 0 : Math.max(0, Math.min(waitMs, untilDue)),
      signal,
    });
    if (events.first !== undefined) this.#waitingSince = Math.min(this.#waitingSince, now());
  }

  /** Longest wait for an event while none waits for a commit: until a piece of a snapshot is due, or others' signals. */
  #idleMs(limits: StepLimits): number {
    const { now, waitMs } = limits;
    const untilOthers = this.#parts.others.idleMs(waitMs);
    const untilPiece = this.#parts.snapshots.untilDue(now);
    if (untilPiece === Infinity) return untilOthers;
    return Math.min(untilOthers, Math.max(untilPiece, this.#dueAt(limits) - now()));
  }

  /** Applies waiting events until the slice is over, and commits whenever due. @returns how many were applied */
  async #applySome({ now, sliceMs, commitEvents, commitIntervalMs }: StepLimits): Promise<number> {
    const { delivery, others, users, pace, catalogue, events } = this.#parts;
    const round = this.#round;
    const begun = now();
    const isOver = () => now() - begun >= sliceMs;
    let applied = 0;
    for (let event = events.first; event !== undefined; event = events.first) {
      if (applied > 0 && isOver()) break;
      if (!catalogue.applyBefore(event.record.offset, isOver)) break;
      if (delivery === "at-least-once" && round.size === 0 && others.isDirty) {
        // What a recommendation depends on is committed before it is sent, so that a repeat is the same.
        await round.write();
        await users.warm(events.users);
      }
      round.apply(event);
      applied++;
      const at = now();
      pace.applied(at);
      if (round.size >= commitEvents || at >= pace.latestAt(commitIntervalMs)) {
        await this.#commit(now);
        await users.warm(events.users); // the commit may have evicted some of them
      }
    }
    return applied;
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
