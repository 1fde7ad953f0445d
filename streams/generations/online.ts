/**
 * Builds a generation beside the one that serves, in the process that serves, and switches to it without a request that
 * fails.
 *
 * ```text
 *   events   ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■│▪▪▪▪▪▪▪▪      ■ of the old generation   ▪ of the new one
 *   old      ──────────────────────────────────── stops, commits
 *   new       leg 1 ─────────────│ leg 2 ──│ 3 │4│last│ leads    each leg ends where the old one had committed
 * ```
 *
 * The first legs may be built in a thread of their own. Requests wait on the log from the last commit of the old generation to the first of the new one. Where a leg ends is
 * written before it begins: killed at any moment, the same legs give the same bytes.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import { pause } from "../log/pause.ts";
import type { WarmGeneration } from "../service/jobs/options.ts";
import type { Replaceable } from "../service/replaceable.ts";
import type { Service } from "../service/service.ts";
import type { Task } from "../task/task.ts";
import { servingRecord } from "../topics/serving.ts";
import { GentleLog } from "./gentle_log.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";
import type { Generation } from "../topics/generations.ts";
import { distance, goalFor, positionsOf } from "./positions.ts";
import { Rebuild, type RebuildOptions, type RebuildProgress } from "./rebuild.ts";
import { ThreadedBuild, type ThreadedBuildOptions } from "./threaded_build.ts";
import { generationRecord } from "../topics/generations.ts";

/** What is built beside what, and how. */
export interface OnlineOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Number of the generation that serves. */
  readonly serving: number;
  /** What is built, as its record is. */
  readonly generation: Generation;
  /** How it is built. */
  readonly rebuild: Omit<RebuildOptions, "until">;
  /** The service that answers meanwhile. */
  readonly place: Replaceable;
  /** Offsets at which it stops to read events, by task; nowhere at first. */
  readonly ends: number[];
  /** Starts the service that follows it, which may wait for its tasks. */
  readonly start: (warm: WarmGeneration | undefined) => Promise<Service>;
  /**
   * Asked once before the switch. @returns whether the generation may serve
   *
   * @param log to read in pieces
   */
  readonly mayServe: (log: Log) => Promise<boolean>;
  /** Builds in a thread of its own until little is left. @default {all is built in this thread} */
  readonly thread?: ThreadedBuildOptions | undefined;
  /** Share of this thread that it takes, in (0, 1]. */
  readonly share: number;
  /** Told about each step. */
  readonly onStep?: ((progress: RebuildProgress, rebuild: Rebuild) => void) | undefined;
  /** Ends it between two steps. */
  readonly signal: AbortSignal;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What became of it. */
export interface OnlineResult {
  /** Whether the new generation serves. */
  readonly isSwitched: boolean;
  /** Time from the last commit of the old tasks to the start of the new ones, milliseconds. */
  readonly pauseMs: number;
}

/** Events that are left for the time in which nobody answers. */
const NEAR_EVENTS = 128;
/** Events that are left for this thread. */
const FEW_EVENTS = 1000;
/** A leg that leaves more than this share of the one before does not catch up at the share of the thread that it has. */
const SLOW = 0.5;

/** Longest wait for tasks to come to one place, and the time between two looks. */
const EVEN_MS = 1000;
/** Longest wait for a group to assign partitions, and for the first task. */
const JOIN_MS = 10_000;
const LOOK_MS = 5;

