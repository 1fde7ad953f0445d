/**
 * Phases of an experiment. A new one begins when what it compares changes: its own definition, how it is decided, what
 * others have promoted of the settings that it varies, or the deployment's defaults of them.
 */

import { definitionOf, settingsOf, splitVariants } from "./assignment.ts";
import {
  type Experiment,
  type ExperimentRecord,
  experimentsIn,
  isExperiment,
  STOP_RULE,
  type Variant,
  type VariantSettings,
} from "./experiment.ts";
import { changedSettings } from "./experiment_faults.ts";

/** Warns that who gets which variant may depend on what they got before. */
const SAME_SPLIT =
  "begins a new phase with the split of the one before, whose effects may last; another salt splits users anew";

/** A restarted experiment, in a new phase unless it compares the same as before. */
export function restarted(started: Experiment, before: Experiment): Experiment {
  const { phase = 0 } = before;
  const isSame = started.over === before.over && decisionOf(started) === decisionOf(before) &&
    definitionOf({ ...started, phase }) === definitionOf(before);
  if (isSame) return phase === 0 ? started : { ...started, phase };
  return { ...started, phase: phase + 1, ...(started.salt === before.salt && { reason: SAME_SPLIT }) };
}

/** What decides an experiment. Chosen after a look at its figures, it would be wrong more often than `alpha`. */
function decisionOf({ metric, stopRule }: Pick<Experiment, "metric" | "stopRule">): string {
  const { alpha, maxUsers } = { ...STOP_RULE, ...stopRule };
  return JSON.stringify([metric, alpha, maxUsers]);
}

/** The variants that users get: all while it runs, since another default would change what its control is. */
export function activeOf({ status, variants, winner }: Experiment): readonly Variant[] {
  if (status === "running") return variants;
  return variants.filter(({ name }) => status === "promoted" && name === winner);
}

/**
 * Running experiments that vary settings of an undone promotion, in a new phase, since their control changes.
 *
 * @param ended the experiment after its promotion
 */
export function newPhasesAfterUndo(
  ended: ExperimentRecord,
  { records }: { readonly records: ReadonlyMap<string, ExperimentRecord> },
): readonly Experiment[] {
  const { name } = ended;
  const before = records.get(name);
  if (before === undefined || !isExperiment(before) || before.status !== "promoted") return [];
  const settings = changedSettings(activeOf(before));
  const reason = `begins a new phase: the promotion of ${name}, whose settings it varies, was undone`;
  const after = new Map([...records, [name, ended]]);
  return experimentsIn(records)
    .filter((one) =>
      one.status === "running" && changedSettings(one.variants).some((own) => settings.includes(own))
    )
    .map((one) => inNextPhase(one, reason, after));
}

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
  return experimentsIn(records).flatMap((one) => {
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
export function promotedOver(
  variants: readonly Variant[],
  records: ReadonlyMap<string, ExperimentRecord>,
): string | undefined {
  const own = changedSettings(variants);
  const promoted = experimentsIn(records)
    .filter(({ status }) => status === "promoted")
    .flatMap((one) => activeOf(one).map(settingsOf));
  const over = own.flatMap((setting) =>
    promoted.flatMap(({ [setting]: value }) => value === undefined ? [] : [[setting, value]])
  );
  return over.length === 0 ? undefined : JSON.stringify(Object.fromEntries(over));
}
