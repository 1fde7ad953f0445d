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

import { getLogger } from "@logtape/logtape";
import { type Log, LogError, type NewRecord, type Writer } from "../log/log.ts";
import { ignore } from "../log/ignore.ts";
import { pause } from "../log/pause.ts";
import { LATE_MS } from "../service/readiness.ts";
import type { WarmGeneration } from "../service/jobs/options.ts";
import type { Service } from "../service/service.ts";
import type { Task } from "../task/task.ts";
import {
  type Closing,
  closingRecord,
  servingRecord,
  switchState,
  switchWriterId,
} from "../topics/serving.ts";
import { GentleLog } from "./gentle_log.ts";
import { generationTopics, type Topics } from "../topics/topics.ts";
import type { Generation } from "../topics/generations.ts";
import { distance, goalFor, isUneven, type Positions, positionsOf } from "./positions.ts";
import { Rebuild, type RebuildOptions, type RebuildProgress } from "./rebuild.ts";
import type { Succession } from "./succession.ts";
import { ThreadedBuild, type ThreadedBuildOptions } from "./threaded_build.ts";
import { generationRecord, generationsOf } from "../topics/generations.ts";

/** Options of an online build. */
export interface OnlineOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Number of the generation that serves. */
  readonly serving: number;
  /** The generation to build, as in its record. */
  readonly generation: Generation;
  /** How it is built. */
  readonly rebuild:
    & Omit<RebuildOptions, "until" | "service" | "giveWay">
    & Required<Pick<RebuildOptions, "service">>;
  /** Keeps this process, like all others, on the generation that serves. */
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
  /** Longest last leg, in which requests wait, milliseconds. @default {1000} */
  readonly lastLegMs?: number | undefined;
  /** Pause before another try to stop tasks at one place, doubled each time, milliseconds. @default {5000} */
  readonly closeAgainMs?: number | undefined;
  /** Share of this thread that it takes while requests wait, in (0, 1]; it doubles, to a half, where that is too little. */
  readonly share: number;
  /** Notified of each step. */
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

/** Most events left for the last leg, during which requests wait. */
const NEAR_EVENTS = 128;
/** Events left for this thread. */
const FEW_EVENTS = 1000;
/** If a leg leaves more than this share of the previous one, it does not catch up with its share of the thread. */
const SLOW = 0.5;
/** Most of this thread while requests wait. */
const MOST_SHARE = 0.5;

/** Most records that this thread processes without a rest, which takes some milliseconds. */
const SLICE_RECORDS = 32;

/** Longest wait for tasks to reach the same offset, and pause before the next try. */
const EVEN_MS = 1000;
const CLOSE_AGAIN_MS = 5000;
const LONGEST_CLOSE_AGAIN_MS = 300_000;
/** Legs at the largest share that may come out no shorter. */
const LONG_LEGS = 2;
/** Attempts to switch, each of which another process may take back. */
const TRIES = 2;
/** Longest wait for a group to assign partitions, and for the first task. */
const JOIN_MS = 10_000;
const LOOK_MS = 5;
const LAST_LEG_MS = 1000;
/** Minimum number of events assumed for the duration of a leg. */
const LEAST_EVENTS = 16;
/** Attempts to hand over, as it may be quieter later. */
const BUSY_TRIES = 10;
/** How long requests may be late. */
const LATE_FOR_MS = 10_000;
/** Most legs that may be too slow before a switch fails. */
const SLOW_LEGS = 20;

const logger = getLogger(["meander", "rebuild"]);

/**
 * Builds until it has caught up, then switches. An earlier builder is fenced.
 *
 * @throws the signal's reason
 */
export async function rebuildOnline(log: Log, options: OnlineOptions): Promise<OnlineResult> {
  const { topics, serving, generation } = options;
  await using notes = await Notes.open(log, options);
  const found = await switchState(log, topics);
  if (found.serving !== serving) return STAYS;
  if (found.closing !== null) await notes.closing(null);
  let until = generation.until ?? await goalOf(log, options);
  for (let tries = 1;; tries++) {
    await notes.until(until);
    try {
      return await buildAndSwitch(log, until, notes, options);
    } catch (error) {
      if (!(error instanceof TooBusy) || options.thread === undefined || tries === BUSY_TRIES) throw error;
      logger.warn("goes on in a thread of its own: {reason}", { reason: error.message });
    }
    until = await goalOf(log, options);
  }
}

