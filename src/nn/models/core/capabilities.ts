/**
 * What a model has. Whatever is not a model asks this, and never which model it is.
 *
 * @module
 */

/** Capabilities of a model. */
export interface Capabilities {
  /** Whether it folds behaviours into a recurrent state, one by one. */
  readonly state: boolean;
  /** Whether that state is all that it needs of a history, however long: see `ModelInput.state`. */
  readonly lifelong: boolean;
  /**
   * Whether it reads the history in its order. Without, it is a function of the set of behaviours, and the crosses of the
   * newest ones, which know the order, are off unless the configuration asks for them.
   */
  readonly ordered: boolean;
  /** Whether it can learn from a history alone: see `Model.historyLoss`. */
  readonly historyObjective: boolean;
  /**
   * What the weights of `Model.look` are of: `behaviours`, or what the model calls the parts of its state; `null` where
   * it weighs nothing by candidate.
   */
  readonly looks: string | null;
}

/** A function of the set of behaviours: what most models without a state have. */
export const OF_A_SET: Capabilities = {
  state: false,
  lifelong: false,
  ordered: false,
  historyObjective: false,
  looks: null,
};
