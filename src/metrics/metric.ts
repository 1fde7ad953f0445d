/**
 * The verbs of every streaming metric.
 *
 * @module
 */

/** A figure over a stream of judged predictions, in constant memory. */
export interface Metric<Figure, State> {
  /** Number of rows so far. */
  readonly rows: number;
  /** Takes in a row: outcome in {0, 1} and the probability predicted for it. */
  update(label: number, prediction: number): void;
  /** The figure now; `null` where it is undefined. */
  get(): Figure;
  /** Takes in all rows of another metric of the same options. */
  merge(other: this): void;
  /** Forgets all rows. */
  reset(): void;
  /** The state, for `JSON.stringify`; `from` of the class takes it back. */
  toJSON(): State;
}

/** The class of a metric, as far as making one goes. */
export interface MetricClass<Figure, State> {
  /** Makes an empty metric. */
  new (): Metric<Figure, State>;
  /** Makes a metric with that state. */
  from(state: State): Metric<Figure, State>;
}
