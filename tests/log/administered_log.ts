/**
 * A log in memory that can be administered as brokers are: topics are deleted and recreated, or get more partitions,
 * offsets of groups are deleted, and retention drops what nobody has read.
 *
 * @module
 */

import type {
  Commit,
  GroupHandlers,
  GroupOffset,
  Log,
  LogRecord,
  NewRecord,
  ReadOptions,
  TopicIdentity,
  TopicSpec,
} from "../../streams/log/log.ts";
import { checkSame, replaced } from "../../streams/log/checks.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";

/** See the module. Each time that a topic is created, it is a topic of its own in the log below. */
export class AdministeredLog implements Log {
  readonly #log = new MemoryLog();
  readonly #deleted = new Set<string>();
  /** Ids of topics that are still the same although they have lost their records. */
  readonly #ids = new Map<string, string | null>();
  /** How often each topic was created, if more than once. */
  readonly #lives = new Map<string, number>();
  /** Where offsets of groups stand, of topics that are still the same. */
  readonly #offsets = new Map<string, string>();
  /** By group, topic and partition. */
  readonly #committed = new Map<string, GroupOffset>();
  readonly #groups = new Map<string, number>();
  /** The number of partitions of topics that were given more. */
  readonly #grown = new Map<string, number>();

  /** Deletes a topic and creates it again, empty. */
  async recreate(topic: string): Promise<void> {
    const spec = (await this.#log.topics()).get(this.#named(topic))!;
    this.#lives.set(topic, (this.#lives.get(topic) ?? 1) + 1);
    this.#offsets.delete(topic);
    await this.#log.createTopics([{ ...spec, name: this.#named(topic) }]);
  }

  /** Loses all records of a topic, as when a broker without them is elected leader: the topic stays the same. */
  async lose(topic: string): Promise<void> {
    const id = (await this.identify(topic))?.id ?? null;
    const offsets = this.#offsetsOf(topic);
    await this.recreate(topic);
    this.#ids.set(topic, id);
    this.#offsets.set(topic, offsets);
  }

  /** Deletes a topic; who creates it again gets an empty one. */
  delete(topic: string): void {
    this.#deleted.add(topic);
    this.#lives.set(topic, (this.#lives.get(topic) ?? 1) + 1);
  }

  /** Gives a topic more partitions. Appends go on using the old ones, as those of clients that know the topic do. */
  grow(topic: string, partitions: number): void {
    this.#grown.set(topic, partitions);
  }

  /** Deletes a group: it has no offsets any more. */
  deleteGroup(group: string): void {
    this.#groups.set(group, (this.#groups.get(group) ?? 1) + 1);
  }

  /** Sets the offset of a group by hand. */
  async reset(group: string, topic: string, partition: number, offset: number): Promise<void> {
    await using writer = await this.#log.writer("administrator");
    const offsets = [{ topic: this.#named(topic), partition, offset }];
    await writer.commit({ records: [], group: this.#group(group), offsets });
  }

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    const existing = await this.topics();
    for (const spec of topics) checkSame(existing.get(spec.name) ?? spec, spec);
    await this.#log.createTopics(
      topics.filter(({ name }) => !existing.has(name)).map((spec) => ({
        ...spec,
        name: this.#named(spec.name),
      })),
    );
    for (const { name } of topics) this.#deleted.delete(name);
  }

  async topics(prefix?: string): Promise<ReadonlyMap<string, TopicSpec>> {
    const below = await this.#log.topics(prefix);
    const names = new Set([...below.keys()].map((name) => name.replace(/-life-\d+$/, "")));
    return new Map(
      [...names].filter((name) => !this.#deleted.has(name)).map((name) => {
        const spec = below.get(this.#named(name))!;
        return [name, { ...spec, name, partitions: this.#grown.get(name) ?? spec.partitions }];
      }),
    );
  }

  async identify(topic: string): Promise<TopicIdentity | null> {
    const found = await this.#log.identify(this.#named(topic));
    if (found === null) return null;
    const { id = found.id, partitions = found.partitions } = {
      id: this.#ids.get(topic),
      partitions: this.#grown.get(topic),
    };
    return { id, partitions };
  }

  append(records: readonly NewRecord[]): Promise<readonly number[]> {
    return this.#log.append(records.map((record) => this.#placed(record)));
  }

  async read(topic: string, partition: number, from: number, { epoch, ...options }: ReadOptions = {}) {
    const life = this.#lives.get(topic) ?? 1;
    if (this.#ids.has(topic) && epoch !== undefined && epoch !== life) {
      throw replaced({ topic, partition }, from, 0);
    }
    const result = await this.#log.read(this.#named(topic), partition, from, options);
    const records = result.records.map((record) => ({ ...record, topic }));
    return { ...result, records, epoch: result.next === from ? epoch : life };
  }

  async latest(topic: string, partition: number, key: string): Promise<LogRecord | null> {
    const record = await this.#log.latest(this.#named(topic), partition, key);
    return record && { ...record, topic };
  }

  async bounds(topic: string, partition: number) {
    if (await this.#isNew(topic, partition)) return { start: 0, end: 0 };
    return await this.#log.bounds(this.#named(topic), partition);
  }

  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    if (await this.#isNew(topic, partition)) return null;
    return await this.#log.committed(this.#group(group), this.#offsetsOf(topic), partition);
  }

  committedEpoch(group: string, { topic, partition, offset }: GroupOffset): Promise<number | undefined> {
    const known = this.#committed.get(`${this.#group(group)}/${this.#offsetsOf(topic)}/${partition}`);
    return Promise.resolve(known?.offset === offset ? known.epoch : undefined);
  }

  async writer(id: string) {
    const writer = await this.#log.writer(id);
    return {
      id,
      commit: async ({ records, group: name, offsets: given }: Commit) => {
        const group = this.#group(name);
        const offsets = given.map((offset) => ({ ...offset, topic: this.#offsetsOf(offset.topic) }));
        const placed = records.map((record) => this.#placed(record));
        const written = await writer.commit({ records: placed, group, offsets });
        for (const at of offsets) this.#committed.set(`${group}/${at.topic}/${at.partition}`, at);
        return written;
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  join(group: string, topics: readonly string[], handlers: GroupHandlers) {
    return this.#log.join(group, topics.map((topic) => this.#named(topic)), handlers);
  }

  trim(topic: string, partition: number, before: number): Promise<void> {
    return this.#log.trim(this.#named(topic), partition, before);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#log[Symbol.asyncDispose]();
  }

  /** Whether a partition was added later, and so is empty. */
  async #isNew(topic: string, partition: number): Promise<boolean> {
    const { partitions = Infinity } = (await this.#log.identify(this.#named(topic))) ?? {};
    return partition >= partitions && partition < (this.#grown.get(topic) ?? 0);
  }

  #named(topic: string): string {
    const life = this.#lives.get(topic) ?? 1;
    return life === 1 ? topic : `${topic}-life-${life}`;
  }

  #offsetsOf(topic: string): string {
    return this.#offsets.get(topic) ?? this.#named(topic);
  }

  #group(group: string): string {
    const life = this.#groups.get(group) ?? 1;
    return life === 1 ? group : `${group}-life-${life}`;
  }

  #placed(record: NewRecord): NewRecord {
    return { ...record, topic: this.#named(record.topic) };
  }
}
