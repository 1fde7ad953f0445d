/**
 * Restores a deployment record by record, each to the offset that it had.
 *
 * States, samples, checkpoints and notes contain offsets, so offsets are kept. Ids of topics are new, so they are
 * replaced in positions. Under another prefix, the names of topics are replaced, too. The copy is a log of its own:
 * local snapshots of states may have been made after the backup, and their offsets will have other records.
 */

import { join } from "node:path";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { checkpointedSamples, writerOf } from "../learning/learner_records.ts";
import type { RecordLog } from "../log/capabilities.ts";
import type { CopyProgress } from "../log/kind.ts";
import type { GroupOffset, LogRecord } from "../log/log.ts";
import type { TopicExtent } from "../log/reading.ts";
import type { Manifest } from "./manifest.ts";
import { ownPosition } from "../task/inputs/inputs.ts";
import { LINEAGE } from "../task/restoring/changelog_reader.ts";
import { servingTopics } from "../topics/serving.ts";
import { tasksGroup, topicNames, type Topics } from "../topics/topics.ts";
import { fileOf, inParallel } from "./record_backup.ts";
import { readRecords } from "./record_file.ts";

/** Writer of the groups' offsets. */
const WRITER = "restore";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Most offsets that are written again. Those without a record are filled, which takes a byte of the broker's disk and a
 * microsecond of processor time each: 10 GB, and three hours. Ten commits a second on a dozen partitions, each with
 * the same key, need as many in less than three years.
 */
const MAX_OFFSETS = 1e10;
/** As many more for each byte of the files: of years of records, a week may be left. */
const OFFSETS_PER_BYTE = 10;

