/**
 * The topics of a deployment: their names, partitions and policies.
 *
 * @module
 */

import type { TopicSpec } from "../log/log.ts";

/** Names of the topics under a prefix. */
export interface Topics {
  /** Behaviour, keyed by user. */
  readonly events: string;
  /** Catalogue, keyed by item, compacted. */
  readonly items: string;
  /** Recommendations, keyed by user. */
  readonly recommendations: string;
  /** Impressions joined with outcomes, keyed by user; a tombstone erases the user from the learner. */
  readonly samples: string;
  /** Changelog of user states, keyed by user, compacted. */
  readonly state: string;
  /** Changelog of item statistics and of the task itself, compacted. */
  readonly statistics: string;
  /** What each task learns for retrieval, shared with the others: one journal per commit. */
  readonly signals: string;
  /** Numbered parameter versions, keyed by model. */
  readonly parameters: string;
  /** The learner's own state, keyed by model and chunk, compacted. */
  readonly checkpoints: string;
  /** Experiments, keyed by name, compacted. */
  readonly experiments: string;
  /** Figures of experiments: the monitor's own state, keyed by experiment and by user, compacted. */
  readonly figures: string;
  /** Versions of models that experiments pin, keyed by model, version and place, compacted. */
  readonly pins: string;
  /** Positions of feeders in their sources, keyed by feeder, compacted. */
  readonly positions: string;
  /** Rejected records, with reasons. */
  readonly rejected: string;
}

/** Default prefix of topic names. */
export const DEFAULT_PREFIX = "meander.";

/**
 * Names of a deployment's topics.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { topicNames } from "@meander/meander";
 *
 * assert.equal(topicNames("shop.").events, "shop.events");
 * ```
 */
export function topicNames(prefix: string = DEFAULT_PREFIX): Topics {
  return {
    events: `${prefix}events`,
    items: `${prefix}items`,
    recommendations: `${prefix}recommendations`,
    samples: `${prefix}samples`,
    state: `${prefix}state`,
    statistics: `${prefix}statistics`,
    signals: `${prefix}signals`,
    parameters: `${prefix}parameters`,
    checkpoints: `${prefix}checkpoints`,
    experiments: `${prefix}experiments`,
    figures: `${prefix}figures`,
    pins: `${prefix}pins`,
    positions: `${prefix}positions`,
    rejected: `${prefix}rejected`,
  };
}

/**
 * Specifications of a deployment's topics, for `Log.createTopics()`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, topicNames, topicSpecs } from "@meander/meander/log";
 *
 * await using log = new MemoryLog();
 * await log.createTopics(topicSpecs(topicNames(), 4));
 * assert.equal((await log.topics()).get("meander.events")?.partitions, 4);
 * ```
 */
export function topicSpecs(topics: Topics, partitions: number): TopicSpec[] {
  return [
    { name: topics.events, partitions, cleanup: "delete" },
    { name: topics.items, partitions: 1, cleanup: "compact" },
    { name: topics.recommendations, partitions, cleanup: "delete" },
    { name: topics.samples, partitions, cleanup: "delete" },
    { name: topics.state, partitions, cleanup: "compact" },
    { name: topics.statistics, partitions, cleanup: "compact" },
    { name: topics.signals, partitions, cleanup: "delete" },
    { name: topics.parameters, partitions: 1, cleanup: "delete" },
    { name: topics.checkpoints, partitions: 1, cleanup: "compact" },
    { name: topics.experiments, partitions: 1, cleanup: "compact" },
    { name: topics.figures, partitions: 1, cleanup: "compact" },
    { name: topics.pins, partitions: 1, cleanup: "compact" },
    { name: topics.positions, partitions: 1, cleanup: "compact" },
    { name: topics.rejected, partitions, cleanup: "delete" },
  ];
}

/** The topics of a variant's model, whose versions are kept apart from those of the own model. */
export function variantTopics(topics: Topics, model: string): Topics {
  return { ...topics, parameters: `${topics.parameters}.${model}` };
}

/** The topics to create beside those of {@linkcode topicSpecs}, for models of variants. */
export function variantTopicSpecs(topics: Topics, models: readonly string[]): TopicSpec[] {
  return models.map((model) => ({
    name: variantTopics(topics, model).parameters,
    partitions: 1,
    cleanup: "delete",
  }));
}
