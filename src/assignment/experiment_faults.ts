/** What is wrong with experiments as written by users. */

import { settingsOf, splitVariants } from "./assignment.ts";
import { BUCKETS, proportions } from "./buckets.ts";
import {
  type Experiment,
  type ExperimentRecord,
  experimentsIn,
  type Variant,
  VARIANT_SETTINGS,
  type VariantSettings,
} from "./experiment.ts";
import { METRICS } from "./metrics.ts";

/** Models that are always available. */
const BUILT_IN_MODELS = ["prior"] as const;

/** What is wrong with an experiment's variants in a deployment with these models, one sentence each. */
export function variantFaults(
  { variants, overrides, mode }: Pick<Experiment, "variants" | "overrides" | "mode">,
  models: readonly string[],
): string[] {
  const faults: string[] = [];
  const shown = splitVariants({ variants });
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) faults.push(`two variants are called ${twice}`);
  if (shown.length === 0) faults.push("every variant is a shadow: one must be shown");
  if (variants.length < 2) faults.push("it has one variant: two are needed to compare");
  if (mode === "interleave" && shown.length !== 2) {
    faults.push(`it interleaves ${shown.length} variants: exactly two must be shown`);
  }
  const known = [...BUILT_IN_MODELS, ...models];
  const mixed = variants.find(({ shadow, retrieval }) =>
    retrieval?.list !== undefined && (shadow || mode === "interleave")
  );
  if (mixed !== undefined) {
    faults.push(
      `variant ${mixed.name} has a list of its own: it cannot be a shadow or interleave with another`,
    );
  }
  for (const { name, model, version = "latest" } of variants) {
    if (version !== "latest" && BUILT_IN_MODELS.some((one) => one === model)) {
      faults.push(`variant ${name} names version ${version} of ${model}, which has no versions`);
    }
    if (model === undefined || known.includes(model)) continue;
    faults.push(`variant ${name} names model ${model}: this deployment runs ${known.join(", ")}`);
  }
  const empty = shown.find((_, v) => variantSizes(shown)[v] === 0);
  if (empty !== undefined) faults.push(`variant ${empty.name} gets less than 0.01 % of the users`);
  for (const [user, name] of Object.entries(overrides)) {
    if (!names.includes(name)) faults.push(`user ${user} is to get variant ${name}, which does not exist`);
  }
  return faults;
}

/** What is wrong with how an experiment compares its variants, one sentence each. */
export function comparisonFaults(
  { mode, variants, guardRails }: Pick<Experiment, "mode" | "variants" | "guardRails">,
): string[] {
  const faults: string[] = [];
  if (mode === "interleave") {
    if (guardRails.length > 0) {
      faults.push("it interleaves, so guard rails have nothing to compare: leave them out");
    }
    if (new Set(splitVariants({ variants }).map(({ weight = 1 }) => weight)).size > 1) {
      faults.push("it interleaves, so each user gets both variants: leave weights out");
    }
  }
  for (const { metric, tolerance = 0 } of guardRails) {
    if (METRICS[metric].better === "down" || tolerance < 1) continue;
    faults.push(`guard rail ${metric} tolerates a loss of ${percent(tolerance)}: it could never break`);
  }
  return faults;
}

/** What is wrong with an experiment's salt, one sentence each. What users once got may still have an effect. */
export function saltFaults(
  { name, salt }: Pick<Experiment, "name" | "salt">,
  records: ReadonlyMap<string, ExperimentRecord>,
): string[] {
  if (/^(holdout$|holdout:|layer:)/.test(salt)) {
    return [`salt ${salt} also chooses who takes part, so variants would depend on that: choose another one`];
  }
  return experimentsIn(records)
    .filter((other) => other.name !== name && other.salt === salt)
    .map((other) =>
      `salt ${salt} is also that of ${other.name}, which is ${other.status}: both split users alike, so its effects, ` +
      "even later ones, would be credited to these variants; choose another one"
    );
}

/** What is wrong with an experiment beside the others that run, one sentence each. */
export function layerFaults(
  experiment: Experiment,
  records: ReadonlyMap<string, ExperimentRecord>,
): string[] {
  const { name, layer, mode, traffic, variants } = experiment;
  const faults: string[] = [];
  if (!(Math.round(traffic * BUCKETS) > 0 && traffic <= 1)) {
    return [`traffic must be from 0.01 % to 100 %: current value is ${percent(traffic)}`];
  }
  const others = experimentsIn(records)
    .filter((other) => other.name !== name && other.status === "running");
  const beside = others.filter((other) => other.layer === layer);
  const used = beside.reduce((sum, other) => sum + Math.round(other.traffic * BUCKETS), 0);
  if (used + Math.round(traffic * BUCKETS) > BUCKETS) {
    faults.push(
      `layer ${layer} has ${percent(1 - used / BUCKETS)} of its users left, and the experiment needs ${
        percent(traffic)
      } (` +
        `${beside.map((other) => `${other.name} has ${percent(other.traffic)}`).join(", ")})`,
    );
  }
  const own = changedSettings(variants);
  for (const other of others.filter((one) => one.layer !== layer)) {
    if (mode === "interleave" && other.mode === mode) {
      faults.push(
        `layers ${layer} and ${other.layer} overlap: ${other.name} interleaves too, and a list can be drafted ` +
          "once; put both into one layer",
      );
    }
    const both = changedSettings(other.variants).filter((setting) => own.includes(setting));
    if (both.length === 0) continue;
    faults.push(
      `layers ${layer} and ${other.layer} overlap: ${other.name} changes ${both.join(", ")} too; ` +
        `put both into one layer`,
    );
  }
  return faults;
}

export function changedSettings(variants: readonly Variant[]): (keyof VariantSettings)[] {
  const settings = variants.map(settingsOf);
  return VARIANT_SETTINGS.filter((setting) => settings.some((one) => one[setting] !== undefined));
}

/** Buckets of each variant; a shadow has none. */
export function variantSizes(variants: readonly Variant[]): number[] {
  return proportions(variants.map(({ weight, shadow }) => shadow === true ? 0 : weight ?? 1), BUCKETS);
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