/** @throws Error when a backup has far more offsets than its files are likely to be left of: a stranger may have made it */
export function refuseFarOffsets(
  folder: string,
  { topics, files }: Pick<Manifest, "topics" | "files">,
): void {
  const offsets = topics.flatMap(({ bounds }) => bounds).reduce((sum, { end }) => sum + end, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const most = MAX_OFFSETS + OFFSETS_PER_BYTE * bytes;
  if (offsets <= most) return;
  throw new Error(
    `Cannot restore ${folder}: its topics have had ${offsets} records, of which its files have ${bytes} bytes; ` +
      `${most} are allowed, since all offsets are written again`,
  );
}

/** What to restore, and under which prefix. */
export interface RefillOptions {
  /** Contents of the backup. */
  readonly manifest: Pick<Manifest, "prefix" | "topics">;
  /** Prefix of the topics to make, also for the topics that records name. */
  readonly prefix: string;
  /** Called with the progress. */
  readonly tell: CopyProgress;
}

/**
 * Creates the topics and fills them.
 *
 * @throws Error when one of them has had records
 */
export async function refillAll(
  log: RecordLog,
  folder: string,
  { manifest, prefix, tell }: RefillOptions,
): Promise<void> {
  const from = manifest.prefix;
  refuseForeign(folder, manifest, prefix);
  const to = (text: string) => prefix + text.slice(from.length);
  const topics = manifest.topics.map((topic) => ({ ...topic, name: to(topic.name) }));
  await refuseFull(log, topics, prefix);
  await log.createTopics(topics);
  const own = await renaming(log, { from, prefix, to, topics });
  const places = topics.flatMap(({ name, bounds }, at) =>
    bounds.map((bounds, partition) => ({ topic: name, was: manifest.topics[at]!.name, partition, bounds }))
  );
  const all = places.reduce((sum, { bounds: { end } }) => sum + end, 0);
  let done = 0;
  await inParallel(places, async ({ topic, was, partition, bounds }) => {
    const file = join(folder, fileOf({ topic: was, partition }));
    const records = async function* () {
      for (const record of readRecords(file, { topic, partition })) {
        if (record.offset < bounds.start) continue;
        if (record.offset >= bounds.end) {
          throw new RangeError(
            `Cannot restore ${file}: it has a record at ${record.offset}, and ends at ${bounds.end} by its manifest`,
          );
        }
        yield own(record);
      }
    };
    await log.refill(topic, partition, records(), bounds);
    tell(done += bounds.end, all);
  });
  await restoreGroups(log, await servingTopics(log, prefix), topics);
}

/** @throws Error when the names of its topics cannot be made to begin with the prefix */
function refuseForeign(folder: string, { prefix: from, topics }: RefillOptions["manifest"], prefix: string) {
  if (from === "" && prefix !== "") {
    throw new Error(
      `Cannot restore ${folder} to --prefix ${prefix}: its own prefix is empty, so its topics cannot be identified`,
    );
  }
  const other = topics.find(({ name }) => !name.startsWith(from));
  if (other !== undefined) {
    throw new Error(`Cannot restore ${folder}: its prefix is ${from}, and it has the topic ${other.name}`);
  }
}

/** What records are on the new topics: they name these, and their ids, and are of a lineage of their own. */
async function renaming(
  log: RecordLog,
  { from, prefix, to, topics }: {
    readonly from: string;
    readonly prefix: string;
    /** The new name of a topic, or a key of positions. */
    readonly to: (text: string) => string;
    /** As they are now named, with the ids that they had. */
    readonly topics: readonly TopicExtent[];
  },
): Promise<(record: LogRecord) => LogRecord> {
  // Topics are named in JSON.
  const named = from === prefix
    ? []
    : topics.map(({ name }): Rename => [`"${from}${name.slice(prefix.length)}"`, `"${name}"`]);
  const renames = [...named];
  for (const { name, id } of topics) {
    const now = (await log.identify(name))?.id ?? null;
    if (id !== null && now !== null) renames.push([id, now]);
  }
  const names = topicNames(prefix);
  const lineage = crypto.randomUUID();
  return (record) => {
    const headers = Object.fromEntries(
      Object.entries(record.headers).map(([name, value]) => [
        name,
        record.key === TASK_KEY && name === LINEAGE ? lineage : renamed(value, renames),
      ]),
    );
    const isPosition = record.topic === names.positions;
    const key = isPosition && record.key?.startsWith(from) ? to(record.key) : record.key;
    const inValue = isPosition ? renames : record.topic === names.rejected ? named : [];
    return { ...record, headers, key, value: bytesOf(record.value, inValue) };
  };
}

/** @throws Error when one of the topics, or another of the deployment, has had records */
async function refuseFull(log: RecordLog, topics: readonly TopicExtent[], prefix: string): Promise<void> {
  const existing = await log.topics(prefix);
  const names = new Set([...topics.map(({ name }) => name), ...Object.values(topicNames(prefix))]);
  for (const name of names) {
    for (let partition = 0; partition < (existing.get(name)?.partitions ?? 0); partition++) {
      const { end } = await log.bounds(name, partition);
      if (end === 0) continue;
      throw new Error(
        `Cannot restore to ${name}: it has had records up to offset ${end}; ` +
          `delete the topics that begin with ${prefix}, or name another --prefix`,
      );
    }
  }
}

type Rename = readonly [before: string, now: string];

function renamed(text: string, renames: readonly Rename[]): string {
  let renamed = text;
  for (const [before, now] of renames) renamed = renamed.replaceAll(before, now);
  return renamed;
}

function bytesOf(value: Uint8Array | null, renames: readonly Rename[]): Uint8Array | null {
  if (value === null || renames.length === 0) return value;
  return encoder.encode(renamed(decoder.decode(value), renames));
}

/** Sets the offsets of groups from the records; only external tools read them. */
async function restoreGroups(log: RecordLog, names: Topics, topics: readonly TopicExtent[]): Promise<void> {
  const partitionsOf = (topic: string) => topics.find(({ name }) => name === topic)?.partitions ?? 0;
  const tasks: GroupOffset[] = [];
  for (let partition = 0; partition < partitionsOf(names.events); partition++) {
    const own = await ownPosition(log, names, partition);
    if (own !== null) tasks.push({ topic: names.events, partition, offset: own.next });
  }
  await using writer = await log.writer(WRITER);
  if (tasks.length > 0) await writer.commit({ records: [], group: tasksGroup(names), offsets: tasks });
  for (const model of MODEL_NAMES) {
    const positions = await checkpointedSamples(log, names, model);
    if (positions === null) continue;
    const offsets = positions.map((offset, partition) => ({ topic: names.samples, partition, offset }));
    await writer.commit({ records: [], group: writerOf(names, model), offsets });
  }
}
