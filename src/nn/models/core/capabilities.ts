/**
 * What a model can do. Code outside the models checks capabilities, never which model it is.
 *
 * @module
 */

export interface Capabilities {
  /** Whether it folds behaviours into a recurrent state. */
  readonly state: boolean;
  /** Whether that state replaces the history, however long: see `ModelInput.state`. */
  readonly lifelong: boolean;
  /**
   * Whether the order of the history matters. If not, the model is a function of the set of behaviours, and the crosses
   * of the newest ones, which depend on the order, are off unless the configuration enables them.
   */
  readonly ordered: boolean;
  /** Whether its loss has an auxiliary part, over the history and `TrainingInput.negatives`. */
  readonly historyObjective: boolean;
  /**
   * What `Model.look` weighs: `behaviours`, or the model's name for the parts of its state; `null` if it has no such
   * weights.
   */
  readonly looks: string | null;
}

/** Capabilities of a model that is a function of the set of behaviours. */
export const OF_A_SET: Capabilities = {
  state: false,
  lifelong: false,
  ordered: false,
  historyObjective: false,
  looks: null,
};
