/**
 * Reads and changes the experiments of a deployment. A change is a record on the compacted topic `experiments`, which
 * holds the current state, and one on every partition of `events`, which defines from which event on it applies.
 *
 * ```text
 *   change ──one commit──> experiments (key: name)        current state, for people and commands
 *                     └──> events, each partition         applied by each task at this offset
 * ```
 *
 * A replay of the events therefore repeats every assignment.
 */

import { getLogger } from "@logtape/logtape";
import { shown } from "../../src/events/rejected.ts";
import {
  changeHoldout,
  changeTraffic,
  type ExperimentDraft,
  promoteVariant,
  rollBackExperiment,
  startExperiment,
  stopExperiment,
  type Surroundings,
} from "../../src/assignment/changes.ts";
import { variantFaults } from "../../src/assignment/experiment_faults.ts";
import { type FormerDefaults, newPhasesAfterUndo, overOtherDefaults } from "../../src/assignment/phases.ts";
import {
  type Experiment,
  type ExperimentRecord,
  type Holdout,
  isExperiment,
} from "../../src/assignment/experiment.ts";
import type { Log, NewRecord, Writer } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { type Pins, pinVersions, sparePins } from "../topics/pins.ts";
import type { Topics } from "../topics/topics.ts";
import { decodeExperiment, encodeExperiment, EXPERIMENT } from "./record.ts";

const logger = getLogger(["meander", "experiments"]);

/** Every change of experiments, on a log ({@linkcode ExperimentRegistry}) or over HTTP (`ExperimentClient`). */
export interface ExperimentChanges {
  /** Starts an experiment, or restarts a stopped one, whose users keep their variants. */
  start(draft: ExperimentDraft): Promise<Experiment>;
  /** Changes the share of users in an experiment, from 0.0001 to 1; no user changes variant. */
  traffic(name: string, traffic: number): Promise<Experiment>;
  /** Stops a running or promoted experiment. */
  stop(name: string, reason: string): Promise<Experiment>;
  /** Gives every user one variant. */
  promote(name: string, variant: string): Promise<Experiment>;
  /** Undoes a promotion: all users get the defaults again. */
  rollBack(name: string, reason: string): Promise<Experiment>;
  /** Holds a share of all users, in [0, 1), out of all experiments. */
  holdout(share: number): Promise<Holdout>;
}

