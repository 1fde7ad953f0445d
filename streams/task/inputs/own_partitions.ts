/**
 * Hides partitions that were added to topics to which only meander writes. Kafka cannot remove them, and they stay
 * empty: a task writes to the partition of its own number, and everything else goes to partition 0.
 *
 * ```text
 *   events, items                        others write them, and more partitions move keys: not hidden
 *   recommendations, rejected, lists     as many partitions as events
 *   state, samples, ...                  as many as events
 *   state.g2, samples.g2, ...            as many as generation 2 has tasks, by its record
 *   parameters, positions, ...           one
 * ```
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { MODEL_NAMES } from "../../../src/nn/models/registry.ts";
import { keysOf } from "../../../src/values/record.ts";
import type { GroupHandlers, Log, TopicIdentity, TopicSpec, UngroupedLog } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";
import { generationsOf } from "../../topics/generations.ts";
import { firstTopics, isOutput, TOPICS, type Topics } from "../../topics/topics.ts";
import { handlersBelow } from "./kept_partitions.ts";

const logger = getLogger(["meander", "topics"]);

/** The topics to which only meander writes. */
const OWN = keysOf(TOPICS).filter((name) => name !== "events" && name !== "items");

/** One partition; as many as events; or as many as a generation has tasks. */
type Size = "one" | "events" | number;

/**
 * The log without partitions that were added to topics to which only meander writes; each such topic is logged once.
 *
 * @param topics those of any generation
 */
export function ownPartitions<L extends UngroupedLog>(log: L, topics: Topics): L {
  const own = new OwnPartitions(log, firstTopics(topics));
  const grouped: UngroupedLog & Partial<Pick<Log, "join">> = log;
  return layered(log, {
    topics: () => own.topics(),
    identify: (topic) => own.identify(topic),
    createTopics: async (specs) => await log.createTopics(await own.asTheyAre(specs)),
    ...(grouped.join && {
      join: async (group, topics, handlers) =>
        await grouped.join!(group, topics, await own.handlersWithin(topics, handlers)),
    }),
  });
}

class OwnPartitions {
  readonly #log: UngroupedLog;
  /** Topics of the first generation. */
  readonly #first: Topics;
  /** Number of tasks by generation, which never changes. */
  readonly #tasks = new Map<number, number>();
  readonly #logged = new Set<string>();

  constructor(log: UngroupedLog, first: Topics) {
    this.#log = log;
    this.#first = first;
  }

  async topics(): Promise<ReadonlyMap<string, TopicSpec>> {
    const all = await this.#log.topics();
    const events = () => Promise.resolve(all.get(this.#first.events)?.partitions);
    const own = [...all].map(async ([topic, spec]) => [topic, await this.#own(topic, spec, events)] as const);
    return new Map(await Promise.all(own));
  }

  async identify(topic: string): Promise<TopicIdentity | null> {
    const identity = await this.#log.identify(topic);
    const events = async () => (await this.#log.identify(this.#first.events))?.partitions;
    return identity && await this.#own(topic, identity, events);
  }

  /** Specifications with the partitions that our topics really have, including added ones. */
  async asTheyAre(specs: readonly TopicSpec[]): Promise<TopicSpec[]> {
    const all = await this.#log.topics();
    const hasEvents = all.has(this.#first.events);
    return specs.map((spec) => {
      const { partitions } = all.get(spec.name) ?? spec;
      const size = sizeOf(this.#first, spec.name);
      // Without events, the number of partitions of states is unknown.
      const isOwn = size !== null && (typeof size === "string" || hasEvents);
      return isOwn && partitions > spec.partitions ? { ...spec, partitions } : spec;
    });
  }

  /** Handlers that see our partitions only. */
  async handlersWithin(topics: readonly string[], handlers: GroupHandlers): Promise<GroupHandlers> {
    const own = topics.filter((topic) => sizeOf(this.#first, topic) !== null);
    const counts = await Promise.all(own.map(async (topic) => (await this.identify(topic))?.partitions));
    const count = Math.min(...counts.map((found) => found ?? Infinity));
    return handlersBelow(count, handlers);
  }

  async #own<T extends { readonly partitions: number }>(
    topic: string,
    found: T,
    events: () => Promise<number | undefined>,
  ): Promise<T> {
    const size = found.partitions === 1 ? null : sizeOf(this.#first, topic);
    if (size === null) return found;
    const isAsEvents = size === "events" || size === 1;
    const partitions = size === "one" ? 1 : await (isAsEvents ? events() : this.#tasksOf(size));
    if (partitions === undefined || partitions >= found.partitions) return found;
    if (!this.#logged.has(topic)) {
      logger.warn(
        "{topic} has {found} partitions, of which this deployment uses {partitions}: the rest stay empty",
        { topic, found: found.partitions, partitions },
      );
    }
    this.#logged.add(topic);
    return { ...found, partitions };
  }

  async #tasksOf(generation: number): Promise<number | undefined> {
    const known = this.#tasks.get(generation);
    if (known !== undefined) return known;
    const tasks = (await generationsOf(this.#log, this.#first)).get(generation)?.blueprint.partitions;
    if (tasks !== undefined) this.#tasks.set(generation, tasks);
    return tasks;
  }
}

/** How many partitions a topic needs; `null` = others write to it, too. @param first topics of the first generation */
function sizeOf(first: Topics, topic: string): Size | null {
  if (isOutput(first, topic)) return "events";
  for (const name of OWN) {
    if (!topic.startsWith(first[name])) continue;
    const [all, number = "1", ending] = /^(?:\.g(\d+))?(\..+)?$/.exec(topic.slice(first[name].length)) ?? [];
    if (all === undefined || ending !== undefined && !ENDINGS[name]?.includes(ending)) continue;
    if (TOPICS[name].isSingle) return "one";
    return Number(number);
  }
  return null;
}

/** What may follow the name of a topic and of its generation. */
const ENDINGS: Readonly<Partial<Record<keyof Topics, readonly string[]>>> = {
  parameters: MODEL_NAMES.map((model) => `.${model}`),
  state: [".remembered"],
};
