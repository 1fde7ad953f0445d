/**
 * Hides partitions that were added to topics of a deployment: a user's partition follows from the number of partitions of
 * `events`, and states cannot move. Kafka cannot remove them.
 *
 * ```text
 *   events                               as many as when the deployment began: its record, or its states, tell
 *   items                                one
 *   recommendations, rejected, lists     as many as events
 *   state, samples, ...                  as many as events
 *   state.g2, samples.g2, ...            as many as generation 2 has tasks, by its record
 *   parameters, positions, ...           one
 * ```
 *
 * Others write to `events` and `items`, so hidden partitions of these may have records, which nobody reads; those of all
 * others stay empty.
 */

import { getLogger } from "@logtape/logtape";
import { MODEL_NAMES } from "../../../src/nn/models/registry.ts";
import { keysOf } from "../../../src/values/record.ts";
import type { GroupHandlers, Log, NewRecord, TopicIdentity, TopicSpec, UngroupedLog } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";
import { partitionOf } from "../../log/partitioner.ts";
import { generationsOf } from "../../topics/generations.ts";
import { firstTopics, isOutput, prefixOf, TOPICS, type Topics } from "../../topics/topics.ts";

const logger = getLogger(["meander", "topics"]);

type Sized = Pick<TopicSpec, "partitions">;
type FindTopic = (topic: string) => Promise<Sized | null | undefined>;

/** One partition; as many as events; or as many as a generation has tasks. */
type Size = "one" | "events" | number;

/**
 * The log without partitions that were added to topics of a deployment; keyed records go where they went before. Each
 * topic to which only meander writes is logged once. Reads of hidden partitions are not hidden.
 *
 * @param topics those of any generation
 */
