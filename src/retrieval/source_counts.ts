/** How much each source contributes, and how good it is, counted since the process began; for display only. */

import type { Source } from "./sources/source.ts";

export class SourceCounts {
  readonly #listed = new Map<string, number>();
  readonly #proposed: Map<string, number>;
  #taken = 0;

  /** Starts without counts. @param sources All sources, of which those that propose are counted */
  constructor(sources: readonly Pick<Source, "name" | "proposals">[]) {
    this.#proposed = new Map(
      sources.filter(({ proposals }) => proposals > 0).map(({ name }) => [name, 0]),
    );
  }

  /** Number of items in answers, by the source that contributes most to each. */
  get listed(): ReadonlyMap<string, number> {
    return this.#listed;
  }

  /** Number of taken items for which the sources were asked, as when the blend learns. */
  get taken(): number {
    return this.#taken;
  }

  /** Number of taken items that a source had proposed; divided by {@linkcode SourceCounts.taken}, its hit rate. */
  get proposed(): ReadonlyMap<string, number> {
    return this.#proposed;
  }

  /** Counts an item of an answer. */
  countListed(source: string): void {
    this.#listed.set(source, (this.#listed.get(source) ?? 0) + 1);
  }

  /** Counts an item that was taken. @param proposers Names of the sources that had proposed it */
  countTaken(proposers: readonly string[]): void {
    this.#taken++;
    for (const name of proposers) this.#proposed.set(name, (this.#proposed.get(name) ?? 0) + 1);
  }
}
