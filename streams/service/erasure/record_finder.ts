/** Finds what erasures ask to erase, and tells when it is no longer needed. */

import type { ErasableLog } from "../../log/capabilities.ts";
import type { LogRecord } from "../../log/log.ts";
import { erasedOn } from "../../task/erased_on.ts";
import { surfaceTopicsOn } from "../../topics/surfaces.ts";
import { type Portions, portions } from "./background.ts";
import {
  aliasesOf,
  type Erasure,
  erasureOf,
  hasRowsOf,
  inputOf,
  isErasedMerge,
  isEventOf,
  isRejectionOf,
  namedBy,
  SoughtUsers,
} from "./erased_records.ts";
import {
  clearedSignals,
  type Deployment,
  journalsEnd,
  namedFrom,
  neededAnswers,
  neededSamples,
  neededSignals,
  parameterTopics,
} from "./needed.ts";

/** Erasures that were found together, and the records to erase. */
export interface Plan {
  readonly partition: number;
  readonly erasures: readonly Erasure[];
  readonly offsets: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  /** By partition, the end of `signals` once everything that the users did was in it. */
  readonly signalsEnds: readonly number[];
  /** Topics on which other users' records name a user, by offset of the erasure. */
  readonly named: ReadonlyMap<number, ReadonlySet<string>>;
  /** Ends of the topics of parameters when all learners had erased the users; `undefined` = they have not. */
  parametersEnds: ReadonlyMap<string, number> | undefined;
}

/** Reads a deployment's log in portions. */
export class RecordFinder {
  readonly #log: ErasableLog;
  readonly #deployment: Deployment;
  readonly #pace: Omit<Portions, "from" | "to">;

  constructor(log: ErasableLog, deployment: Deployment, pace: Omit<Portions, "from" | "to">) {
    this.#log = log;
    this.#deployment = deployment;
    this.#pace = pace;
  }

  /** The erasures among the events of [from, to), and the offsets of those that an erased user took over since. */
  async requested(
    partition: number,
    from: number,
    to: number,
  ): Promise<{ readonly erasures: readonly Erasure[]; readonly merges: readonly number[] }> {
    const { topics } = this.#deployment;
    const erasures: Erasure[] = [];
    const merges: number[] = [];
    // A task that has read all these events would have seen an erasure.
    const { openedAt = Infinity, lastErasure = Infinity } = this.#deployment.tasks().get(partition) ?? {};
    if (openedAt > from || lastErasure >= from) {
      const erased = await erasedOn(this.#log, topics.statistics, partition);
      await this.#scan(topics.events, partition, { from, to }, (record) => {
        const erasure = erasureOf(record);
        if (erasure !== null) erasures.push(erasure);
        else if (isErasedMerge(record, erased)) merges.push(record.offset);
      });
    }
    return { erasures, merges };
  }

  /** Finds the records of users, in one pass through each topic. */
  async plan(partition: number, erasures: readonly Erasure[]): Promise<Plan> {
    const { topics, partitions } = this.#deployment;
    const until = new Map(erasures.map(({ user, offset }) => [user, offset]));
    const users = new SoughtUsers(until.keys());
    const offsets = new Map<string, Map<number, readonly number[]>>();
    const collect = async (topic: string, place: number, is: (record: LogRecord) => boolean) => {
      const found: number[] = [];
      await this.#scanAll(topic, place, (record) => {
        if (is(record)) found.push(record.offset);
      });
      offsets.set(topic, (offsets.get(topic) ?? new Map()).set(place, found));
    };
    const isOutput = (record: LogRecord) => (inputOf(record) ?? 0) <= (until.get(record.key ?? "") ?? -1);
    const signalsEnds: number[] = [];
    for (let place = 0; place < partitions; place++) {
      signalsEnds.push(await journalsEnd(this.#deployment, place));
      await collect(topics.rejected, place, (record) => isRejectionOf(record, users));
    }
    const named = await this.#named(erasures);
    await collect(topics.samples, partition, isOutput);
    await collect(topics.recommendations, partition, isOutput);
    for (const topic of await surfaceTopicsOn(this.#log, topics)) await collect(topic, partition, isOutput);
    await collect(topics.events, partition, (record) => isEventOf(record, until));
    return { partition, erasures, offsets, signalsEnds, named, parametersEnds: undefined };
  }

  /** Topics on which records of other users name users who are to be erased, by offset of the erasure. */
  async #named(erasures: readonly Erasure[]): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
    const { topics, partitions } = this.#deployment;
    const named = new Map(erasures.map(({ user }) => [user, new Set<string>()]));
    const look = async (topic: string, usersIn: typeof namedBy) => {
      for (let place = 0; place < partitions; place++) {
        await this.#scanAll(topic, place, (record) => {
          for (const user of usersIn(record)) named.get(user)?.add(topic);
        });
      }
    };
    await look(topics.events, namedBy);
    await look(topics.state, aliasesOf([...named.keys()]));
    return new Map(erasures.map(({ user, offset }) => [offset, named.get(user)!]));
  }

  /** Whether the records are no longer needed, and learners have rewritten theirs. */
  async isRipe(plan: Plan): Promise<boolean> {
    const { partition, offsets, signalsEnds, erasures } = plan;
    const { topics } = this.#deployment;
    const last = (topic: string) => offsets.get(topic)?.get(partition)?.at(-1) ?? -1;
    const lastErasure = Math.max(...erasures.map(({ offset }) => offset));
    if (await namedFrom(this.#deployment, partition) <= lastErasure) return false;
    if (await neededSamples(this.#deployment, partition) <= last(topics.samples)) return false;
    if (await neededAnswers(this.#deployment, partition) <= last(topics.recommendations)) return false;
    if (signalsEnds.some((end, place) => neededSignals(this.#deployment, place) < end)) return false;
    if (await clearedSignals(this.#deployment, partition) < (signalsEnds[partition] ?? 0)) return false;
    plan.parametersEnds ??= await this.#parametersEnds();
    const users = new SoughtUsers(erasures.map(({ user }) => user));
    for (const [topic, end] of plan.parametersEnds) {
      const { start } = await this.#log.bounds(topic, 0);
      // A user who came back since is rightly named again; then only the versions from before must be gone.
      if (start < end && await this.#hasRows(topic, users)) return false;
    }
    return true;
  }

  async #parametersEnds(): Promise<ReadonlyMap<string, number>> {
    const ends = new Map<string, number>();
    for (const name of await parameterTopics(this.#deployment)) {
      ends.set(name, (await this.#log.bounds(name, 0)).end);
    }
    return ends;
  }

  /** Whether a version on a topic of parameters has a row of one of the users. */
  async #hasRows(topic: string, users: SoughtUsers): Promise<boolean> {
    let isNamed = false;
    await this.#scanAll(topic, 0, ({ value }) => {
      isNamed ||= value !== null && hasRowsOf(value, users);
    });
    return isNamed;
  }

  async #scanAll(topic: string, partition: number, see: (record: LogRecord) => void): Promise<void> {
    const { start, end } = await this.#log.bounds(topic, partition);
    await this.#scan(topic, partition, { from: start, to: end }, see);
  }

  /** Reads the records of [from, to) in portions. @throws the signal's reason */
  async #scan(
    topic: string,
    partition: number,
    { from, to }: Pick<Portions, "from" | "to">,
    see: (record: LogRecord) => void,
  ): Promise<void> {
    for await (const { records } of portions(this.#log, topic, partition, { from, to, ...this.#pace })) {
      for (const record of records) if (record.offset < to) see(record);
    }
    this.#pace.signal.throwIfAborted();
  }
}
