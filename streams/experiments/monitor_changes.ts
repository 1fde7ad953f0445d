/**
 * The changes that a monitor has to write.
 *
 * @module
 */

/** Users and experiments with changed figures, since the last write. */
export class MonitorChanges {
  readonly #users = new Set<string>();
  readonly #experiments = new Set<string>();
  #isMoved = false;
  readonly #isTracked: boolean;

  /** Starts without changes. @param isTracked whether changes are ever written; if not, none are noted */
  constructor(isTracked: boolean) {
    this.#isTracked = isTracked;
  }

  /** Whether there is something to write. */
  get any(): boolean {
    return this.#isMoved || this.#users.size > 0 || this.#experiments.size > 0;
  }

  /** Notes that positions or records of experiments have changed. */
  move(): void {
    this.#isMoved = this.#isTracked;
  }

  /** Notes that a record of a user has changed. */
  user(user: string): void {
    if (this.#isTracked) this.#users.add(user);
  }

  /** Notes that figures of an experiment have changed. */
  experiment(name: string): void {
    if (this.#isTracked) this.#experiments.add(name);
  }

  /** Returns the changes, and starts again without any. */
  take(): { readonly users: readonly string[]; readonly experiments: readonly string[] } {
    const changes = { users: [...this.#users], experiments: [...this.#experiments] };
    this.#users.clear();
    this.#experiments.clear();
    this.#isMoved = false;
    return changes;
  }
}