/** Builds until it has caught up, then switches. @throws the signal's reason */
export async function rebuildOnline(log: Log, options: OnlineOptions): Promise<OnlineResult> {
  const { topics, serving, generation, place, signal, clock, now } = options;
  const before = generationTopics(topics, serving);
  const { partitions: tasks } = generation.blueprint;
  const goal = async () => goalFor(await positionsOf(log, before), tasks);
  const sources = (await log.identify(topics.events))?.partitions;
  const note = async (until: readonly number[]) => {
    await log.append([generationRecord(topics, { ...generation, sources, until }, now())]);
  };
  let until = generation.until ?? await goal();
  await note(until);
  if (options.thread !== undefined) {
    const { service: _, task: { nowMicros: __, ...task }, ...spec } = options.rebuild;
    const plain = { ...spec, until, task };
    await using apart = new ThreadedBuild(log, plain, options.thread);
    for (let left = Infinity;;) {
      await apart.build(until, signal);
      const next = await goal();
      const events = distance(until, next);
      if (events <= FEW_EVENTS || events > left * SLOW) break;
      [left, until] = [events, next];
      await note(until);
    }
  }
  const gentle = new GentleLog(log);
  await using rebuild = await Rebuild.open(gentle.log, { ...options.rebuild, until });
  const extend = async () => {
    const next = await goal();
    const events = distance(until, next);
    until = next;
    await note(until);
    rebuild.extend(until);
    return events;
  };
  let share = options.share;
  const catchUp = async () => {
    for (let left = Infinity;;) {
      await build(rebuild, share, options);
      const events = await extend();
      if (events <= NEAR_EVENTS) return;
      if (events > left * SLOW) share = Math.min(1, share * 2);
      left = events;
    }
  };
  await catchUp();
  if (!await options.mayServe(gentle.log)) return { isSwitched: false, pauseMs: 0 };
  const isWarm = options.rebuild.service !== undefined;
  const tasksOf = Promise.withResolvers<Map<number, Task>>();
  const early = isWarm ? await options.start({ ...rebuild.warm, tasks: tasksOf.promise }) : undefined;
  try {
    if (early !== undefined) await waitFor(() => early.hasJoined, options);
    await catchUp();
    await build(rebuild, 1, options);
    signal.throwIfAborted();
    const begun = clock();
    if (!await isEven(log, options)) {
      await early?.stop();
      return { isSwitched: false, pauseMs: 0 };
    }
    gentle.end();
    await place.release();
    await extend();
    while (await rebuild.step(true));
    await log.append([servingRecord(topics, generation.number, now())]);
    if (isWarm) tasksOf.resolve(await rebuild.lead());
    else await rebuild[Symbol.asyncDispose]();
    const next = early ?? await options.start(undefined);
    await waitFor(() => next.tasks.size > 0, options);
    const old = place.replace(next);
    const pauseMs = clock() - begun;
    await old.stop();
    return { isSwitched: true, pauseMs };
  } catch (error) {
    await early?.stop();
    throw error;
  }
}

/** Waits for a service, but not for ever: who waits for its first task waits on the log, too. */
async function waitFor(
  condition: () => boolean,
  { clock, signal }: Pick<OnlineOptions, "clock" | "signal">,
): Promise<void> {
  const deadline = clock() + JOIN_MS;
  while (!condition() && clock() < deadline && !signal.aborted) await pause(LOOK_MS, signal);
}

/**
 * Has tasks that share a partition come to one place of it, where others are to share it otherwise: what one of them has
 * answered and another not would be neither.
 */
async function isEven(
  log: Log,
  { topics, serving, generation, ends, signal, clock }: OnlineOptions,
): Promise<boolean> {
  const before = generationTopics(topics, serving);
  const { partitions: count } = generation.blueprint;
  const deadline = clock() + EVEN_MS;
  for (;;) {
    const now = await positionsOf(log, before);
    const { partitions, tasks } = now;
    if (tasks.length === count || tasks.length === partitions) return true;
    // One may have read beyond the end that it was given.
    for (const task of tasks.keys()) {
      const sharing = tasks.filter((_, other) => other % partitions === task % partitions);
      ends[task] = Math.max(...sharing, ends[task] === Infinity ? 0 : ends[task]!);
    }
    if (tasks.every((next, task) => next === ends[task])) return true;
    if (clock() >= deadline || signal.aborted) break;
    await pause(LOOK_MS, signal);
  }
  ends.fill(Infinity);
  return false;
}

/** Builds a leg. */
async function build(
  rebuild: Rebuild,
  share: number,
  { signal, clock, onStep }: Pick<OnlineOptions, "signal" | "clock" | "onStep">,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const begun = clock();
    const isOpen = await rebuild.step();
    onStep?.(rebuild.progress, rebuild);
    if (!isOpen) return;
    await pause((clock() - begun) * (1 - share) / share, signal);
  }
}