/** Events come faster than the serving thread builds them, beside its requests. */
class TooBusy extends Error {
  override name = "TooBusy";
}

/** Builds up to where the serving generation is, and switches. @throws TooBusy */
async function buildAndSwitch(
  log: Log,
  begin: readonly number[],
  notes: Notes,
  options: OnlineOptions,
): Promise<OnlineResult> {
  const { signal, thread, succession: { place } } = options;
  const gentle = new GentleLog(log, {
    ...options,
    // Too much rest would let more events come than can be caught up with.
    isLate: () => place.current.waitedMs > 2 * LATE_MS,
    maxRecords: SLICE_RECORDS,
    giveWay: async () => {
      const { current } = place;
      await current.thread.giveWay(0);
      if (!current.isBehind) return false;
      await pause(1, signal); // what they wait for may come from a disk or a broker
      return true;
    },
  });
  const mayServe = () => options.mayServe(gentle.log);
  const until = thread === undefined
    ? begin
    : await buildApart(log, begin, notes, { ...options, thread, mayServe });
  if (until === null) return STAYS;
  const giveWay = () => gentle.rest();
  await using rebuild = await Rebuild.open(gentle.log, { ...options.rebuild, until, giveWay });
  const legs = new Legs(log, { gentle, rebuild, notes }, until, options);
  if (thread === undefined) {
    await legs.catchUp();
    if (!await mayServe()) return STAYS;
  }
  return await switchOver(log, { gentle, rebuild, legs, notes }, options);
}

const STAYS: OnlineResult = { isSwitched: false, pauseMs: 0 };

/**
 * The builder's writes on the topic of generations. A later builder, or a process that takes a switch back, fences it.
 */
class Notes implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #options: OnlineOptions;
  readonly #sources: number | undefined;

  private constructor(writer: Writer, options: OnlineOptions, sources: number | undefined) {
    this.#writer = writer;
    this.#options = options;
    this.#sources = sources;
  }

  static async open(log: Log, options: OnlineOptions): Promise<Notes> {
    const { topics } = options;
    const place = { topic: topics.generations, partition: 0 };
    const writer = await log.writer(switchWriterId(topics), [place]);
    return new Notes(writer, options, (await log.identify(topics.events))?.partitions);
  }

  /** Where the leg that begins ends, by task. */
  async until(until: readonly number[]): Promise<void> {
    const { topics, generation, now } = this.#options;
    await this.#write(generationRecord(topics, { ...generation, sources: this.#sources, until }, now()));
  }

  /** Notes that a switch begins, or where its tasks stop; `null` = it is taken back. */
  async closing(closing: Closing | null): Promise<void> {
    const { topics, now } = this.#options;
    await this.#write(closingRecord(topics, closing, now()));
  }

  /** Notes that the new generation serves. @param old the record of the previous one, if it has one */
  async serves(old: Generation | undefined): Promise<void> {
    const { topics, generation, now } = this.#options;
    await this.#write(
      ...(old === undefined ? [] : [generationRecord(topics, { ...old, hasServed: true }, now())]),
      ...[servingRecord(topics, generation.number, now()), closingRecord(topics, null, now())],
    );
  }

  async #write(...records: readonly NewRecord[]): Promise<void> {
    await this.#writer.commit({ records, group: this.#writer.id, offsets: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

/** Offsets that the serving generation has reached, by task of the new one. */
async function goalOf(
  log: Log,
  { topics, serving, generation: { blueprint }, signal }: OnlineOptions,
): Promise<readonly number[]> {
  const positions = await positionsOf(log, generationTopics(topics, serving));
  await untilReadable(log, topics.recommendations, signal); // the answers that were committed with them
  return goalFor(positions, blueprint.partitions);
}

/**
 * Builds legs in a thread of their own until few events are left; both generations are compared meanwhile.
 *
 * @returns up to where it has been told to build; `null` = it may not serve
 */
