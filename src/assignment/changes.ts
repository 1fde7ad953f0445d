/**
 * Changes to experiments: start, traffic, stop, promote, roll back. Each takes the existing records and returns a new
 * record, or throws an error that lists everything wrong.
 *
 * @module
 */

import { definitionOf, settingsOf, splitVariants } from "./assignment.ts";
import { BUCKETS, shareOut } from "./buckets.ts";
import {
  type Experiment,
  type ExperimentRecord,
  type Holdout,
  isExperiment,
  MAX_TEXT,
  type Span,
  STOP_RULE,
  type Variant,
  type VariantSettings,
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
  const sameVariants = before !== undefined && before.salt === experiment.salt &&
    before.variants.map((v) => v.name).join("\0") === variants.map((v) => v.name).join("\0");
  const wanted = variantSizes(variants);
  const free = variants.map(() => []);
  const over = promotedOver(variants, records);
  const started: Experiment = {
    ...experiment,
    ...(over !== undefined && { over }),
    spans: layerSpans(name, experiment.layer, experiment.traffic, before?.spans ?? [], records),
    variantSpans: shareOut(sameVariants ? before.variantSpans : free, wanted),
  };
  if (before === undefined) return started;
  const { phase = 0 } = before;
  const isSame = over === before.over && decisionOf(started) === decisionOf(before) &&
    definitionOf({ ...started, phase }) === definitionOf(before);
  if (isSame) return phase === 0 ? started : { ...started, phase };
  return { ...started, phase: phase + 1, ...(started.salt === before.salt && { reason: SAME_SPLIT }) };
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
  const experiment = running(name, records, what);
  const faults = layerFaults({ ...experiment, traffic }, records);
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
  const rival = [...records.values()].filter(isExperiment).find((other) =>
    other.name !== name && changedSettings(activeOf(other)).some((setting) => settings.includes(setting))
  );
  if (rival !== undefined) {
    const fault = `${rival.name} is ${rival.status} and changes the same settings: stop it first`;
    throw new ExperimentError(what, [fault]);
  }
  const { reason: _, ...rest } = experiment;
  return { ...rest, status: "promoted", winner: variant, revision: experiment.revision + 1 };
}

/** What decides an experiment. Chosen after a look at its figures, it would be wrong more often than `alpha`. */
function decisionOf({ metric, stopRule }: Pick<Experiment, "metric" | "stopRule">): string {
  const { alpha, maxUsers } = { ...STOP_RULE, ...stopRule };
  return JSON.stringify([metric, alpha, maxUsers]);
}

/** The variants that users get: all while it runs, since another default would change what its control is. */
function activeOf({ status, variants, winner }: Experiment): readonly Variant[] {
  if (status === "running") return variants;
  return variants.filter(({ name }) => status === "promoted" && name === winner);
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

/**
 * Running experiments that vary settings of an undone promotion, in a new phase, since their control changes.
 *
 * @param ended the experiment after its promotion
 */
export function overUndonePromotion(
  ended: ExperimentRecord,
  { records }: Surroundings,
): readonly Experiment[] {
  const { name } = ended;
  const before = records.get(name);
  if (before === undefined || !isExperiment(before) || before.status !== "promoted") return [];
  const settings = changedSettings(activeOf(before));
  const reason = `begins a new phase: the promotion of ${name}, whose settings it varies, was undone`;
  const after = new Map([...records, [name, ended]]);
  return [...records.values()].filter(isExperiment)
    .filter((one) =>
      one.status === "running" && changedSettings(one.variants).some((own) => settings.includes(own))
    )
    .map((one) => inNextPhase(one, reason, after));
}

/** Warns that who gets which variant may depend on what they got before. */
const SAME_SPLIT =
  "begins a new phase with the split of the one before, whose effects may last; another salt splits users anew";

/** Former defaults of a deployment, by the setting that they are the default of. */
export type FormerDefaults = Readonly<Partial<Record<keyof VariantSettings, unknown>>>;

/**
 * Experiments in which a changed default alters some variants but not all: running ones in a new phase, ended ones
 * will begin one if they start again.
 */
export function overOtherDefaults(
  former: FormerDefaults,
  records: ReadonlyMap<string, ExperimentRecord>,
): readonly Experiment[] {
  return [...records.values()].filter(isExperiment).flatMap((one) => {
    const promoted = parsedOver(promotedOver(one.variants, records));
    const settings = changedSettings(splitVariants(one)).filter((setting) =>
      setting in former && !(setting in promoted) && splitVariants(one).some((v) => !isFixed(v, setting))
    );
    if (settings.length === 0) return [];
    const reason = `begins a new phase: the deployment's ${settings.join(" and ")} changed, which it varies`;
    if (one.status === "running") return [inNextPhase(one, reason, records)];
    const own = Object.fromEntries(settings.map((setting) => [setting, former[setting]]));
    const over = JSON.stringify({ ...parsedOver(one.over), ...own });
    return [{ ...one, over, revision: one.revision + 1 }];
  });
}

/** Whether a variant's lists are the same under any default of a setting. */
function isFixed(variant: Variant, setting: keyof VariantSettings): boolean {
  if (setting !== "retrieval") return variant[setting] !== undefined;
  const { list, ranking } = variant.retrieval ?? {};
  return list !== undefined || ranking !== undefined;
}

/** Begins the next phase of a running experiment, over what is promoted now. */
function inNextPhase(
  { over: _, ...one }: Experiment,
  reason: string,
  records: ReadonlyMap<string, ExperimentRecord>,
): Experiment {
  const over = promotedOver(one.variants, records);
  const phase = (one.phase ?? 0) + 1;
  return { ...one, phase, reason, ...(over !== undefined && { over }), revision: one.revision + 1 };
}

function parsedOver(over: string | undefined): FormerDefaults {
  return over === undefined ? {} : JSON.parse(over);
}

/** Promoted settings that these variants change, as JSON: they are part of what the control is. */
function promotedOver(
  variants: readonly Variant[],
  records: ReadonlyMap<string, ExperimentRecord>,
): string | undefined {
  const own = changedSettings(variants);
  const promoted = [...records.values()].filter(isExperiment)
    .filter(({ status }) => status === "promoted")
    .flatMap((one) => activeOf(one).map(settingsOf));
  const over = own.flatMap((setting) =>
    promoted.flatMap(({ [setting]: value }) => value === undefined ? [] : [[setting, value]])
  );
  return over.length === 0 ? undefined : JSON.stringify(Object.fromEntries(over));
}

function find(name: string, records: ReadonlyMap<string, ExperimentRecord>, what: string): Experiment {
  const record = records.get(name);
  if (record === undefined || !isExperiment(record)) {
    throw new ExperimentError(what, ["there is no such experiment"], true);
  }
  return record;
}

function running(name: string, records: ReadonlyMap<string, ExperimentRecord>, what: string): Experiment {
  const experiment = find(name, records, what);
  if (experiment.status !== "running") throw new ExperimentError(what, [`it is ${experiment.status}`]);
  return experiment;
}

function layerSpans(
  name: string,
  layer: string,
  traffic: number,
  own: readonly Span[],
  records: ReadonlyMap<string, ExperimentRecord>,
): readonly Span[] {
  const taken = [...records.values()].filter(isExperiment)
    .filter((other) => other.name !== name && other.status === "running" && other.layer === layer)
    .flatMap(({ spans }) => spans);
  const overlaps = own.some(([from, to]) => taken.some(([start, end]) => from < end && start < to));
  return shareOut([overlaps ? [] : own], [Math.round(traffic * BUCKETS)], taken)[0] ?? [];
}
