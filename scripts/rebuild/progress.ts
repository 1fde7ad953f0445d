/** What a rebuild says while it builds. */

import type { ArchivedPart } from "../../streams/backup/archived_log.ts";
import type { RebuildProgress } from "../../streams/generations/build/rebuild.ts";
import type { Remembered } from "../../streams/generations/build/remembered.ts";

const PROGRESS_MS = 5000;

/** Measures how fast a build goes, and decides when to report it. */
export class BuildRate {
  readonly #first: number;
  readonly #begun = performance.now();
  #measuredAt = this.#begun;

  /** Starts at a build that was opened, which does not count for the rate. */
  constructor({ done }: RebuildProgress) {
    this.#first = done;
  }

  /** Whether the last measurement is {@linkcode PROGRESS_MS} ago. */
  get isDue(): boolean {
    return performance.now() - this.#measuredAt >= PROGRESS_MS;
  }

  /** The rate since the start; `secondsLeft` is `null` while it is 0. */
  measure(
    { done, of }: RebuildProgress,
  ): { readonly perSecond: number; readonly secondsLeft: number | null } {
    this.#measuredAt = performance.now();
    const rate = (done - this.#first) / Math.max(1, this.#measuredAt - this.#begun) * 1000;
    return {
      perSecond: Math.round(rate),
      secondsLeft: rate > 0 ? Math.ceil((of - done) / rate) : null,
    };
  }
}

/** What remains of the effects of events that the log has dropped, in words; empty if none were dropped. */
export function droppedText(
  { remembered, archived }: Pick<RebuildProgress, "remembered" | "archived">,
  keepsWeights: boolean,
): readonly string[] {
  return [...archivedText(archived), ...rememberedText(remembered, keepsWeights)];
}

function archivedText(archived: readonly ArchivedPart[]): readonly string[] {
  if (archived.length === 0) return [];
  const sum = (name: "read" | "missing") => archived.reduce((sum, one) => sum + one[name], 0);
  const lost = sum("missing") === 0
    ? "none are missing"
    : `lost: ${sum("missing")} that are neither in them nor on the log`;
  return [`${sum("read")} offsets of events that the log has dropped are read from backups; ${lost}`];
}

function rememberedText(remembered: readonly Remembered[], keepsWeights: boolean): readonly string[] {
  if (remembered.length === 0) return [];
  const sum = (name: keyof Remembered) => remembered.reduce((sum, one) => sum + one[name], 0);
  return [
    `${sum("start")} offsets of events are no longer on the log; their effects:`,
    `  behaviours: ${sum("behaviours")} carried over; ${sum("gone")} lost, dropped from sequences`,
    `  profiles: ${sum("profiles")} carried over`,
    "  pairs, popularity, successions: recomputed from these behaviours",
    "  lists, their outcomes, values, rates of items and users: lost, recomputed from what is left",
    `  weights: ${keepsWeights ? "carried over" : "learnt from what is left"}`,
  ];
}

export function percent(done: number, of: number): string {
  return `${of === 0 ? 100 : Math.floor(100 * done / of)} %`;
}
