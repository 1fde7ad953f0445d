/**
 * Changes to experiments: start, traffic, stop, promote, roll back. Each takes the existing records and returns a new
 * record, or throws an error that lists everything wrong.
 */

import { splitVariants } from "./assignment.ts";
import { BUCKETS, shareOut } from "./buckets.ts";
import {
  type Experiment,
  type ExperimentRecord,
  experimentsIn,
  type Holdout,
  isExperiment,
  MAX_TEXT,
  type Span,
} from "./experiment.ts";
import {
  changedSettings,
  comparisonFaults,
  layerFaults,
  saltFaults,
  variantFaults,
  variantSizes,
} from "./experiment_faults.ts";
import { heldBuckets, HOLDOUT } from "./holdout.ts";
import { activeOf, promotedOver, restarted } from "./phases.ts";

/** An experiment as written by users. Absent fields have defaults. */
export type ExperimentDraft =
  & Pick<Experiment, "name" | "variants">
  & Partial<
    Pick<
      Experiment,
      | "hypothesis"
      | "layer"
      | "salt"
      | "mode"
      | "traffic"
      | "metric"
      | "guardRails"
      | "stopRule"
      | "overrides"
    >
  >;

/** The deployment that an experiment runs in. */
export interface Surroundings {
  /** The newest record of each name. */
  readonly records: ReadonlyMap<string, ExperimentRecord>;
  /** Models of the deployment. */
  readonly models: readonly string[];
  /** Errors in pinned versions, one sentence each. @default {[]} */
  readonly versionFaults?: readonly string[];
}

/**
 * A rejected change to experiments.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ExperimentError, startExperiment } from "@meander/meander/experiments";
 *
 * const start = () => startExperiment({ name: "one", variants: [] }, { records: new Map(), models: [] });
 * assert.throws(start, (error) => error instanceof ExperimentError && error.faults.length > 0);
 * ```
 */
export class ExperimentError extends Error {
  /** All errors, one sentence each. */
  readonly faults: readonly string[];
  /** Whether the experiment does not exist. */
  readonly isMissing: boolean;

  /** Makes an error that lists everything wrong. */
  constructor(what: string, faults: readonly string[], isMissing = false) {
    super(`Cannot ${what}: ${faults.join("; ")}`);
    this.name = "ExperimentError";
    this.faults = faults;
    this.isMissing = isMissing;
  }
}

/**
 * Starts an experiment, or restarts a stopped one, whose users keep their variants. With other settings, over other
 * promoted ones, or with another metric, `alpha` or `maxUsers`, it begins a new phase.
 *
 * @throws ExperimentError naming everything that is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { startExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: [] });
 * assert.equal(experiment.status, "running");
 * assert.equal(experiment.metric, "ctr");
 * ```
 */
export function startExperiment(
  draft: ExperimentDraft,
  { records, models, versionFaults = [] }: Surroundings,
): Experiment {
  const { name, variants } = draft;
  const known = records.get(name);
  const before = known !== undefined && isExperiment(known) ? known : undefined;
  const experiment = {
    hypothesis: "",
    layer: "default",
    salt: before?.salt ?? name,
    mode: "split",
    traffic: 1,
    metric: "ctr",
    guardRails: [],
    stopRule: {},
    overrides: {},
    ...draft,
    unit: "user",
    status: "running",
    revision: (before?.revision ?? 0) + 1,
  } as const;
  const faults = [
    ...before?.status === "running" ? ["it is already running"] : [],
    ...before?.status === "promoted" ? [`${before.winner} is promoted: roll it back first`] : [],
    ...name === HOLDOUT ? ["its name is reserved for the holdout"] : [],
    ...variantFaults(experiment, models),
    ...comparisonFaults(experiment),
    ...saltFaults(experiment, records),
    ...versionFaults,
    ...layerFaults({ ...experiment, spans: [], variantSpans: [] }, records),
  ];
  if (faults.length > 0) throw new ExperimentError(`start experiment ${name}`, faults);
  const owned = variants.map((variant) => {
    const at = before?.salt === experiment.salt
      ? before.variants.findIndex(({ name }) => name === variant.name)
      : -1;
    return before?.variantSpans[at] ?? [];
  });
  const over = promotedOver(variants, records);
  const started: Experiment = {
    ...experiment,
    ...(over !== undefined && { over }),
    spans: layerSpans(name, experiment.layer, experiment.traffic, before?.spans ?? [], records),
    variantSpans: shareOut(owned, variantSizes(variants)),
  };
  return before === undefined ? started : restarted(started, before);
}

/**
 * Changes the share of users in an experiment. Users keep their variants, and stay in it where possible.
 *
 * @param traffic In (0, 1].
 * @throws ExperimentError When it is not running, or its layer has too few users left.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { changeTraffic, startExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: [] });
 * const around = { records: new Map([["explore", experiment]]), models: [] };
 * assert.equal(changeTraffic("explore", 0.1, around).traffic, 0.1);
 * ```
 */
export function changeTraffic(name: string, traffic: number, { records }: Surroundings): Experiment {
  const what = `set the traffic of experiment ${name}`;
  const experiment = find(name, records, what);
  const faults = experiment.status === "running"
    ? layerFaults({ ...experiment, traffic }, records)
    : [`it is ${experiment.status}`];
  if (faults.length > 0) throw new ExperimentError(what, faults);
  return {
    ...experiment,
    traffic,
    spans: layerSpans(name, experiment.layer, traffic, experiment.spans, records),
    revision: experiment.revision + 1,
  };
}

