/**
 * Assigns users to variants, as a function of the user's id and the experiment records alone.
 *
 * ```text
 *   in the holdout?  ── yes ──> nothing else, unless an override names a variant
 *          │ no
 *   for each layer:  bucket(user, layer) ──> the experiment that owns it, or none
 *                    bucket(user, experiment's salt) ──> its variant
 * ```
 */

import { bucketOf, BUCKETS, saltSeed, spanSize } from "./buckets.ts";
import {
  type Experiment,
  type ExperimentRecord,
  experimentsIn,
  isExperiment,
  type Variant,
  VARIANT_SETTINGS,
  type VariantSettings,
} from "./experiment.ts";
import type { Exposure } from "./exposure.ts";
import { heldBuckets, HOLDOUT, REST } from "./holdout.ts";
import { modelKey } from "./pins.ts";

/** The variants of a user's request. */
export interface Assignment {
  /** The user's variants, by layer; empty without an experiment. */
  readonly exposures: readonly Exposure[];
  /** Settings changed by these variants and the promoted ones. */
  readonly settings: VariantSettings;
  /** The settings of a user who cannot be in the experiments (see `models`): those promoted, and no others. */
  readonly promoted: VariantSettings;
  /** Shadow variants to score as well. */
  readonly shadows: readonly Variant[];
  /** The two variants to interleave, with their settings. */
  readonly interleaved: readonly [Variant, Variant] | null;
  /**
   * Keys of the models of all variants that have users. If one of these models is missing, the experiment has no users:
   * leaving out only those of that variant would make the arms incomparable.
   */
  readonly models: readonly string[];
}

const NOBODY: Assignment = {
  exposures: [],
  settings: {},
  promoted: {},
  shadows: [],
  interleaved: null,
  models: [],
};

/** The variant's name in the exposures of interleaving experiments. */
export const INTERLEAVED = "interleaved";

interface Layer {
  readonly seed: number;
  /** 1 + index into `running` by bucket; 0 = none. */
  readonly owner: Uint16Array;
  readonly running: Compiled[];
}

interface Compiled {
  readonly seed: number;
  /** Index of the variant by bucket. */
  readonly variant: Uint8Array;
  /** Assignment of each variant, without what is promoted. */
  readonly assignments: readonly Assignment[];
  /** Assignments of users with an override. */
  readonly overrides: ReadonlyMap<string, Assignment>;
}

/**
 * The experiments of a deployment, compiled for assignment. O(layers) per user.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Experiments } from "@meander/meander/experiments";
 *
 * assert.deepEqual(new Experiments([]).assign("ann").exposures, []);
 * ```
 */
export class Experiments {
  /** The records, by name. */
  readonly records: ReadonlyMap<string, ExperimentRecord>;
  readonly #layers: readonly Layer[];
  readonly #holdoutSeed: number;
  readonly #holdoutBuckets: number;
  readonly #nobody: Assignment;
  /** Exposures of users held out and of all others. */
  readonly #exposed: Readonly<Record<typeof HOLDOUT | typeof REST, readonly Exposure[]>>;

  /** Compiles experiments. @param records Validated records, the newest of each name. */
  constructor(records: Iterable<ExperimentRecord>) {
    this.records = new Map([...records].map((record) => [record.name, record]));
    const experiments = experimentsIn(this.records)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const promoted: VariantSettings = Object.assign(
      {},
      ...experiments.filter(({ status }) => status === "promoted").map(({ variants, winner }) =>
        settingsOf(variants.find(({ name }) => name === winner) ?? {})
      ),
    );
    this.#nobody = { ...NOBODY, settings: promoted, promoted, models: modelsOf([promoted]) };
    const layers = new Map<string, Layer>();
    for (const experiment of experiments) {
      if (experiment.status !== "running") continue;
      let layer = layers.get(experiment.layer);
      if (layer === undefined) {
        layer = { seed: saltSeed(`layer:${experiment.layer}`), owner: new Uint16Array(BUCKETS), running: [] };
        layers.set(experiment.layer, layer);
      }
      layer.running.push(compile(experiment));
      for (const [from, to] of experiment.spans) layer.owner.fill(layer.running.length, from, to);
    }
    this.#layers = [...layers.values()];
    const holdout = this.records.get(HOLDOUT);
    const { share, phase } = holdout === undefined || isExperiment(holdout) ? { share: 0 } : holdout;
    this.#holdoutBuckets = heldBuckets(share);
    this.#holdoutSeed = saltSeed(holdout?.salt ?? "");
    const exposedAs = (variant: string) => [{ experiment: HOLDOUT, variant, ...(phase && { phase }) }];
    this.#exposed = {
      holdout: exposedAs(HOLDOUT),
      rest: share === 0 || phase === undefined ? [] : exposedAs(REST),
    };
  }

  /** The variants of a user. */
  assign(user: string): Assignment {
    const isHeld = this.#holdoutBuckets > 0 && bucketOf(user, this.#holdoutSeed) < this.#holdoutBuckets;
    let assignment = isHeld ? NOBODY : this.#nobody;
    let isForced = false;
    for (const layer of this.#layers) {
      const forced = forcedIn(layer, user);
      isForced ||= forced !== undefined;
      const found = forced ?? (isHeld ? undefined : drawnIn(layer, user));
      if (found !== undefined) assignment = merge(assignment, found);
    }
    // A user forced into a variant must not count as held out, nor as the rest.
    const exposed = isForced ? [] : this.#exposed[isHeld ? HOLDOUT : REST];
    return exposed.length === 0
      ? assignment
      : { ...assignment, exposures: [...assignment.exposures, ...exposed] };
  }
}