export function ownPartitions<L extends UngroupedLog>(log: L, topics: Topics): L {
  if (log.hidesAdded) return log;
  const own = new OwnPartitions(log, firstTopics(topics));
  const grouped: UngroupedLog & Partial<Pick<Log, "join">> = log;
  return layered(log, {
    hidesAdded: true,
    topics: (prefix) => own.topics(prefix),
    identify: (topic) => own.identify(topic),
    createTopics: async (specs) => await log.createTopics(await own.asTheyAre(specs)),
    append: async (records) => await log.append(await own.placed(records)),
    async writer(id, places) {
      const writer = await log.writer(id, places);
      return {
        id,
        commit: async ({ records, ...commit }) =>
          await writer.commit({ ...commit, records: await own.placed(records) }),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
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
  /** Number of partitions of events, which never changes once the deployment has begun. */
  #events: number | undefined;

  constructor(log: UngroupedLog, first: Topics) {
    this.#log = log;
    this.#first = first;
  }

  async topics(prefix?: string): Promise<ReadonlyMap<string, TopicSpec>> {
    const all = await this.#log.topics(prefix);
    const find = async (name: string) => all.get(name) ?? await this.#log.identify(name);
    const own = [...all].map(async ([topic, spec]) => {
      const partitions = await this.#sizeOf(topic, spec, find);
      return [topic, { ...spec, partitions }] as const;
    });
    return new Map(await Promise.all(own));
  }

  async identify(topic: string): Promise<TopicIdentity | null> {
    const identity = await this.#log.identify(topic);
    if (identity === null) return null;
    const partitions = await this.#sizeOf(topic, identity, (name) => this.#log.identify(name));
    const unread = this.#isOthers(topic) ? identity.partitions - partitions : 0;
    return { ...identity, partitions, ...(unread > 0 && { unread }) };
  }

  /** Specifications with the partitions that our topics really have, including added ones. */
  async asTheyAre(specs: readonly TopicSpec[]): Promise<TopicSpec[]> {
    const prefix = prefixOf(this.#first);
    const [all, own] = await Promise.all([this.#log.topics(prefix), this.topics(prefix)]);
    const hasEvents = all.has(this.#first.events);
    return specs.map((spec) => {
      const { partitions } = all.get(spec.name) ?? spec;
      const size = sizeOf(this.#first, spec.name);
      const isOwn = this.#isOthers(spec.name)
        ? own.get(spec.name)?.partitions === spec.partitions
        // Without events, the number of partitions of states is unknown.
        : size !== null && (typeof size === "string" || hasEvents);
      return isOwn && partitions > spec.partitions ? { ...spec, partitions } : spec;
    });
  }

  /** Records with the partitions that their keys had from the beginning. */
  async placed(records: readonly NewRecord[]): Promise<readonly NewRecord[]> {
    const isOpen = ({ topic, key, partition }: NewRecord) =>
      partition === undefined && key !== null && this.#isOthers(topic);
    if (!records.some(isOpen)) return records;
    const { events } = this.#first;
    // Clients learn of added partitions at any time, so it is not enough to look whether there are some.
    const partitions = await this.#eventsOf((name) => this.#log.identify(name));
    return records.map((record) => {
      if (!isOpen(record) || record.topic === events && partitions === undefined) return record;
      const partition = record.topic === events ? partitionOf(record.key!, partitions!) : 0;
      return { ...record, partition };
    });
  }

  /** Handlers that see our partitions only. */
  async handlersWithin(topics: readonly string[], handlers: GroupHandlers): Promise<GroupHandlers> {
    const own = topics.filter((topic) => sizeOf(this.#first, topic) !== null);
    const counts = await Promise.all(own.map(async (topic) => (await this.identify(topic))?.partitions));
    return handlersBelow(Math.min(...counts.map((found) => found ?? Infinity)), handlers);
  }

  /** Whether others write to a topic, too. */
  #isOthers(topic: string): boolean {
    return topic === this.#first.events || topic === this.#first.items;
  }

  /** How many partitions of a topic the deployment uses. @param find finds a topic as it is */
  async #sizeOf(topic: string, { partitions: found }: Sized, find: FindTopic): Promise<number> {
    const size = found === 1 ? null : sizeOf(this.#first, topic);
    if (size === null) return found;
    const isAsEvents = size === "events" || size === 1;
    const partitions = size === "one" ? 1 : await (isAsEvents ? this.#eventsOf(find) : this.#tasksOf(size));
    if (partitions === undefined || partitions >= found) return found;
    if (!this.#isOthers(topic) && !this.#logged.has(topic)) {
      logger.warn(
        "{topic} has {found} partitions, of which this deployment uses {partitions}: the rest stay empty",
        { topic, found, partitions },
      );
      this.#logged.add(topic);
    }
    return partitions;
  }

  /** How many partitions the events had when the deployment began; as many as they have, if it has not. */
  async #eventsOf(find: FindTopic): Promise<number | undefined> {
    if (this.#events !== undefined) return this.#events;
    const [events, state] = await Promise.all([find(this.#first.events), find(this.#first.state)]);
    // A record alone may be of a deployment that never began, since its topics did not fit.
    if (events === null || events === undefined || state === null || state === undefined) {
      return events?.partitions;
    }
    const [recorded] = (await generationsOf(this.#log, this.#first)).values();
    const before = recorded?.sources ?? recorded?.blueprint.partitions ?? state.partitions;
    return this.#events = Math.min(before, events.partitions);
  }

  async #tasksOf(generation: number): Promise<number | undefined> {
    const known = this.#tasks.get(generation);
    if (known !== undefined) return known;
    const tasks = (await generationsOf(this.#log, this.#first)).get(generation)?.blueprint.partitions;
    if (tasks !== undefined) this.#tasks.set(generation, tasks);
    return tasks;
  }
}

/** How many partitions a topic needs; `null` = it is not of the deployment. @param first topics of the first generation */
function sizeOf(first: Topics, topic: string): Size | null {
  if (topic === first.events || isOutput(first, topic)) return "events";
  for (const name of keysOf(TOPICS)) {
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

/** Handlers that see only partitions below `count`. */
function handlersBelow(count: number, handlers: GroupHandlers): GroupHandlers {
  const within = async (partitions: readonly number[], tell: (own: readonly number[]) => Promise<void>) => {
    const own = partitions.filter((partition) => partition < count);
    if (own.length > 0) await tell(own);
  };
  return {
    assigned: (partitions) => within(partitions, (own) => handlers.assigned(own)),
    revoked: (partitions, why) => within(partitions, (own) => handlers.revoked(own, why)),
  };
}
