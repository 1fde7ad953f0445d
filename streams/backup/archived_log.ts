/**
 * A log whose dropped records are read from backups of it.
 *
 * ```text
 *   backups      ■■■■■■■■■■              one of March, one of June
 *                        ■■■■■■■■■■■■
 *   log          ×××××××××××××××│■■■■■■■■■■■     × dropped
 *   read from     March    June  the log
 * ```
 *
 * Records keep their offsets, so readers continue on the log as if nothing had been dropped. Records that neither has
 * count as dropped.
 */

import { join } from "node:path";
import { decodeEvent } from "../../src/events/codec.ts";
import { ErasedUsers } from "../../src/users/erased_users.ts";
import { kindOf } from "../log/kinds/kinds.ts";
import type { Bounds, Log, LogRecord, ReadableLog, ReadOptions, ReadResult } from "../log/log.ts";
import { layered } from "../log/metered_log.ts";
import type { TopicExtent } from "../log/reading.ts";
import { erasedOn } from "../task/erased_on.ts";
import { servingGeneration } from "../topics/serving.ts";
import { firstTopics, generationTopics, type Topics } from "../topics/topics.ts";
import { problemsOf, readManifest } from "./manifest.ts";
import { fileOf, filesOf } from "./record_backup.ts";
import { RecordFileReader } from "./record_file.ts";

/** Records of a backup, read at any offset. */
type Copies = Pick<ReadableLog, "read"> & AsyncDisposable;

interface Archive {
  readonly folder: string;
  readonly topics: readonly TopicExtent[];
  readonly copies: Copies;
}

/** Part of a partition that an archive holds. */
interface Stretch extends Bounds {
  readonly copies: Copies;
}

/** What is read from backups. */
export interface ArchivedPart {
  readonly partition: number;
  /** Offsets of events that are read from backups. */
  readonly read: number;
  /** Offsets after the first of these that are neither in a backup nor on the log. */
  readonly missing: number;
}

/** A log complemented by backups of it. */
export interface ArchivedLog extends AsyncDisposable {
  readonly log: Log;
  /** The partitions of events that are read from backups, at least in part. */
  readonly parts: readonly ArchivedPart[];
}

/**
 * Opens backups of a deployment. Events of users whom the serving generation has erased are left out.
 *
 * @param folders of backups, in any order; they may overlap
 * @throws Error when a folder is not a backup, or a damaged one, or one of another deployment
 */
