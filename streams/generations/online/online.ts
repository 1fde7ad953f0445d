/**
 * Builds a generation alongside the serving one, apart from the thread that serves, and switches to it without failing
 * a request.
 */

import type { Log } from "../../log/log.ts";
import { pause } from "../../log/pause.ts";
import { LATE_MS } from "../../service/readiness.ts";
import { switchState } from "../../topics/serving.ts";
import type { RebuildOptions } from "../build/options.ts";
import type { BuildSpec } from "./build_messages.ts";
import { GentleLog } from "./gentle_log.ts";
import { handOver, type HandOverOptions, type OnlineResult } from "./hand_over.ts";
import { type ApartBuild, goalOf, Legs } from "./legs.ts";
import { Notes } from "./notes.ts";
import { Standby, type StandbyOptions } from "./standby.ts";

export interface OnlineOptions extends HandOverOptions {
  /** How it is built. */
  readonly rebuild: Omit<RebuildOptions, "until" | "giveWay">;
  /** How its tasks run when they answer. */
  readonly service: StandbyOptions["service"];
  /** Starts the build, apart from this thread. */
  readonly apart: (log: Log, spec: BuildSpec) => ApartBuild;
  /**
   * Called once before the switch. @returns whether the generation may serve
   *
   * @param log to read in pieces
   */
  readonly mayServe: (log: Log) => Promise<boolean>;
  /** Longest last leg, in which requests wait, milliseconds. @default {1000} */
  readonly lastLegMs?: number | undefined;
  /** Share of this thread that it takes while requests wait, in (0, 1]. */
  readonly share: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const STAYS: OnlineResult = { isSwitched: false, pauseMs: 0 };
/** Most records that this thread processes without a rest, which takes some milliseconds. */
const SLICE_RECORDS = 32;
const LAST_LEG_MS = 1000;

/**
 * Builds until it has caught up, then switches. An earlier builder is fenced.
 *
 * @throws the signal's reason
 */
export async function rebuildOnline(log: Log, options: OnlineOptions): Promise<OnlineResult> {
  const { topics, serving, generation, rebuild, succession: { patienceMs } } = options;
  await using notes = await Notes.open(log, options);
  const found = await switchState(log, topics);
  if (found.serving !== serving) return STAYS;
  if (found.closing !== null) await notes.closing(null);
  const until = generation.until ?? await goalOf(log, options);
  await notes.until(until);
  const gentle = gentleLog(log, options);
  const { task: { nowMicros: _, ...task }, ...spec } = rebuild;
  await using apart = options.apart(log, { ...spec, task, until });
  const mostMs = Math.min(options.lastLegMs ?? LAST_LEG_MS, patienceMs / 2);
  const legs = new Legs(log, apart, notes, { ...options, mostMs });
  await legs.begin(until);
  await legs.approach();
  if (!await legs.beside(options.mayServe(gentle.log))) return STAYS;
  await apart.copySnapshots();
  const { blueprint: { partitions } } = generation;
  const standing = { ...rebuild, service: options.service, tasks: partitions, giveWay: () => gentle.rest() };
  const opening = Standby.open(gentle.log, standing);
  await using standby = await legs.beside(opening);
  return await handOver(log, { legs, standby, notes, gentle }, options);
}

/** The log for the work of this thread other than answering requests. */
function gentleLog(log: Log, options: OnlineOptions): GentleLog {
  const { signal, succession: { place } } = options;
  return new GentleLog(log, {
    ...options,
    isLate: () => place.current.waitedMs > LATE_MS,
    maxRecords: SLICE_RECORDS,
    giveWay: async () => {
      const { current } = place;
      await current.thread.giveWay(0);
      if (!current.isBehind) return false;
      await pause(1, signal); // they may wait for a disk or a broker
      return true;
    },
  });
}
