/**
 * Builds a generation beside the serving one, in the same process, and switches to it without failing a request.
 *
 * ```text
 *   events   ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■│▪▪▪▪▪▪▪▪      ■ of the old generation   ▪ of the new one
 *   old      ──────────────────────────────────── stops, commits
 *   new       leg 1 ─────────────│ leg 2 ──│ 3 │4│last│ leads    each leg ends where the old one had committed
 * ```
 *
 * The first legs may be built in a thread of their own. Requests wait on the log from the last commit of the old
 * generation to the first of the new one. The end of a leg is written before the leg begins, so after a kill at any
 * moment the same legs give the same bytes.
 *
 * @module
 */

import { type Log, LogError, type NewRecord } from "../log/log.ts";
import { ignore } from "../log/ignore.ts";
import { pause } from "../log/pause.ts";
import type { WarmGeneration } from "../service/jobs/options.ts";
import type { Service } from "../service/service.ts";
import type { Task } from "../task/task.ts";
import { closingRecord, servingRecord, switchState, switchWriterId } from "../topics/serving.ts";
import { GentleLog } from "./gentle_log.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";
import type { Generation } from "../topics/generations.ts";
import { distance, goalFor, isUneven, type Positions, positionsOf } from "./positions.ts";
import { Rebuild, type RebuildOptions, type RebuildProgress } from "./rebuild.ts";
import type { Succession } from "./succession.ts";
import { ThreadedBuild, type ThreadedBuildOptions } from "./threaded_build.ts";
import { generationRecord, generationsOf } from "../topics/generations.ts";

/** What is built beside what, and how. */
export interface OnlineOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Number of the generation that serves. */
  readonly serving: number;
  /** The generation to build, as in its record. */
  readonly generation: Generation;
  /** How it is built. */
  readonly rebuild: Omit<RebuildOptions, "until" | "service"> & Required<Pick<RebuildOptions, "service">>;
  /** Keeps this process, like the others, on the generation that serves. */
  readonly succession: Succession;
  /** Starts the service of a generation, which waits for its tasks. @param ends where tasks stop, by task */
  readonly start: (warm: WarmGeneration, ends: number[], generation: number) => Promise<Service>;
  /**
   * Called once before the switch. @returns whether the generation may serve
   *
   * @param log to read in pieces
   */
  readonly mayServe: (log: Log) => Promise<boolean>;
  /** Builds in a thread of its own until little is left. @default {all is built in this thread} */
  readonly thread?: ThreadedBuildOptions | undefined;
  /** Pause before another try to stop tasks at one place, doubled each time, milliseconds. @default {5000} */
  readonly closeAgainMs?: number | undefined;
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

/** The result of a rebuild. */
export interface OnlineResult {
  /** Whether the new generation serves. */
  readonly isSwitched: boolean;
  /** Time from the last commit of the old tasks to the start of the new ones, milliseconds. */
  readonly pauseMs: number;
}

/** Events left for the time in which nothing is answered. */
const NEAR_EVENTS = 128;
/** Events left for this thread. */
const FEW_EVENTS = 1000;
/** If a leg leaves more than this share of the previous one, it does not catch up with its share of the thread. */
const SLOW = 0.5;

/** Longest wait for tasks to reach the same offset, and pause before the next try. */
const EVEN_MS = 1000;
const CLOSE_AGAIN_MS = 5000;
const LONGEST_CLOSE_AGAIN_MS = 300_000;
/** Legs at the full share that may come out no shorter, and too slow ones before a switch. */
const LONG_LEGS = 3;
/** Switches that others may take back. */
const TRIES = 2;
/** Longest wait for a group to assign partitions, and for the first task. */
const JOIN_MS = 10_000;
const LOOK_MS = 5;

/**
 * Builds until it has caught up, then switches. An earlier builder is fenced.
 *
 * @throws the signal's reason
 */
