/**
 * Hands a generation over from the thread that has built it to the one that serves.
 *
 * ```text
 *   events   ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■│▪▪▪▪▪▪▪▪      ■ of the old generation   ▪ of the new one
 *   old      ──────────────────────────────────── stops, commits
 *   new       leg 1 ─────────────│ leg 2 ──│ 3 │4│last│
 *   standby                          follows ·  · ·   ·│ answers: it opens the writers of the new tasks
 * ```
 *
 * Requests wait on the log from the last commit of the old generation to the first of the new one. Standby tasks only have
 * to apply what the last leg has committed.
 */

import { ignore } from "../../log/ignore.ts";
import { type Log, LogError } from "../../log/log.ts";
import { pause } from "../../log/pause.ts";
import type { WarmGeneration } from "../../service/jobs/options.ts";
import type { Service } from "../../service/service.ts";
import type { Task } from "../../task/task.ts";
import { generationTopics } from "../../topics/topics.ts";
import { type Generation, generationsOf } from "../../topics/generations.ts";
import type { GentleLog } from "./gentle_log.ts";
import { isUneven, type Positions, positionsOf } from "../positions.ts";
import type { Succession } from "../succession.ts";
import { CannotSwitchYet, type Legs, type LegsOptions } from "./legs.ts";
import type { Notes } from "./notes.ts";
import type { Standby } from "./standby.ts";

export interface HandOverOptions extends Omit<LegsOptions, "mostMs"> {
  /** Keeps this process, like all others, on the generation that serves. */
  readonly succession: Succession;
  /** Starts the service of a generation, which waits for its tasks. @param ends where tasks stop, by task */
  readonly start: (warm: WarmGeneration, ends: number[], generation: number) => Promise<Service>;
  /** Pause before the next attempt to stop tasks at one place, doubled each time, milliseconds. @default {5000} */
  readonly closeAgainMs?: number | undefined;
}

/** The result of a rebuild. */
export interface OnlineResult {
  /** Whether the new generation serves. */
  readonly isSwitched: boolean;
  /** Time from the order to stop the old tasks to the start of the new ones, milliseconds. */
  readonly pauseMs: number;
}

export interface HandOver {
  readonly legs: Legs;
  readonly standby: Standby;
  readonly notes: Notes;
  /** What rests for requests, until they wait for it. */
  readonly gentle: GentleLog;
}

/** Longest wait for tasks to reach the same offset, and pause before the next attempt. */
const EVEN_MS = 1000;
const CLOSE_AGAIN_MS = 5000;
const LONGEST_CLOSE_AGAIN_MS = 300_000;
/** Longest wait for a group to assign partitions, and for the first task. */
const JOIN_MS = 10_000;
const LOOK_MS = 5;

/**
 * Stops the serving tasks, has the last leg built, and lets the standby tasks answer.
 *
 * @throws {CannotSwitchYet} when events arrive too fast, or another process has taken the switch back
 */
