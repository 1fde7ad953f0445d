/**
 * The legs of a build. Each goes up to the position that the serving generation has committed by its start, and legs
 * get shorter as the build catches up. The end of a leg is noted before it begins, so that after a kill at any moment
 * the same legs give the same bytes.
 */

import { getLogger } from "@logtape/logtape";
import { readsInPart } from "../../log/capabilities.ts";
import { ignore } from "../../log/ignore.ts";
import type { Log } from "../../log/log.ts";
import { pause } from "../../log/pause.ts";
import type { Generation } from "../../topics/generations.ts";
import { generationTopics, type Topics } from "../../topics/topics.ts";
import { distance, goalFor, positionsOf } from "../positions.ts";
import type { Notes } from "./notes.ts";

/** Why a generation cannot take over at present; a later attempt may succeed. */
export class CannotSwitchYet extends Error {
  override readonly name = "CannotSwitchYet";
}

/** A build that runs apart from the service. */
export interface ApartBuild extends AsyncDisposable {
  /** Builds a leg. @returns how long it rested, milliseconds @throws what building throws, or the signal's reason */
  build(until: readonly number[], how: LegOptions): Promise<number>;
  /** Copies the local snapshots of its tasks to where those of the service are. */
  copySnapshots(): Promise<void>;
}

/** How a leg is built. */
export interface LegOptions {
  /** Factor of its share of a processor; above 1, requests may be later before it rests for them. */
  readonly haste: number;
  /** Whether it is so short that it needs no checkpoint at its end. */
  readonly isShort: boolean;
  /** Whether requests wait for it: it no longer rests. */
  readonly isLast: boolean;
  readonly signal: AbortSignal;
}

/** What is built, and how fast it has to be. */
export interface LegsOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** Number of the generation that serves. */
  readonly serving: number;
  /** The generation to build, as in its record. */
  readonly generation: Generation;
  /** Longest last leg, milliseconds. */
  readonly mostMs: number;
  /** Ends it between two steps. */
  readonly signal: AbortSignal;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** Most events left for the last leg, if they get fewer. */
const NEAR_EVENTS = 128;
/** Events left when the tasks that are to take over are opened. */
const FEW_EVENTS = 1000;
/** If a leg leaves more than this share of the previous one, legs get no shorter. */
const SLOW = 0.5;
/** Minimum number of events assumed for the duration of a leg. */
const LEAST_EVENTS = 16;
/** The n-th of the first short legs may be the last if it takes at most n/10 of the limit: a later one may be shorter. */
const PATIENT_LEGS = 10;
/** Slow legs before this is logged, and before it gives up; the first ones each double its share. */
const SLOW_LEGS = 20;
const MOST_SLOW_LEGS = 200;
const LOOK_MS = 5;
const IDLE_MS = 50;

const logger = getLogger(["meander", "rebuild"]);

/** Builds a generation until it has caught up. */
export class Legs {
  readonly #log: Log;
  readonly #apart: ApartBuild;
  readonly #notes: Notes;
  readonly #options: LegsOptions;
  #built: readonly number[] = [];
  /** Time per event of the newest leg, milliseconds, without its rests: the last leg has none. */
  #eventMs = Infinity;
  #haste = 1;

  constructor(log: Log, apart: ApartBuild, notes: Notes, options: LegsOptions) {
    this.#log = log;
    this.#apart = apart;
    this.#notes = notes;
    this.#options = options;
  }

  /** Builds the first leg. @param until as it is noted */
  async begin(until: readonly number[]): Promise<void> {
    await this.#build(until);
  }

  /** Builds until few events are left, or legs get no shorter. */
  async approach(): Promise<void> {
    for (let left = Infinity;;) {
      const { goal, events } = await this.#look();
      if (events <= FEW_EVENTS || events > left * SLOW) return;
      await this.#build(goal);
      left = events;
    }
  }