export async function openArchived(
  log: Log,
  topics: Topics,
  folders: readonly string[],
): Promise<ArchivedLog> {
  if (folders.length === 0) return { log, parts: [], async [Symbol.asyncDispose]() {} };
  await using open = new AsyncDisposableStack();
  const archives: Archive[] = [];
  for (const folder of folders) {
    const archive = await openArchive(folder, topics);
    open.use(archive.copies);
    await refuseOther(log, topics, archive);
    archives.push(archive);
  }
  const stretches = new Map<string, readonly Stretch[]>();
  const { partitions = 0 } = await log.identify(topics.events) ?? {};
  for (const topic of [topics.events, topics.recommendations]) {
    for (let partition = 0; partition < partitions; partition++) {
      const found = archives.flatMap(({ topics, copies }): Stretch[] => {
        const bounds = topics.find(({ name }) => name === topic)?.bounds[partition];
        return bounds === undefined || bounds.start === bounds.end ? [] : [{ ...bounds, copies }];
      });
      stretches.set(`${topic}/${partition}`, found.sort((a, b) => a.start - b.start));
    }
  }
  const archived = withStretches(log, stretches, {
    topic: topics.events,
    erased: await erasedUsers(log, topics),
  });
  const parts: ArchivedPart[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { start } = await log.bounds(topics.events, partition);
    const part = { partition, ...coverageOf(stretches.get(`${topics.events}/${partition}`)!, start) };
    if (part.read > 0) parts.push(part);
  }
  const opened = open.move();
  return { log: archived, parts, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function openArchive(folder: string, { events, recommendations }: Topics): Promise<Archive> {
  const { kind: name, topics, files } = await readManifest(folder);
  const { copies } = kindOf(name);
  if (copies !== undefined) return { folder, topics, copies: await copies.openToRead(folder) };
  // Their records have no checksums of their own.
  const read = filesOf(topics.filter(({ name }) => name === events || name === recommendations));
  const problems = await problemsOf(folder, { files: files.filter(({ name }) => read.includes(name)) }, read);
  if (problems.length > 0) throw refusal(folder, problems.join("; "));
  return { folder, topics, copies: new RecordCopies(folder) };
}

function refusal(folder: string, why: string): Error {
  return new Error(`Cannot read ${folder} as an archive of this log: ${why}`);
}

/** Backups record by record: a file per partition. */
class RecordCopies implements Copies {
  readonly #folder: string;
  readonly #readers = new Map<string, RecordFileReader>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    const place = { topic, partition };
    const name = fileOf(place);
    const reader = this.#readers.get(name) ?? new RecordFileReader(join(this.#folder, name), place);
    this.#readers.set(name, reader);
    return Promise.resolve(reader.read(from, options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers.values()) reader[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** @throws Error when a backup and the log have other records at the same offsets, or else other identities */
async function refuseOther(log: Log, { events }: Topics, { folder, topics, copies }: Archive): Promise<void> {
  const refuse = (why: string): never => {
    throw refusal(folder, why);
  };
  const extent = topics.find(({ name }) => name === events) ?? refuse(`it has no topic ${events}`);
  const own = await log.identify(events);
  if (own === null || own.partitions !== extent.bounds.length) {
    refuse(
      `${events} has ${extent.bounds.length} partitions there, and ${own?.partitions ?? "none"} on the log`,
    );
  }
  let isShared = false;
  for (const [partition, bounds] of extent.bounds.entries()) {
    const { start, end } = await log.bounds(events, partition);
    const from = Math.max(start, bounds.start);
    if (from >= Math.min(end, bounds.end)) {
      if (bounds.end > end) {
        refuse(`partition ${partition} of ${events} ends at ${bounds.end} in the backup, and at ${end}`);
      }
      continue;
    }
    const [mine, theirs] = await Promise.all(
      [log, copies].map(async (of) => (await of.read(events, partition, from, { maxRecords: 1 })).records[0]),
    );
    // An erasure may have taken the log's out.
    if (mine === undefined || theirs?.offset !== mine.offset) continue;
    if (theirs.key !== mine.key || theirs.time !== mine.time) {
      refuse(`the log has another record at offset ${mine.offset} of ${events}/${partition}`);
    }
    isShared = true;
  }
  if (!isShared && own?.id !== extent.id) {
    refuse(`${events} is another topic there, and the two share no record`);
  }
}

async function erasedUsers(log: Log, topics: Topics): Promise<ErasedUsers> {
  const first = firstTopics(topics);
  const { statistics } = generationTopics(first, await servingGeneration(log, first));
  const all = new ErasedUsers();
  const tasks = (await log.identify(statistics))?.partitions ?? 0;
  for (let task = 0; task < tasks; task++) all.add(await erasedOn(log, statistics, task));
  return all;
}

/** The log below whose start archives are read. */
function withStretches(
  log: Log,
  stretches: ReadonlyMap<string, readonly Stretch[]>,
  { topic: events, erased }: { readonly topic: string; readonly erased: ErasedUsers },
): Log {
  const read = async (
    topic: string,
    partition: number,
    from: number,
    options?: ReadOptions,
  ): Promise<ReadResult> => {
    const own = stretches.get(`${topic}/${partition}`) ?? [];
    const start = own.length === 0 ? from : (await log.bounds(topic, partition)).start;
    if (from >= start) return await log.read(topic, partition, from, options);
    const stretch = own.find((one) => one.start <= from && from < one.end);
    if (stretch === undefined) {
      const next = Math.min(start, ...own.flatMap((one) => one.start > from ? one.start : []));
      const { dropped = 0, ...result } = await read(topic, partition, next, options);
      return { ...result, dropped: dropped + next - from };
    }
    const result = await stretch.copies.read(topic, partition, from, { ...options, waitMs: 0 });
    const next = Math.min(result.next, stretch.end, start);
    if (next <= from) {
      throw new Error(
        `Cannot read ${topic}/${partition}@${from} from a backup: it ends there, but its manifest says ${stretch.end}`,
      );
    }
    const isLeft = (record: LogRecord) =>
      record.offset < next && !(topic === events && isErased(record, erased));
    const records = result.records.filter(isLeft);
    // A read without records would look like the end.
    return records.length > 0 ? { records, next } : await read(topic, partition, next, options);
  };
  return layered(log, {
    read,
    async bounds(topic, partition) {
      const bounds = await log.bounds(topic, partition);
      const own = stretches.get(`${topic}/${partition}`) ?? [];
      return { ...bounds, start: Math.min(bounds.start, ...own.map(({ start }) => start)) };
    },
  });
}

/** Whether an event belongs to a user erased then or later, or hands something over to one. */
function isErased({ key, value }: LogRecord, erased: ErasedUsers): boolean {
  if (value === null || key === null || !erased.includes(key, -Infinity)) return false;
  const decoded = decodeEvent(value);
  return decoded.ok && erased.includes(key, decoded.event.time);
}

/** How many offsets below the start of a log are in archives, and how many after the first of them are not. */
function coverageOf(stretches: readonly Stretch[], start: number): Omit<ArchivedPart, "partition"> {
  let read = 0, missing = 0, at = stretches[0]?.start ?? start;
  for (const stretch of stretches) {
    const from = Math.min(start, Math.max(at, stretch.start));
    missing += Math.max(0, from - at);
    at = Math.max(from, Math.min(start, stretch.end));
    read += at - from;
  }
  return { read, missing: missing + Math.max(0, start - at) };
}
