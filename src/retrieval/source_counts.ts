/**
 * How much each source contributes, and how good it is, counted since the process began, for people to look at.
 *
 * @module
 */

import type { Source } from "./sources/source.ts";

/** Counts by source. */
export class SourceCounts {
  readonly #listed = new Map<string, number>();
  readonly #proposed: Map<string, number>;
  #taken = 0;

  /** Nothing counted. @param sources Those that may propose */
  constructor(sources: readonly Pick<Source, "name" | "proposals">[]) {
    this.#proposed = new Map(
      sources.filter(({ proposals }) => proposals > 0).map(({ name }) => [name, 0]),
    );
  }

  /** Items put into answers, by the source that contributes most to each. */
  get listed(): ReadonlyMap<string, number> {
    return this.#listed;
  }

  /** Items taken for which the sources had been asked, as when the blend learns. */
  get taken(): number {
    return this.#taken;
  }

  /** Those of the taken items that a source had proposed; over {@linkcode SourceCounts.taken}, its hit rate. */
  get proposed(): ReadonlyMap<string, number> {
    return this.#proposed;
  }

  /** Counts an item of an answer. */
  list(source: string): void {
    this.#listed.set(source, (this.#listed.get(source) ?? 0) + 1);
  }

  /** Counts an item that was taken. @param proposers Who had proposed it */
  take(proposers: readonly string[]): void {
    this.#taken++;
    for (const name of proposers) this.#proposed.set(name, (this.#proposed.get(name) ?? 0) + 1);
  }
}