  /** Keeps building while other work is done. @returns what that returns */
  async beside<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = work.finally(() => isOver = true);
    ignore(over, "it is awaited below");
    while (!isOver) {
      const { goal, events } = await this.#look();
      if (events > NEAR_EVENTS) await this.#build(goal);
      else await Promise.race([over, pause(IDLE_MS, this.#options.signal)]);
    }
    return await over;
  }

  /**
   * Builds until little is left, or what is left no longer shrinks, and requests can wait for it.
   *
   * @param follow makes the standby tasks follow each leg, as they will follow the last one; returns how long it rested, milliseconds
   * @throws {CannotSwitchYet} when that repeatedly takes too long
   */
  async catchUp(follow: () => Promise<number>): Promise<void> {
    const { mostMs, clock } = this.#options;
    let followMs = Infinity;
    for (let left = Infinity, short = 0, slow = 0;;) {
      const { goal, events } = await this.#look();
      const lastMs = this.#eventMs * Math.max(events, LEAST_EVENTS) + followMs;
      if (events <= NEAR_EVENTS || events > left * SLOW) {
        if (lastMs <= mostMs * Math.min(1, ++short / PATIENT_LEGS)) return;
        if (lastMs > mostMs && left < Infinity) this.#hurry(++slow, { lastMs, events });
      }
      if (events > 0 || this.#eventMs === Infinity) await this.#build(goal);
      const begun = clock();
      const restedMs = await follow();
      followMs = clock() - begun - restedMs;
      left = events;
    }
  }

  /** Builds the last leg, for which requests wait. */
  async finish(): Promise<void> {
    await this.#build(await goalOf(this.#log, this.#options), true);
  }

  #hurry(slow: number, { lastMs, events }: { readonly lastMs: number; readonly events: number }): void {
    this.#haste = Math.min(this.#haste * 2, 1024);
    if (slow % SLOW_LEGS > 0) return;
    const what = `the last ${events} events alone take ${Math.round(lastMs)} ms, at most ` +
      `${this.#options.mostMs} ms are allowed`;
    if (slow < MOST_SLOW_LEGS) {
      return logger.warn("cannot switch yet without failing requests: {what}", { what });
    }
    throw new CannotSwitchYet(`Cannot switch without failing requests: ${what}`);
  }

  async #build(until: readonly number[], isLast = false): Promise<void> {
    const { clock, signal } = this.#options;
    const events = this.#built.length === 0 ? Infinity : distance(this.#built, until);
    if (this.#built.length > 0) await this.#notes.until(until);
    const begun = clock();
    const isShort = isLast || events <= FEW_EVENTS;
    const restedMs = await this.#apart.build(until, { haste: this.#haste, isShort, isLast, signal });
    signal.throwIfAborted();
    this.#built = until;
    const workMs = clock() - begun - restedMs;
    this.#eventMs = events === Infinity ? Infinity : workMs / Math.max(events, LEAST_EVENTS);
  }

  async #look(): Promise<{ readonly goal: readonly number[]; readonly events: number }> {
    this.#options.signal.throwIfAborted();
    const goal = await goalOf(this.#log, this.#options);
    return { goal, events: distance(this.#built, goal) };
  }
}

/** Offsets that the serving generation has reached, by task of the new one. */
export async function goalOf(
  log: Log,
  { topics, serving, generation: { blueprint }, signal }: Omit<LegsOptions, "mostMs" | "clock">,
): Promise<readonly number[]> {
  const positions = await positionsOf(log, generationTopics(topics, serving));
  await untilReadable(log, topics.recommendations, signal); // the answers that were committed with them
  return goalFor(positions, blueprint.partitions);
}

/** Waits until all that is written to a topic can be read. */
async function untilReadable(log: Log, topic: string, signal: AbortSignal): Promise<void> {
  if (!readsInPart(log)) return;
  const { partitions = 0 } = await log.identify(topic) ?? {};
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const written = await log.endsOf(places, "written");
  while (!(await log.endsOf(places, "readable")).every((end, place) => end >= written[place]!)) {
    signal.throwIfAborted();
    await pause(LOOK_MS, signal);
  }
}