/** The settings of a variant; a pinned version is part of the model's name (`pins.ts`). */
export function settingsOf(variant: Omit<Variant, "name">): VariantSettings {
  const given = VARIANT_SETTINGS.filter((setting) => variant[setting] !== undefined);
  const model = modelKey(variant);
  const settings = Object.fromEntries(given.map((setting) => [setting, variant[setting]]));
  return model === undefined ? settings : { ...settings, model };
}

/** Identifies what the figures of an experiment compare and how users are assigned. A change begins a new phase. */
export function definitionOf(
  { salt, mode, variants, variantSpans, overrides, phase = 0 }: Omit<Experiment, "revision" | "spans">,
): string {
  const names = variants.map(({ name, shadow = false }) => [name, shadow]);
  const credits = mode === "interleave" ? ["by picker, by list"] : [];
  const settings = JSON.stringify(variants.map(settingsOf));
  const head = phase === 0 ? [] : [phase]; // first, so that no definition is a prefix of another phase's
  return JSON.stringify([...head, salt, mode, names, variantSpans, overrides, ...credits, settings]);
}

/** Variants with users, in order. */
export function splitVariants({ variants }: Pick<Experiment, "variants">): readonly Variant[] {
  return variants.filter(({ shadow }) => shadow !== true);
}

/** Intended share of the experiment's users by variant, in the order of {@linkcode splitVariants}. */
export function splitShares({ variants, variantSpans }: Experiment): number[] {
  const sizes = variants.flatMap(({ shadow }, v) => shadow === true ? [] : [spanSize(variantSpans[v] ?? [])]);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => size / total);
}

function compile(experiment: Experiment): Compiled {
  const { name, salt, variants, variantSpans, overrides, mode, phase = 0 } = experiment;
  const variant = new Uint8Array(BUCKETS);
  variantSpans.forEach((spans, v) => {
    for (const [from, to] of spans) variant.fill(v, from, to);
  });
  const shadows = variants.filter(({ shadow }) => shadow === true);
  const models = modelsOf(splitVariants(experiment).map(settingsOf));
  const assignmentOf = (
    variant: string,
    chosen: Pick<Assignment, "settings" | "interleaved">,
  ): Assignment => ({
    exposures: [{ experiment: name, variant, ...(phase > 0 && { phase }) }],
    promoted: {},
    shadows,
    models,
    ...chosen,
  });
  const alone = variants.map((one) =>
    assignmentOf(one.name, { settings: settingsOf(one), interleaved: null })
  );
  const [a, b] = splitVariants(experiment);
  const drafted = mode === "interleave" && a !== undefined && b !== undefined
    ? assignmentOf(INTERLEAVED, { settings: {}, interleaved: [a, b] })
    : undefined;
  return {
    seed: saltSeed(salt),
    variant,
    assignments: alone.map((one) => drafted ?? one),
    overrides: new Map(
      Object.entries(overrides).flatMap(([user, name]) => {
        const forced = alone[variants.findIndex((one) => one.name === name)];
        return forced === undefined ? [] : [[user, forced]];
      }),
    ),
  };
}

function modelsOf(settings: readonly VariantSettings[]): string[] {
  return [...new Set(settings.flatMap(({ model }) => model ?? []))];
}

/** The assignment that an override gives a user. */
function forcedIn(layer: Layer, user: string): Assignment | undefined {
  for (const { overrides } of layer.running) {
    const forced = overrides.size === 0 ? undefined : overrides.get(user);
    if (forced !== undefined) return forced;
  }
  return undefined;
}

/** The assignment that a user's buckets give. */
function drawnIn(layer: Layer, user: string): Assignment | undefined {
  const compiled = layer.running[layer.owner[bucketOf(user, layer.seed)]! - 1];
  return compiled?.assignments[compiled.variant[bucketOf(user, compiled.seed)]!];
}

/** Adds the assignment of a layer. Layers change different settings, so their order does not matter. */
function merge(a: Assignment, b: Assignment): Assignment {
  return {
    exposures: [...a.exposures, ...b.exposures],
    settings: { ...a.settings, ...b.settings },
    promoted: a.promoted,
    shadows: [...a.shadows, ...b.shadows],
    interleaved: a.interleaved ?? b.interleaved,
    models: [...a.models, ...b.models],
  };
}