/**
 * Stops an experiment: all users get the defaults again.
 *
 * @throws ExperimentError When it has ended.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { startExperiment, stopExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: [] });
 * const around = { records: new Map([["explore", experiment]]), models: [] };
 * assert.equal(stopExperiment("explore", "nobody clicks", around).status, "stopped");
 * ```
 */
export function stopExperiment(name: string, reason: string, { records }: Surroundings): Experiment {
  const experiment = find(name, records, `stop experiment ${name}`);
  if (experiment.status === "stopped") {
    throw new ExperimentError(`stop experiment ${name}`, ["it is already stopped"]);
  }
  const { winner, ...rest } = experiment;
  const undone = winner === undefined ? "" : `${winner} is rolled back`;
  const why = [undone, reason].filter((text) => text !== "").join(": ").slice(0, MAX_TEXT);
  return { ...rest, status: "stopped", reason: why, revision: experiment.revision + 1 };
}

/**
 * Gives every user one variant; {@linkcode rollBackExperiment} undoes it.
 *
 * @throws ExperimentError When the variant does not exist, or another experiment changes the same settings.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { promoteVariant, startExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: [] });
 * const around = { records: new Map([["explore", experiment]]), models: [] };
 * assert.equal(promoteVariant("explore", "softmax", around).winner, "softmax");
 * ```
 */
export function promoteVariant(name: string, variant: string, { records }: Surroundings): Experiment {
  const what = `promote variant ${variant} of experiment ${name}`;
  const experiment = find(name, records, what);
  const chosen = splitVariants(experiment).find((one) => one.name === variant);
  if (chosen === undefined) {
    const names = splitVariants(experiment).map((one) => one.name).join(", ");
    throw new ExperimentError(what, [`its shown variants are ${names}`]);
  }
  const settings = changedSettings([chosen]);
  const rival = experimentsIn(records).find((other) =>
    other.name !== name && changedSettings(activeOf(other)).some((setting) => settings.includes(setting))
  );
  if (rival !== undefined) {
    const fault = `${rival.name} is ${rival.status} and changes the same settings: stop it first`;
    throw new ExperimentError(what, [fault]);
  }
  const { reason: _, ...rest } = experiment;
  return { ...rest, status: "promoted", winner: variant, revision: experiment.revision + 1 };
}

/**
 * Undoes a promotion: all users get the defaults again.
 *
 * @throws ExperimentError When none of its variants is promoted.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { promoteVariant, rollBackExperiment, startExperiment } from "@meander/meander/experiments";
 *
 * const experiment = startExperiment({
 *   name: "explore",
 *   variants: [{ name: "greedy" }, { name: "softmax", policy: { name: "boltzmann", temperature: 0.3 } }],
 * }, { records: new Map(), models: [] });
 * const around = { records: new Map([["explore", experiment]]), models: [] };
 * const promoted = promoteVariant("explore", "softmax", around);
 * const records = new Map([["explore", promoted]]);
 * assert.equal(rollBackExperiment("explore", "slower", { records, models: [] }).status, "stopped");
 * ```
 */
export function rollBackExperiment(name: string, reason: string, around: Surroundings): Experiment {
  const what = `roll back experiment ${name}`;
  const { status } = find(name, around.records, what);
  if (status !== "promoted") {
    throw new ExperimentError(what, [`it is ${status}, and no variant of it is promoted`]);
  }
  return stopExperiment(name, reason, around);
}

/**
 * Holds a share of all users out of all experiments and promotions. Another share begins a new phase with users drawn
 * anew, so that lasting effects of the earlier one are alike in both arms.
 *
 * @param share 0, or from 0.0001 to below 1.
 * @throws ExperimentError When the share is out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { changeHoldout } from "@meander/meander/experiments";
 *
 * const holdout = changeHoldout(0.02, { records: new Map(), models: [] });
 * const around = { records: new Map([["holdout", holdout]]), models: [] };
 * assert.deepEqual([holdout.phase, changeHoldout(0.05, around).phase], [1, 2]);
 * ```
 */
export function changeHoldout(share: number, { records }: Surroundings): Holdout {
  const held = heldBuckets(share);
  if (share !== 0 && !(held > 0 && held < BUCKETS)) {
    const percent = Number((100 * share).toFixed(4));
    throw new ExperimentError("keep users out", [
      `the share must be 0 % or from 0.01 % to below 100 %: current value is ${percent} %`,
    ]);
  }
  const known = records.get(HOLDOUT);
  const before = known === undefined || isExperiment(known) ? undefined : known;
  if (share === 0) return { name: HOLDOUT, salt: HOLDOUT, ...before, share };
  if (before?.phase !== undefined && before.share === share) return before;
  const phase = (before?.phase ?? 0) + 1;
  return { name: HOLDOUT, salt: `${HOLDOUT}:${phase}`, share, lastShare: share, phase };
}

function find(name: string, records: ReadonlyMap<string, ExperimentRecord>, what: string): Experiment {
  const record = records.get(name);
  if (record === undefined || !isExperiment(record)) {
    throw new ExperimentError(what, ["there is no such experiment"], true);
  }
  return record;
}

function layerSpans(
  name: string,
  layer: string,
  traffic: number,
  own: readonly Span[],
  records: ReadonlyMap<string, ExperimentRecord>,
): readonly Span[] {
  const taken = experimentsIn(records)
    .filter((other) => other.name !== name && other.status === "running" && other.layer === layer)
    .flatMap(({ spans }) => spans);
  const overlaps = own.some(([from, to]) => taken.some(([start, end]) => from < end && start < to));
  return shareOut([overlaps ? [] : own], [Math.round(traffic * BUCKETS)], taken)[0] ?? [];
}