export async function rebuildOnline(log: Log, options: OnlineOptions): Promise<OnlineResult> {
  const { topics, serving, generation, succession, signal, clock, now } = options;
  const before = generationTopics(topics, serving);
  const { partitions: tasks } = generation.blueprint;
  const { patienceMs } = succession;
  const goal = async () => {
    const positions = await positionsOf(log, before);
    await untilReadable(log, topics.recommendations, signal); // the answers that were committed with them
    return goalFor(positions, tasks);
  };
  const sources = (await log.identify(topics.events))?.partitions;
  await using writer = await log.writer(switchWriterId(topics), [{
    topic: topics.generations,
    partition: 0,
  }]);
  const write = async (...records: readonly NewRecord[]) =>
    void await writer.commit({ records, group: writer.id, offsets: [] });
  const note = async (until: readonly number[]) =>
    await write(generationRecord(topics, { ...generation, sources, until }, now()));
  const reopen = async () => await write(closingRecord(topics, null, now()));
  const old = (await generationsOf(log, topics)).get(serving);
  const found = await switchState(log, topics);
  if (found.serving !== serving) return { isSwitched: false, pauseMs: 0 };
  if (found.closing !== null) await reopen();
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
    for (let left = Infinity, long = 0;;) {
      const spentMs = await build(rebuild, share, options);
      const events = await extend();
      if (events <= NEAR_EVENTS) return;
      if (share === 1 && events > left * SLOW) {
        if (events * spentMs <= left * patienceMs / 10) return;
        if (events >= left && ++long === LONG_LEGS) {
          const rate = Math.round(left / spentMs * 1000);
          throw new Error(
            `Cannot catch up: ${events} events came while ${left} were built, ${rate} a second; build when fewer come, ` +
              "with more tasks, or at rest: deno task meander rebuild",
          );
        }
      }
      if (events > left * SLOW) share = Math.min(1, share * 2);
      left = events;
    }
  };
  await catchUp();
  if (!await options.mayServe(gentle.log)) return { isSwitched: false, pauseMs: 0 };
  const built = Promise.withResolvers<Map<number, Task>>();
  const next = await options.start(
    { ...rebuild.warm, tasks: built.promise },
    rebuild.ends,
    generation.number,
  );
  let isClosing = false;
  try {
    await waitFor(() => next.hasJoined, options);
    let [evenMs, closeAgainMs, slow] = [EVEN_MS, options.closeAgainMs ?? CLOSE_AGAIN_MS, 0];
    for (;;) {
      await catchUp();
      const spentMs = await build(rebuild, 1, options);
      signal.throwIfAborted();
      if (spentMs > patienceMs / 2) {
        if (++slow < LONG_LEGS) continue;
        throw new Error(
          `Cannot switch within ${patienceMs} ms: the last events alone took ${Math.round(spentMs)} ms; ` +
            "build when fewer come, or at rest: deno task meander rebuild",
        );
      }
      const begun = clock();
      succession.begin();
      await using held = new AsyncDisposableStack();
      isClosing = true;
      if (!await close(log, write, held, { ...options, evenMs: Math.min(evenMs, patienceMs / 2) })) {
        await reopen();
        isClosing = false;
        await succession.look();
        await pause(closeAgainMs, signal);
        [evenMs, closeAgainMs] = [evenMs * 2, Math.min(closeAgainMs * 2, LONGEST_CLOSE_AGAIN_MS)];
        continue;
      }
      gentle.end();
      await extend();
      while (await rebuild.step(true));
      await write(
        ...(old === undefined ? [] : [generationRecord(topics, { ...old, hasServed: true }, now())]),
        ...[servingRecord(topics, generation.number, now()), closingRecord(topics, null, now())],
      );
      built.resolve(await rebuild.lead());
      await waitFor(() => next.tasks.size > 0, options);
      const replaced = succession.replace(generation.number, { service: next, ends: rebuild.ends });
      const pauseMs = clock() - begun;
      await replaced.stop();
      return { isSwitched: true, pauseMs };
    }
  } catch (error) {
    if (succession.place.current !== next) await next.stop();
    await ignore(reopen(), "whoever has fenced it decides");
    await succession.look();
    const isTakenBack = isClosing && error instanceof LogError && error.code === "fenced";
    if (!isTakenBack || ++succession.takenBack < TRIES) throw error;
    throw new Error(
      `Cannot switch within ${patienceMs} ms, and has tried ${TRIES} times: start again when fewer events come, or stop ` +
        "the processes and rebuild at rest: deno task meander rebuild",
      { cause: error },
    );
  }
}

/** Waits until all that is written to a topic can be read: what is committed together can be read one after the other. */
async function untilReadable(log: Log, topic: string, signal: AbortSignal): Promise<void> {
  if (log.endsOf === undefined) return;
  const { partitions = 0 } = await log.identify(topic) ?? {};
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const written = await log.endsOf(places, "written");
  while (!(await log.endsOf(places, "readable")).every((end, place) => end >= written[place]!)) {
    signal.throwIfAborted();
    await pause(LOOK_MS, signal);
  }
}

/** Waits for a service, but not for ever: requests that wait for its first task wait on the log anyway. */
async function waitFor(
  condition: () => boolean,
  { clock, signal }: Pick<OnlineOptions, "clock" | "signal">,
): Promise<void> {
  const deadline = clock() + JOIN_MS;
  while (!condition() && clock() < deadline && !signal.aborted) await pause(LOOK_MS, signal);
}

/**
 * Stops the serving tasks for good. If the new tasks share partitions differently, old tasks that share one first
 * reach the same offset; otherwise it would be unclear which of its events are answered.
 *
 * @param held receives what keeps them from committing
 * @returns whether they have stopped; if not, take the switch back
 */
async function close(
  log: Log,
  write: (record: NewRecord) => Promise<void>,
  held: AsyncDisposableStack,
  { topics, serving, generation, succession, signal, clock, now, evenMs }:
    & OnlineOptions
    & { readonly evenMs: number },
): Promise<boolean> {
  const { number: to, blueprint: { partitions: count } } = generation;
  const positions = async () => await positionsOf(log, generationTopics(topics, serving));
  const first = await positions();
  const isShared = first.tasks.length !== count && first.tasks.length !== first.partitions;
  let ends = isShared ? evenEnds(first, []) : first.tasks.map(() => 0);
  await write(closingRecord(topics, { to, ends }, now()));
  for (const deadline = clock() + evenMs; isShared;) {
    const at = await positions();
    if (at.tasks.every((next, task) => next === ends[task])) break;
    if (clock() >= deadline || signal.aborted) return false;
    const higher = evenEnds(at, ends);
    if (higher.some((end, task) => end !== ends[task])) {
      ends = higher;
      await write(closingRecord(topics, { to, ends }, now()));
    } else await pause(LOOK_MS, signal);
  }
  await succession.place.release();
  held.use(await succession.fence());
  return !isUneven(await positions(), count);
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

/** Builds a leg. @returns the time spent on it without pauses, milliseconds */
async function build(
  rebuild: Rebuild,
  share: number,
  { signal, clock, onStep }: Pick<OnlineOptions, "signal" | "clock" | "onStep">,
): Promise<number> {
  for (let spentMs = 0;;) {
    signal.throwIfAborted();
    const begun = clock();
    const isOpen = await rebuild.step();
    onStep?.(rebuild.progress, rebuild);
    const stepMs = clock() - begun;
    spentMs += stepMs;
    if (!isOpen) return spentMs;
    await pause(stepMs * (1 - share) / share, signal);
  }
}
