/**
 * Backs up a deployment record by record, from a log that many processes share.
 *
 * ```text
 *   all records up to the current ends                 while everything runs; as long as it takes
 *   a moment without a commit (cut.ts)                 milliseconds
 *   the records between the two                        few
 * ```
 * Records that compaction drops meanwhile were read before the moment, or replaced by a record before it.
 */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { RecordLog } from "../log/capabilities.ts";
import type { CopyProgress } from "../log/kind.ts";
import type { Log, Place } from "../log/log.ts";
import { extentsOf, readPages, type TopicExtent } from "../log/reading.ts";
import { topicNames } from "../topics/topics.ts";
import { findCut } from "./cut.ts";
import { RecordFile } from "./record_file.ts";

/** How long to look for a moment without a commit. */
const CUT_MS = 60_000;
/** Most attempts, when the log drops records up to such a moment before they are copied. */
const MAX_TRIES = 5;
/** Partitions that are copied at the same time. */
const AT_ONCE = 8;

export function fileOf({ topic, partition }: Place): string {
  return `${topic}-${partition}.records`;
}

export function filesOf(topics: readonly TopicExtent[]): string[] {
  return topics.flatMap(({ name: topic, bounds }) =>
    bounds.map((_, partition) => fileOf({ topic, partition }))
  );
}

/** Writes a file per partition of a deployment's topics, of all its generations. @returns What is in them */
export async function copyRecords(
  log: RecordLog,
  folder: string,
  prefix: string,
  tell: CopyProgress,
): Promise<TopicExtent[]> {
  const { events, items } = topicNames(prefix);
  const isSource = ({ topic }: Place) => topic === events || topic === items;
  using files = new DisposableStack();
  const copies = new Map<string, PartitionCopy>();
  const copyOf = (place: Place & { readonly start: number }) => {
    const name = fileOf(place);
    const copy = copies.get(name) ??
      new PartitionCopy(log, place, files.use(new RecordFile(join(folder, name))), place.start);
    copies.set(name, copy);
    return copy;
  };
  for (let tries = 1;; tries++) {
    const extents = await ownExtents(log, prefix);
    if (!extents.some(({ name }) => name === events)) {
      throw new Error(
        `Cannot back up the deployment of the prefix ${prefix}: there is no ${events}; see --prefix`,
      );
    }
    const all = extents.flatMap(({ name, bounds }) =>
      bounds.map(({ start }, partition) => ({ topic: name, partition, start }))
    );
    const [sources, derived] = [all.filter(isSource), all.filter((place) => !isSource(place))];
    const places = [...sources, ...derived];
    const own = places.map(copyOf);
    await copyAll(own, await log.endsOf(places, "readable"), false, tell);
    const cut = await findCut(log, {
      sources,
      derived,
      timeoutMs: CUT_MS,
      now: () => performance.now(),
      pause: (ms) => delay(ms),
      random: Math.random,
    });
    const ends = [...cut.sources, ...cut.derived];
    try {
      await copyAll(own, ends, true, tell);
      await refuseOthers(log, prefix, extents);
    } catch (error) {
      if (!(error instanceof UnfitError) || tries === MAX_TRIES) throw error;
      continue;
    }
    for (const { file } of copies.values()) file.flush();
    const endOf = new Map(places.map((place, i) => [fileOf(place), ends[i] ?? NaN]));
    return await Promise.all(extents.map(async (extent) => ({
      ...extent,
      bounds: await Promise.all(extent.bounds.map(async (_, partition) => {
        const end = endOf.get(fileOf({ topic: extent.name, partition })) ?? NaN;
        const { start } = await log.bounds(extent.name, partition);
        return { start: Math.min(start, end), end };
      })),
    })));
  }
}

/** Copies records up to ends, a few partitions at a time. */
async function copyAll(
  copies: readonly PartitionCopy[],
  ends: readonly number[],
  isFinal: boolean,
  tell: CopyProgress,
): Promise<void> {
  const all = copies.reduce((sum, { next }, i) => sum + (ends[i] ?? NaN) - next, 0);
  let done = 0;
  await inParallel([...copies.entries()], async ([i, copy]) => {
    await copy.copyTo(ends[i] ?? NaN, isFinal, (offsets) => tell(done += offsets, all));
  });
}

/** The topics of a deployment, of all its generations, but not those of one whose prefix begins with its own. */
async function ownExtents(log: Log, prefix: string): Promise<TopicExtent[]> {
  const own = Object.values(topicNames(prefix));
  const extents = await extentsOf(log, prefix);
  return extents.filter(({ name }) => own.some((each) => name === each || name.startsWith(`${each}.`)));
}

/** @throws UnfitError when the deployment has got other topics: what is copied may name them */
async function refuseOthers(log: Log, prefix: string, extents: readonly TopicExtent[]): Promise<void> {
  const ids = new Map(extents.map(({ name, id }) => [name, id]));
  const other = (await ownExtents(log, prefix)).find(({ name, id }) => ids.get(name) !== id);
  if (other !== undefined) {
    throw new UnfitError(`Cannot back up ${other.name}: topics are created as fast as they are copied`);
  }
}

/** The chosen moment cannot be used: the log has dropped records before they were copied, or has new topics. */
class UnfitError extends Error {}

class PartitionCopy {
  readonly file: RecordFile;
  /** Offset of the next record to copy. */
  next: number;
  readonly #log: Log;
  readonly #place: Place;

  constructor(log: Log, place: Place, file: RecordFile, start: number) {
    this.#log = log;
    this.#place = place;
    this.file = file;
    this.next = start;
  }

  /** Copies records up to an end. @param isFinal whether records that the log has dropped are an error */
  async copyTo(end: number, isFinal: boolean, tell: (offsets: number) => void): Promise<void> {
    const { topic, partition } = this.#place;
    if (Number.isNaN(end)) throw new TypeError(`Cannot copy ${topic}/${partition}: its end is unknown`);
    const range = { from: this.next, to: end };
    for await (const { records, next, dropped = 0 } of readPages(this.#log, topic, partition, range)) {
      if (dropped > 0 && isFinal) {
        throw new UnfitError(
          `Cannot back up ${topic}/${partition}: the log drops records as fast as they are read`,
        );
      }
      this.file.append(records.filter(({ offset }) => offset < end));
      const to = Math.min(next, end);
      tell(to - this.next);
      this.next = to;
    }
  }
}

/** Calls `act` for each item, a few at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  }));
}