async function buildApart(
  log: Log,
  begin: readonly number[],
  notes: Notes,
  options: Omit<OnlineOptions, "mayServe"> & {
    readonly mayServe: () => Promise<boolean>;
    readonly thread: ThreadedBuildOptions;
  },
): Promise<readonly number[] | null> {
  const { service: _, task: { nowMicros: __, ...task }, ...spec } = options.rebuild;
  await using apart = new ThreadedBuild(
    log,
    { ...spec, until: begin, task },
    () => options.succession.place.current,
    options.thread,
  );
  let isCompared = false;
  for (let until = begin, left = Infinity, isNear = false;;) {
    const built = apart.build(until, options.signal);
    if (isNear && !isCompared) {
      const [, mayServe] = await Promise.all([built, options.mayServe()]);
      if (!mayServe) return null;
      [isCompared, left] = [true, Infinity]; // it may have taken longer than the leg
    }
    await built;
    const next = await goalOf(log, options);
    const events = distance(until, next);
    isNear = events <= FEW_EVENTS || events > left * SLOW;
    if (isNear && isCompared) return until;
    [left, until] = [events, next];
    await notes.until(until);
  }
}

/** The legs in the serving thread. */
class Legs {
  readonly #log: Log;
  readonly #building: Building;
  readonly #options: OnlineOptions;
  #until: readonly number[];
  /** Events of the leg that is noted. */
  #left = Infinity;

  constructor(log: Log, building: Building, until: readonly number[], options: OnlineOptions) {
    this.#log = log;
    this.#building = building;
    this.#until = until;
    this.#options = options;
  }