/** Options of an {@linkcode ExperimentRegistry}. */
export interface RegistryOptions {
  /** Names of the deployment's models. */
  readonly models: readonly string[];
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Changes the experiments of a deployment on its log, from any number of processes. A change applies from an offset of
 * the events on, so a replay of the log repeats every assignment.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   DEFAULT_SCHEMA,
 *   ExperimentRegistry,
 *   MemoryLog,
 *   Service,
 *   topicNames,
 * } from "@meander/meander";
 *
 * await using log = new MemoryLog();
 * await using _service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 *
 * const registry = new ExperimentRegistry(log, topicNames(), { models: ["base"], now: Date.now });
 * await registry.start({ name: "explore", variants: [{ name: "model" }, { name: "rates", model: "prior" }] });
 * const { traffic } = await registry.traffic("explore", 0.5);
 * assert.equal(traffic, 0.5);
 * ```
 */
export class ExperimentRegistry implements ExperimentChanges {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #options: RegistryOptions;

  /** Makes a registry on a log whose topics exist. */
  constructor(log: Log, topics: Topics, options: RegistryOptions) {
    this.#log = log;
    this.#topics = topics;
    this.#options = options;
  }

  /** Reads the newest record of each experiment. */
  async records(): Promise<Map<string, ExperimentRecord>> {
    const records = new Map<string, ExperimentRecord>();
    for await (const record of readAll(this.#log, this.#topics.experiments, 0)) {
      const { key, value } = record;
      if (key === null || value === null) continue;
      try {
        records.set(key, decodeExperiment(value));
      } catch (cause) {
        unreadable.leaveOut(record, cause, `experiment ${shown(key)} stays as it was before`);
      }
    }
    return records;
  }

  /** Starts an experiment. @throws ExperimentError naming everything that is wrong. */
  async start(draft: ExperimentDraft): Promise<Experiment> {
    const { variants, faults: versionFaults, records } = await pinVersions(
      this.#log,
      this.#topics,
      draft.variants,
    );
    return await this.#change(
      (around) => startExperiment({ ...draft, variants }, { ...around, versionFaults }),
      records,
    );
  }

  /** Changes the share of users in an experiment. @throws ExperimentError */
  traffic(name: string, traffic: number): Promise<Experiment> {
    return this.#change((around) => changeTraffic(name, traffic, around));
  }

  /** Stops a running or promoted experiment. @throws ExperimentError */
  stop(name: string, reason: string): Promise<Experiment> {
    return this.#change((around) => stopExperiment(name, reason, around));
  }

  /**
   * Stops an experiment unless it has changed since.
   *
   * @returns The record, or `null` when the revision is outdated.
   */
  async halt({ name, revision }: Experiment, reason: string): Promise<Experiment | null> {
    return await this.#change((around) => {
      const now = around.records.get(name);
      if (now === undefined || !isExperiment(now) || now.revision !== revision) return null;
      return stopExperiment(name, reason, around);
    });
  }

  /** Gives every user one variant. @throws ExperimentError */
  promote(name: string, variant: string): Promise<Experiment> {
    return this.#change((around) => promoteVariant(name, variant, around));
  }

  /**
   * Undoes a promotion: all users get the defaults again. Running experiments that vary its settings begin a new phase.
   *
   * @throws ExperimentError
   */
  rollBack(name: string, reason: string): Promise<Experiment> {
    return this.#change((around) => rollBackExperiment(name, reason, around));
  }

  /** Holds a share of all users out of all experiments. @throws ExperimentError when the share is invalid. */
  async holdout(share: number): Promise<Holdout> {
    return await this.#change((around) => changeHoldout(share, around));
  }

  /**
   * Adopts the experiments of another deployment, with the salts that assign its users, so that each user keeps their
   * variant. Adopts none if there already are experiments, which may have the same users, and none that has
   * {@linkcode adoptionFaults}.
   *
   * @returns names of the adopted experiments
   */
  async adopt(others: readonly ExperimentRecord[]): Promise<string[]> {
    const known = new Map(others.map((other) => [other.name, JSON.stringify(other)]));
    const adopted: string[] = [];
    for (const other of others) {
      if (adoptionFaults(other, this.#options.models).length > 0) continue;
      const taken = await this.#change(({ records }) => {
        const isAlone = [...records.values()].every((own) => JSON.stringify(own) === known.get(own.name));
        return isAlone && !records.has(other.name) ? other : null;
      });
      if (taken !== null) adopted.push(taken.name);
    }
    return adopted;
  }

  /**
   * Begins a new phase of running experiments whose variants differ in a setting that has another default from now
   * on, and of ended ones when they restart.
   *
   * @internal
   */
  async changeDefaults(former: FormerDefaults): Promise<void> {
    if (overOtherDefaults(former, await this.records()).length === 0) return; // a writer fences concurrent changes
    await using writer = await this.#writer();
    const changed = overOtherDefaults(former, await this.records());
    await this.#write(writer, changed);
    for (const { name, status, reason } of changed) {
      if (status === "running") logger.warn("experiment {name} {reason}", { name, reason });
    }
  }

  /** Drops pinned versions that no experiment or event needs; every change also does this. */
  async tidy(): Promise<void> {
    const topics = this.#topics;
    const spare = async () => await sparePins(this.#log, topics, [...(await this.records()).values()]);
    if ((await spare()).length === 0) return; // opening a writer fences concurrent changes
    await using writer = await this.#writer();
    const time = this.#options.now();
    const records = (await spare()).map((record) => ({ ...record, time }));
    await writer.commit({ records, group: writer.id, offsets: [] });
  }

  /** Fences concurrent changes; records are then read behind what they have committed. */
  async #writer(): Promise<Writer> {
    const topic = this.#topics.experiments;
    return await this.#log.writer(`${topic}-registry`, [{ topic, partition: 0 }]);
  }

  async #change<R extends ExperimentRecord | null>(
    change: (around: Surroundings) => R,
    pins: Pins["records"] = [],
  ): Promise<R> {
    // The writer fences concurrent changes, so the records read now are the ones changed.
    await using writer = await this.#writer();
    const records = await this.records();
    const record = change({ records, models: this.#options.models });
    if (record === null) return record;
    const anew = newPhasesAfterUndo(record, { records });
    const spare = await sparePins(this.#log, this.#topics, [...records.values(), record]);
    await this.#write(writer, [record, ...anew], [...spare, ...pins]);
    for (const { name } of anew) {
      logger.warn(
        "experiment {name} begins a new phase: the promotion of {other}, on which its control relied, was undone",
        {
          name,
          other: record.name,
        },
      );
    }
    return record;
  }

  async #write(
    writer: Writer,
    changed: readonly ExperimentRecord[],
    others: Pins["records"] = [],
  ): Promise<void> {
    const time = this.#options.now();
    const partitions = (await this.#log.topics(this.#topics.events)).get(this.#topics.events)?.partitions ??
      1;
    const topic = this.#topics.experiments;
    const { end } = await this.#log.bounds(topic, 0);
    await writer.commit({
      records: [
        ...others.map((one) => ({ ...one, time })),
        ...changed.flatMap((one) => this.#recordsOf(one, partitions, time)),
      ],
      group: writer.id,
      offsets: [{ topic, partition: 0, offset: end }],
    });
  }

  /** The records of a change: the current state, and one for the tasks. */
  #recordsOf(record: ExperimentRecord, partitions: number, time: number): NewRecord[] {
    const value = encodeExperiment(record);
    decodeExperiment(value); // never write a record that tasks cannot read
    const { experiments, events: topic } = this.#topics;
    const headers = { [EXPERIMENT]: record.name };
    return [
      { topic: experiments, partition: 0, key: record.name, value, time },
      ...Array.from({ length: partitions }, (_, partition) => {
        return { topic, partition, key: null, value, time, headers };
      }),
    ];
  }
}

/** Why a deployment with these models cannot continue an experiment; a stopped one serves no users, so has no faults. */
export function adoptionFaults(record: ExperimentRecord, models: readonly string[]): readonly string[] {
  return isExperiment(record) && record.status !== "stopped" ? variantFaults(record, models) : [];
}

/** Models with published parameters: the deployment's own and those of variants. */
export async function deployedModels(log: Log, { parameters }: Topics): Promise<string[]> {
  const models = new Set<string>();
  for (const name of (await log.topics(parameters)).keys()) {
    if (name !== parameters && !name.startsWith(`${parameters}.`)) continue;
    for await (const { key } of readAll(log, name, 0)) {
      if (key === null) continue;
      models.add(key);
      break;
    }
  }
  return [...models].sort();
}
