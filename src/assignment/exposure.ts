/** Exposures of users to variants, carried by recommendations and samples. */

import type { Experiment } from "./experiment.ts";

/** An experiment and the user's variant in it. */
export interface Exposure {
  /** Name of the experiment; `holdout` for users held out of all. */
  readonly experiment: string;
  /** Name of the variant. */
  readonly variant: string;
  /** Phase of the experiment in which the list was made. @default {0} */
  readonly phase?: number;
}

/** Whether an exposure belongs to the experiment's current phase: a change of what it compares begins a new one. */
export function isCurrent({ phase = 0 }: Exposure, experiment: Pick<Experiment, "phase">): boolean {
  return phase === (experiment.phase ?? 0);
}
