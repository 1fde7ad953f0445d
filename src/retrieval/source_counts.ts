/**
 * How much each source gives, and how good it is: counted since the process began, for people to look at.
 *
 * @module
 */

import { PROPOSALS } from "./features.ts";
import { SCORED_SOURCES } from "../events/candidate_source.ts";

/** Counts by source. */
export class SourceCounts {
  readonly #listed = new Map<string, number>();
  readonly #proposed = new Uint32Array(SCORED_SOURCES.length);
  #taken = 0;

  /** Items put into answers, by the source that says most for them. */
  get listed(): ReadonlyMap<string, number> {
    return this.#listed;
  }

  /** Items taken before which the sources were asked, as the blend learns. */
  get taken(): number {
    return this.#taken;
  }

  /** Those of the taken items that a source had proposed; over {@linkcode SourceCounts.taken}, its hit rate. */
  get proposed(): ReadonlyMap<string, number> {
    return new Map(
      SCORED_SOURCES.map((source, k) => [source, this.#proposed[k]!] as const)
        .filter(([source]) => PROPOSALS[source] > 0),
    );
  }

  /** Counts an item of an answer. */
  list(source: string): void {
    this.#listed.set(source, (this.#listed.get(source) ?? 0) + 1);
  }

  /** Counts an item that was taken. @param sources Who had proposed it: bit k for the k-th of {@linkcode SCORED_SOURCES} */
  take(sources: number): void {
    this.#taken++;
    for (let k = 0; k < this.#proposed.length; k++) {
      if ((sources >> k & 1) === 1) this.#proposed[k] = this.#proposed[k]! + 1;
    }
  }
}
