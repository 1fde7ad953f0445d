/** The topics of a deployment: their names, partitions and policies. */

import { keysOf, recordOf } from "../../src/values/record.ts";
import type { TopicSpec } from "../log/log.ts";

/** Names of the topics under a prefix. */
export type Topics = Readonly<
  Record<
    | "events"
    | "items"
    | "recommendations"
    | "lists"
    | "samples"
    | "state"
    | "statistics"
    | "signals"
    | "parameters"
    | "checkpoints"
    | "experiments"
    | "figures"
    | "pins"
    | "positions"
    | "generations"
    | "rejected",
    string
  >
>;

export interface TopicDescription {
  /** What happens to old records. */
  readonly cleanup: TopicSpec["cleanup"];
  /** Whether it has one partition, however many the deployment has. */
  readonly isSingle: boolean;
}

/** The topics of a deployment by their names without prefix; docs/reference/topics.md says what is on them. */
export const TOPICS: Readonly<Record<keyof Topics, TopicDescription>> = {
  events: { cleanup: "delete", isSingle: false },
  items: { cleanup: "compact", isSingle: true },
  recommendations: { cleanup: "delete", isSingle: false },
  lists: { cleanup: "compact", isSingle: false },
  samples: { cleanup: "delete", isSingle: false },
  state: { cleanup: "compact", isSingle: false },
  statistics: { cleanup: "compact", isSingle: false },
  signals: { cleanup: "delete", isSingle: false },
  parameters: { cleanup: "delete", isSingle: true },
  checkpoints: { cleanup: "compact", isSingle: true },
  experiments: { cleanup: "compact", isSingle: true },
  figures: { cleanup: "compact", isSingle: true },
  pins: { cleanup: "compact", isSingle: true },
  positions: { cleanup: "compact", isSingle: true },
  generations: { cleanup: "compact", isSingle: true },
  rejected: { cleanup: "delete", isSingle: false },
};

const NAMES = keysOf(TOPICS);

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
  return recordOf(NAMES, (name) => `${prefix}${name}`);
}

/**
 * Specifications of a deployment's topics, for `Log.createTopics()`.
 *
 * @param partitions of `events`, and of the topics that have as many; at least 1
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
  return NAMES.map((name) => {
    const { cleanup, isSingle } = TOPICS[name];
    return { name: topics[name], partitions: isSingle ? 1 : partitions, cleanup };
  });
}

/** Whether a topic has what other programs read: all generations write to the same one. */
export function isOutput(
  { recommendations, rejected, lists }: Pick<Topics, "recommendations" | "rejected" | "lists">,
  topic: string,
): boolean {
  return [recommendations, rejected, lists].includes(topic) || topic.startsWith(`${recommendations}.`);
}

/** Topics whose records only meander may drop, once something newer has replaced them. */
export function keptTopics(topics: Topics): readonly string[] {
  const compact = NAMES.filter((name) => TOPICS[name].cleanup === "compact");
  return [...compact, "parameters" as const].map((name) => topics[name]);
}

/** Topics that tasks, learners and monitor derive from the others: each generation has its own. */
export const DERIVED = [
  "samples",
  "state",
  "statistics",
  "signals",
  "parameters",
  "checkpoints",
  "figures",
  "pins",
] as const satisfies readonly (keyof Topics)[];

/**
 * The topics of a generation: derived ones end in its number, such as `meander.state.g2`, except those of the first.
 *
 * @param topics those of the first generation
 */
export function generationTopics(topics: Topics, generation: number): Topics {
  if (generation === 1) return topics;
  const derived = DERIVED.map((name) => [name, `${topics[name]}.g${generation}`]);
  return { ...topics, ...Object.fromEntries(derived) };
}

/** The topics of the first generation. @param topics those of any generation */
export function firstTopics(topics: Topics): Topics {
  const derived = DERIVED.map((name) => [name, topics[name].replace(/\.g\d+$/, "")]);
  return { ...topics, ...Object.fromEntries(derived) };
}

/** What the names of all topics of a deployment begin with, of all generations, surfaces and variants. */
export function prefixOf({ events }: Pick<Topics, "events">): string {
  return events.slice(0, -"events".length);
}

/** Number of the generation whose states are on a topic; `null` = none. @param topics those of the first generation */
export function generationOf({ state }: Topics, topic: string): number | null {
  if (topic === state) return 1;
  const ending = topic.startsWith(`${state}.g`) ? topic.slice(state.length + 2) : "";
  return /^\d+$/.test(ending) ? Number(ending) : null;
}

/** The topic of records that stand in for dropped events while a generation is built. */
export function rememberedTopic({ state }: Pick<Topics, "state">): string {
  return `${state}.remembered`;
}

/** The group of the tasks, and the prefix of their writers' ids; each generation has its own. */
export function tasksGroup({ events, state }: Pick<Topics, "events" | "state">): string {
  return `${events}-tasks${endingOf(state)}`;
}

/** The group of the monitor; each generation has its own. */
export function monitorGroup({ experiments, figures }: Pick<Topics, "experiments" | "figures">): string {
  return `${experiments}-monitor${endingOf(figures)}`;
}

/** The ending of the name of a derived topic. */
function endingOf(topic: string): string {
  return /\.g\d+$/.exec(topic)?.[0] ?? "";
}

/** The topics of a variant's model, whose versions are kept apart from those of the deployment's model. */
export function variantTopics(topics: Topics, model: string): Topics {
  return { ...topics, parameters: `${topics.parameters}.${model}` };
}

/** The topics to create in addition to those of {@linkcode topicSpecs}, for models of variants. */
export function variantTopicSpecs(topics: Topics, models: readonly string[]): TopicSpec[] {
  return models.map((model) => ({
    name: variantTopics(topics, model).parameters,
    partitions: 1,
    cleanup: "delete",
  }));
}
