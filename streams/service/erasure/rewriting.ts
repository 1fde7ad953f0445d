/** Whether our records have been rewritten after an erasure, on a log that does not erase records. */

import type { Log } from "../../log/log.ts";
import { readAll } from "../../log/reading.ts";
import { erasureOf, hasRowsOf, inputOf, SoughtUsers } from "./erased_records.ts";
import type { ErasurePlace, ErasureProgress, Erasures } from "./erasure_view.ts";
import { idleModels } from "./idle_models.ts";
import {
  clearedSignals,
  type Deployment,
  journalsEnd,
  namedFrom,
  neededAnswers,
  neededEvents,
  neededSamples,
  parameterTopics,
} from "./needed.ts";

/** Most erasures to remember; older ones are looked up again. */
const MAX_REMEMBERED = 1000;

/** Where a user is named. */
interface Named {
  /** Ends of versions that name the user, by topic. */
  readonly versions: ReadonlyMap<string, number>;
  /** End of journals that may, in the user's partition of `signals`. */
  readonly signals: number;
}

/** Looks up the progress of erasures. */
export class Rewriting implements Erasures {
  readonly #deployment: Deployment;
  /** What names the user, once checkpoints had the erasure; by place. */
  readonly #named = new Map<string, Named>();

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
  }

  /** How far an erasure is. */
  async progress(place: ErasurePlace): Promise<ErasureProgress> {
    if (!await this.#isDone(place)) return { state: "under way", idle: [] };
    const { log, topics } = this.#deployment;
    const samples = await endOfOutputs(log, topics.samples, place);
    return { state: "kept", idle: await idleModels(this.#deployment, place.partition, samples) };
  }

  /**
   * Whether the task has committed the erasure, checkpoints of all running models and the figures of experiments are past
   * it, no earlier version names the user, and tasks of other partitions have removed the name from their records.
   */
  async #isDone(place: ErasurePlace): Promise<boolean> {
    const { log, topics } = this.#deployment;
    const { partition, offset } = place;
    if (await neededEvents(this.#deployment, partition) <= offset) return false;
    if (await namedFrom(this.#deployment, partition) <= offset) return false;
    const samples = await endOfOutputs(log, topics.samples, place);
    if (await neededSamples(this.#deployment, partition) < samples) return false;
    const answers = await endOfOutputs(log, topics.recommendations, place);
    if (await neededAnswers(this.#deployment, partition) < answers) return false;
    const { versions, signals } = await this.#findNamed(place);
    for (const [topic, end] of versions) {
      if ((await log.bounds(topic, 0)).start < end) return false;
    }
    return await clearedSignals(this.#deployment, partition) >= signals;
  }

  /** Where a user is named, looked up once, because a user who comes back is rightly named again. */
  async #findNamed(place: ErasurePlace): Promise<Named> {
    const id = `${place.partition}/${place.offset}`;
    const known = this.#named.get(id);
    if (known !== undefined) return known;
    const { log, topics: { events } } = this.#deployment;
    const asked = await log.read(events, place.partition, place.offset, { maxRecords: 1 });
    const [record] = asked.records;
    const erasure = record?.offset === place.offset ? erasureOf(record) : null;
    const versions = new Map<string, number>();
    if (erasure !== null) {
      const users = new SoughtUsers([erasure.user]);
      for (const topic of await parameterTopics(this.#deployment)) {
        for await (const { offset, value } of readAll(log, topic, 0)) {
          if (value !== null && hasRowsOf(value, users)) versions.set(topic, offset + 1);
        }
      }
    }
    const [oldest] = this.#named.keys();
    if (this.#named.size >= MAX_REMEMBERED && oldest !== undefined) this.#named.delete(oldest);
    const named = { versions, signals: await journalsEnd(this.#deployment, place.partition) };
    this.#named.set(id, named);
    return named;
  }
}

/** Offset after the last record derived from events up to a place: such records are in order. */
async function endOfOutputs(log: Log, topic: string, { partition, offset }: ErasurePlace): Promise<number> {
  const { start, end } = await log.bounds(topic, partition);
  const isBehind = async (at: number) => {
    while (at < end) {
      const { records: [record], next } = await log.read(topic, partition, at, { maxRecords: 1 });
      if (record !== undefined) return record.offset >= end || (inputOf(record) ?? 0) > offset;
      if (next <= at) break;
      at = next;
    }
    return true;
  };
  let [low, high] = [start, end];
  // From the end, since early records may be of another topic of events.
  for (let step = 256; high > start; step *= 2) {
    low = Math.max(start, high - step);
    if (!await isBehind(low)) break;
    high = low;
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isBehind(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