export async function handOver(
  log: Log,
  { legs, standby, notes, gentle }: HandOver,
  options: HandOverOptions,
): Promise<OnlineResult> {
  const { topics, serving, generation: { number }, succession, signal, clock } = options;
  const { patienceMs } = succession;
  const old = (await generationsOf(log, topics)).get(serving);
  const built = Promise.withResolvers<Map<number, Task>>();
  const next = await options.start({ ...standby.warm, tasks: built.promise }, standby.ends, number);
  let isClosing = false;
  try {
    await legs.beside(waitFor(() => next.hasJoined, options));
    for (let evenMs = EVEN_MS, againMs = options.closeAgainMs ?? CLOSE_AGAIN_MS;;) {
      await legs.catchUp(async () => {
        const rested = gentle.restedMs;
        await standby.follow();
        return gentle.restedMs - rested;
      });
      const before = await positionsOf(log, generationTopics(topics, serving));
      const begun = clock();
      succession.suspend();
      await using held = new AsyncDisposableStack();
      isClosing = true;
      if (await close(log, notes, held, { ...options, before, evenMs: Math.min(evenMs, patienceMs / 2) })) {
        gentle.end();
        await legs.finish();
        await takeOver({ standby, notes }, old, (tasks) => built.resolve(tasks));
        await waitFor(() => next.tasks.size > 0, options);
        const replaced = await succession.replace(number, { service: next, ends: standby.ends });
        const pauseMs = clock() - begun;
        await replaced.stop();
        return { isSwitched: true, pauseMs };
      }
      await notes.closing(null);
      isClosing = false;
      await succession.resume();
      await pause(againMs, signal);
      [evenMs, againMs] = [evenMs * 2, Math.min(againMs * 2, LONGEST_CLOSE_AGAIN_MS)];
    }
  } catch (error) {
    if (succession.place.current !== next) await next.stop();
    await ignore(notes.closing(null), "the process that has fenced it decides");
    await succession.resume();
    const isTakenBack = isClosing && error instanceof LogError && error.code === "fenced";
    if (!isTakenBack) throw error;
    throw new CannotSwitchYet(`Cannot switch within ${patienceMs} ms: another process took it back`, {
      cause: error,
    });
  }
}

/**
 * Opens the standby tasks, and records that their generation serves.
 *
 * @param old the generation that served
 * @param answer receives the tasks, which are disposed of if it does not get that far
 */
async function takeOver(
  { standby, notes }: Pick<HandOver, "standby" | "notes">,
  old: Generation | undefined,
  answer: (tasks: Map<number, Task>) => void,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const tasks = await standby.takeOver();
  for (const task of tasks.values()) opened.use(task);
  await notes.serves(old);
  answer(tasks);
  opened.move();
}

/** Waits for a service, within a limit: requests that wait for its first task wait on the log anyway. */
async function waitFor(
  condition: () => boolean,
  { clock, signal }: Pick<HandOverOptions, "clock" | "signal">,
): Promise<void> {
  const deadline = clock() + JOIN_MS;
  while (!condition() && clock() < deadline && !signal.aborted) await pause(LOOK_MS, signal);
}

/**
 * Stops the serving tasks for good. If the new tasks share partitions differently, old tasks that share one first
 * reach the same offset; otherwise it would be unclear which of its events are answered.
 *
 * @param held receives what keeps them from committing
 * @param before their positions just before
 * @returns whether they have stopped; if not, take the switch back
 */
async function close(
  log: Log,
  notes: Notes,
  held: AsyncDisposableStack,
  { topics, serving, generation, succession, signal, clock, before, evenMs }:
    & HandOverOptions
    & { readonly before: Positions; readonly evenMs: number },
): Promise<boolean> {
  const { number: to, blueprint: { partitions: count } } = generation;
  const positions = async () => await positionsOf(log, generationTopics(topics, serving));
  const isShared = before.tasks.length !== count && before.tasks.length !== before.partitions;
  let ends = isShared ? evenEnds(before, []) : before.tasks.map(() => 0);
  await notes.closing({ to, ends });
  for (const deadline = clock() + evenMs; isShared;) {
    const at = await positions();
    if (at.tasks.every((next, task) => next === ends[task])) break;
    if (clock() >= deadline || signal.aborted) return false;
    const higher = evenEnds(at, ends);
    if (higher.some((end, task) => end !== ends[task])) {
      ends = higher;
      await notes.closing({ to, ends });
    } else await pause(LOOK_MS, signal);
  }
  await succession.place.release();
  held.use(await succession.fence(serving, before.tasks.length));
  return !isShared || !isUneven(await positions(), count);
}

/** Common ends for tasks that share partitions, since some may have read beyond the ends given before. */
function evenEnds({ partitions, tasks }: Positions, ends: readonly number[]): readonly number[] {
  return tasks.map((_, task) =>
    Math.max(
      ...tasks.map((next, other) =>
        other % partitions === task % partitions ? Math.max(next, ends[other] ?? 0) : 0
      ),
    )
  );
}
