/** Items that the catalogue certainly lacks: some would be on it soon, because tasks have yet to read them. */

import type { Task } from "../../task/task.ts";

/** How often a body is looked at, milliseconds: looking at each would make events dearer by a tenth and more. */
const INTERVAL_MS = 1000;

/** What it reads of a task. */
type CatalogueTask = Pick<Task, "state" | "catalogue">;

/** Looks items up in the catalogue of a task. */
export class UnlistedItems {
  readonly #task: () => CatalogueTask | undefined;
  readonly #end: () => Promise<number>;
  readonly #clock: () => number;
  #lookedAt = -Infinity;

  /** @param task any task of this process @param end where the topic of items ends @param clock monotonic, milliseconds */
  constructor(task: () => CatalogueTask | undefined, end: () => Promise<number>, clock: () => number) {
    this.#task = task;
    this.#end = end;
    this.#clock = clock;
  }

  /** Whether a body's items are to be looked up: those of one body a second. */
  isDue(): boolean {
    const now = this.#clock();
    if (now - this.#lookedAt < INTERVAL_MS) return false;
    this.#lookedAt = now;
    return true;
  }

  /** Whether a catalogue with items lacks this one, as far as a task has read it. */
  mayLack(item: string): boolean {
    const catalogue = this.#task()?.state.catalogue;
    return catalogue !== undefined && catalogue.listed > 0 && catalogue.get(item)?.listed !== true;
  }

  /** Those that it lacks for certain; none if this cannot be said now. */
  async among<Entry extends { readonly item: string }>(entries: readonly Entry[]): Promise<readonly Entry[]> {
    if (entries.length === 0) return [];
    const end = await this.#end();
    const task = this.#task();
    if (task === undefined || task.catalogue.applied < end) return [];
    return entries.filter(({ item }) => this.mayLack(item));
  }
}