  /** Longest last leg, milliseconds. */
  get #mostMs(): number {
    const { succession: { patienceMs }, lastLegMs = LAST_LEG_MS } = this.#options;
    return Math.min(lastLegMs, patienceMs / 2);
  }

  /** Notes where the next leg ends. @returns its number of events */
  async extend(): Promise<number> {
    const next = await goalOf(this.#log, this.#options);
    const events = this.#left = distance(this.#until, next);
    this.#until = next;
    await this.#building.notes.until(next);
    this.#building.rebuild.extend(next);
    return events;
  }

  /**
   * Builds legs until few events are left, or they hardly get shorter and the next is short enough to be the last; with a
   * larger share of the thread where it is not.
   *
   * @throws Error when events come faster than they are built
   */
  async catchUp(): Promise<void> {
    const { gentle } = this.#building;
    for (let left = Infinity, long = 0;;) {
      const spentMs = await build(this.#building, this.#options);
      const events = await this.extend();
      if (events <= NEAR_EVENTS) return;
      if (events > left * SLOW) {
        if (events * spentMs <= left * this.#mostMs) return;
        const isMost = gentle.share >= MOST_SHARE;
        if (isMost && events >= left && ++long === LONG_LEGS) throw overtaken(events, left, spentMs);
        gentle.share = Math.max(gentle.share, Math.min(MOST_SHARE, gentle.share * 2));
      }
      left = events;
    }
  }

  /**
   * Builds what is left, until what has come meanwhile is so little that requests can wait for it.
   *
   * @throws Error when that takes too long again and again
   */
  async hurry(): Promise<void> {
    const { signal } = this.#options;
    const mostMs = this.#mostMs;
    for (let slow = 0;;) {
      await this.catchUp();
      const before = Math.max(this.#left, LEAST_EVENTS);
      const spentMs = await build(this.#building, this.#options);
      const left = distance(this.#until, await goalOf(this.#log, this.#options));
      const lastMs = Math.round(spentMs * Math.max(left, LEAST_EVENTS) / before);
      signal.throwIfAborted();
      if (lastMs <= mostMs) return;
      if (++slow === SLOW_LEGS) {
        throw new TooBusy(
          `Cannot switch without failing requests: the last events alone take ${lastMs} ms, at most ` +
            `${mostMs} ms are allowed; build when fewer arrive, or stop and run deno task meander rebuild`,
        );
      }
    }
  }
}

function overtaken(events: number, left: number, spentMs: number): TooBusy {
  const rate = Math.round(left / spentMs * 1000);
  return new TooBusy(
    `Cannot catch up: ${events} events arrived while ${left} were built, ${rate} a second; ` +
      "build when fewer arrive, with more tasks, or stop and run deno task meander rebuild",
  );
}

/** What a generation is built with. */
interface Building {
  readonly gentle: GentleLog;
  readonly rebuild: Rebuild;
  readonly notes: Notes;
}

/** Stops the serving tasks, builds the last leg, and lets the new tasks lead. */
async function switchOver(
  log: Log,
  { gentle, rebuild, legs, notes }: Building & { readonly legs: Legs },
  options: OnlineOptions,
): Promise<OnlineResult> {
  const { topics, serving, generation: { number }, succession, signal, clock } = options;
  const { patienceMs } = succession;
  const old = (await generationsOf(log, topics)).get(serving);
  const built = Promise.withResolvers<Map<number, Task>>();
  const next = await options.start({ ...rebuild.warm, tasks: built.promise }, rebuild.ends, number);
  let isClosing = false;
  try {
    await Promise.all([waitFor(() => next.hasJoined, options), legs.catchUp()]);
    for (let evenMs = EVEN_MS, againMs = options.closeAgainMs ?? CLOSE_AGAIN_MS;;) {
      await legs.hurry();
      const begun = clock();
      succession.begin();
      await using held = new AsyncDisposableStack();
      isClosing = true;
      if (await close(log, notes, held, { ...options, evenMs: Math.min(evenMs, patienceMs / 2) })) {
        gentle.end();
        await legs.extend();
        while (await rebuild.step(true));
        await notes.serves(old);
        built.resolve(await rebuild.lead());
        await waitFor(() => next.tasks.size > 0, options);
        const replaced = await succession.replace(number, { service: next, ends: rebuild.ends });
        const pauseMs = clock() - begun;
        await replaced.stop();
        return { isSwitched: true, pauseMs };
      }
      await notes.closing(null);
      isClosing = false;
      await succession.look();
      await pause(againMs, signal);
      [evenMs, againMs] = [evenMs * 2, Math.min(againMs * 2, LONGEST_CLOSE_AGAIN_MS)];
    }
  } catch (error) {
    if (succession.place.current !== next) await next.stop();
    await ignore(notes.closing(null), "whoever has fenced it decides");
    await succession.look();
    const isTakenBack = isClosing && error instanceof LogError && error.code === "fenced";
    if (!isTakenBack || ++succession.takenBack < TRIES) throw error;
    throw new Error(
      `Cannot switch within ${patienceMs} ms, after ${TRIES} attempts: start again when fewer events arrive, or stop ` +
        "the processes and run deno task meander rebuild",
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
  notes: Notes,
  held: AsyncDisposableStack,
  { topics, serving, generation, succession, signal, clock, evenMs }:
    & OnlineOptions
    & { readonly evenMs: number },
): Promise<boolean> {
  const { number: to, blueprint: { partitions: count } } = generation;
  const positions = async () => await positionsOf(log, generationTopics(topics, serving));
  const first = await positions();
  const isShared = first.tasks.length !== count && first.tasks.length !== first.partitions;
  let ends = isShared ? evenEnds(first, []) : first.tasks.map(() => 0);
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
  held.use(await succession.fence(serving, first.tasks.length));
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

/**
 * Builds a leg. @returns the time spent on it without rests, milliseconds
 *
 * @throws Error when requests have to wait for it too long
 */
async function build(
  { gentle, rebuild }: Building,
  { signal, clock, onStep, succession: { place } }: OnlineOptions,
): Promise<number> {
  const begun = clock() - gentle.restedMs;
  for (let isOpen = true, inTimeAt = clock(); isOpen;) {
    signal.throwIfAborted();
    isOpen = await rebuild.step();
    if (place.current.waitedMs < LATE_MS) inTimeAt = clock();
    else if (clock() - inTimeAt > LATE_FOR_MS) {
      throw new TooBusy(
        `Cannot build beside so many requests: they have waited for ${
          Math.round(place.current.waitedMs)
        } ms in the ` +
          "last ten seconds; build when fewer come, or on more processors",
      );
    }
    onStep?.(rebuild.progress, rebuild);
    await pause(0, signal);
  }
  return clock() - gentle.restedMs - begun;
}
