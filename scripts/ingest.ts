/**
 * `deno task ingest`: feeds a data set, or a topic of another system, into the events and items of a deployment, each
 * event to the partition of its user. After a stop or a kill, the same command resumes.
 *
 *     deno task ingest --from fixtures/shop --log kafka --rate 500
 *     deno task ingest --from kafka:clicks --format metarank --log kafka
 *
 * @module
 */

import { InvalidArgumentError } from "commander";
import { TASK_OPTIONS } from "../src/engine/task_options.ts";
import { isOneOf } from "../src/values/one_of.ts";
import { pause } from "../streams/log/pause.ts";
import { Feeder, feederId } from "../streams/feeders/feeder.ts";
import { fileName, followedName, ingestName } from "../streams/feeders/position_names.ts";
import { OrderCheck } from "../streams/feeders/order_check.ts";
import { placeOf } from "../streams/feeders/rejected_records.ts";
import type { Log } from "../streams/log/log.ts";
import type { OwnRecord } from "../src/events/own_record.ts";
import { NameCheck } from "../src/mapping/name_check.ts";
import { type Config, knownNames } from "../streams/config/config.ts";
import {
  formatAdapter,
  JSON_FORMATS,
  type JsonFormat,
  sourceAdapter,
  watched,
} from "../streams/sources/adapters.ts";
import { readConfig } from "../streams/config/read.ts";
import { newestTime } from "../streams/sources/count.ts";
import { parseStart, type Start, START_WORDS } from "../streams/mapping/start.ts";
import { openMapped } from "../streams/sources/mapped.ts";
import { openSource } from "../streams/sources/open.ts";
import { sortByTime } from "../streams/sources/sort_by_time.ts";
import type { SourceRecord } from "../streams/sources/source.ts";
import { TopicFeeder } from "../streams/feeders/topic_feeder.ts";
import { hasPins, readExported } from "../streams/experiments/exported.ts";
import { adoptionFaults, deployedModels, ExperimentRegistry } from "../streams/experiments/registry.ts";
import { configureLogging } from "../streams/settings/logging.ts";
import { feederPosition, type TopicPosition } from "../streams/topics/feeder_position.ts";
import { servingTopics } from "../streams/topics/serving.ts";
import { topicNames, type Topics, topicSpecs } from "../streams/topics/topics.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  print,
  runCommand,
} from "./flags/command_line.ts";
import { FOREIGN_KIND, kindOf } from "../streams/log/kinds/kinds.ts";
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { type Feed, TopicFeed } from "./ingest/topic_feed.ts";
import { openLog, partitionsOf } from "./flags/service_flags.ts";
import { FORMAT_HELP, type RecordFormat, recordFormat, SORT_HELP } from "./flags/record_format.ts";

interface Flags extends LogFlags {
  readonly from: string;
  readonly format: string;
  readonly name?: string;
  readonly start?: Start;
  readonly once?: true;
  readonly recent?: true;
  readonly sort?: true;
  readonly rate?: number;
  readonly limit?: number;
  readonly partitions?: number;
}

/** The flags, with what follows from the configuration. */
interface Opened extends Flags {
  readonly records: RecordFormat;
  readonly names: NameCheck;
  /** How late a user's behaviour may come, milliseconds. */
  readonly allowedLatenessMs: number;
}

/** Records per commit, unless there is a rate: then the events of a tenth of a second. */
const BATCH = 1000;
const PROGRESS_MS = 2000;
const DAY_MS = 86_400_000;
/** Interval between messages while the log cannot be opened. */
const WAITING_MS = 5000;
const TOPIC = /^kafka:(.+)$/;

async function main(flags: Flags): Promise<number> {
  await configureLogging("warning");
  const topics = topicNames(flags.prefix);
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  const { signal } = stopping;
  const config = await readConfig(flags.config);
  const records = recordFormat(flags.format, config.sources);
  const topic = topicOf(flags);
  if (topic !== undefined) checkTopic(flags, records);
  await using log = await openPatiently(flags, config);
  const specs = topicSpecs(topics, await partitionsOf(log, flags));
  await log.createTopics(specs);
  const { allowedLatenessMs = TASK_OPTIONS.allowedLatenessMs.value } = config;
  const opened = { ...flags, records, names: new NameCheck(knownNames(config)), allowedLatenessMs };
  await using feed = topic === undefined
    ? await openFile(log, topics, opened)
    : await openTopic(log, topics, topic, { ...opened, signal });
  await feedAll(feed, flags, signal);
  const state = signal.aborted ? "stopped" : "done";
  print(
    Deno.stdout,
    `${state}: ${feed.events} events of ${flags.from} are in ${topics.events}${besides(feed)}\n`,
  );
  if (topic === undefined && records === "meander" && !signal.aborted) await adopt(log, topics, flags);
  if (signal.aborted || feed.rejected === 0 || feed.events + feed.items > 0) return 0;
  const hint = feed.firstRejection?.code === "time-out-of-range"
    ? 'are times in milliseconds? A source of the configuration reads seconds with "unit": "s"'
    : `is it in another format than --format ${flags.format}?`;
  print(Deno.stderr, `no record could be accepted: ${hint}\n`);
  return 1;
}

/** The topic that is fed; `undefined` if files are fed. */
function topicOf({ from }: Flags): string | undefined {
  return TOPIC.exec(from)?.[1];
}

/** @throws Error when a topic cannot be fed like this */
function checkTopic({ recent, sort }: Flags, records: RecordFormat): void {
  if (sort) throw new Error("Cannot sort a topic, because it has no end: omit --sort");
  if (recent) throw new Error("Cannot shift the times of a topic, because it has no end: omit --recent");
  if (typeof records === "string" && !isJson(records)) {
    const formats = JSON_FORMATS.join(", ");
    throw new Error(
      `Cannot read a topic as ${records}: its records must be in ${formats}, or in the format of a source`,
    );
  }
  if (typeof records === "object" && records.format === "avro") {
    throw new Error(
      `Cannot read a topic as ${records.name}: its format avro is for files; records of a topic name their schema, ` +
        'which is "format": "registry"',
    );
  }
}

/** Opens the log; prints a message while it has to wait. */
async function openPatiently(flags: Flags, config: Config): Promise<Log> {
  const what = kindOf(flags.log).capabilities.isShared ? "the brokers" : "the log";
  const waiting = setInterval(() => print(Deno.stderr, `waiting for ${what}\n`), WAITING_MS);
  return await openLog(flags, { config }).finally(() => clearInterval(waiting));
}

/** Feeds until there is no more, at the requested rate, and reports progress. */
async function feedAll(feed: Feed, { rate, limit = Infinity }: Flags, signal: AbortSignal): Promise<void> {
  let first: number | undefined;
  let hasRejected = false;
  let begun = performance.now(), told = begun, said = "";
  while (!signal.aborted && feed.events < limit) {
    const mayBeMore = await feed.feed();
    if (!hasRejected && feed.firstRejection !== undefined) {
      hasRejected = true;
      print(Deno.stderr, `first rejected: ${placeOf(feed.firstRejection)} ${feed.firstRejection.reason}\n`);
    }
    if (!mayBeMore) return;
    const now = performance.now();
    // The first batch skips what was fed before, so it does not count for the rate.
    if (first === undefined) [first, begun] = [feed.events, now];
    if (now - told >= PROGRESS_MS) {
      told = now;
      const counts = `${feed.events} events${besides(feed)}`;
      // While a topic is silent, its follower is silent, too.
      if (counts !== said) {
        print(Deno.stderr, `${counts}, ${speed(feed.events - first, now - begun)} events/s\n`);
      }
      said = counts;
    }
    if (rate === undefined) continue;
    const aheadMs = (feed.events - first) / rate * 1000 - (now - begun);
    if (aheadMs > 0) await pause(aheadMs, signal);
  }
}

/** Adopts the experiments of an exported folder; they apply from here on. */
async function adopt(log: Log, topics: Topics, { from, prefix }: Flags): Promise<void> {
  const exported = await readExported(from);
  const models = await deployedModels(log, await servingTopics(log, prefix));
  const registry = new ExperimentRegistry(log, topics, { models, now: Date.now });
  const adopted = new Set(await registry.adopt(exported.filter((record) => !hasPins(record))));
  const kept = await registry.records();
  for (const record of exported) {
    const faults = adoptionFaults(record, models);
    if (adopted.has(record.name)) print(Deno.stdout, `experiment ${record.name} continues\n`);
    else if (hasPins(record)) {
      print(Deno.stderr, `warning: ${record.name} is left out: it pins versions, which are not here\n`);
    } else if (faults.length > 0) {
      print(Deno.stderr, `warning: ${record.name} is left out: ${faults.join("; ")}\n`);
    } else if (JSON.stringify(kept.get(record.name)) !== JSON.stringify(record)) {
      print(Deno.stderr, `warning: ${record.name} is left out: this deployment has experiments of its own\n`);
    }
  }
}

function besides({ items, rejected }: Feed): string {
  return `, ${items} items, ${rejected} rejected`;
}

async function openFile(log: Log, topics: Topics, flags: Opened): Promise<Feed> {
  const { name = await fileName(log, topics, flags.format, flags.from) } = flags;
  const feeder = await Feeder.open(log, topics, inOrder(flags), {
    name,
    batch: batchOf(flags),
    limit: flags.limit,
    shiftMs: flags.recent && (() => untilToday(flags)),
  });
  if (feeder.resumedFrom > 0) print(Deno.stderr, `resuming after ${feeder.resumedFrom} records\n`);
  return feeder;
}

/** Whole days to shift all times by, so that the newest event is of the last 24 hours and hours stay the same. */
async function untilToday(flags: Opened): Promise<number> {
  const ageMs = Date.now() - await newestTime(openRecords(flags));
  return Number.isFinite(ageMs) ? Math.floor(ageMs / DAY_MS) * DAY_MS : 0;
}

/** The records in the order in which they are fed, with a warning where tasks will refuse some for it. */
async function* inOrder(flags: Opened): AsyncIterable<SourceRecord> {
  const { allowedLatenessMs, sort } = flags;
  if (sort) return yield* sortByTime(openRecords(flags), "events");
  const order = new OrderCheck(allowedLatenessMs);
  for await (const record of openRecords(flags)) {
    const lateMs = record.kind === "rejected" ? null : order.see(record);
    if (lateMs !== null) {
      const [late, allowed] = [lateMs, allowedLatenessMs].map((ms) => Math.round(ms / 1000));
      print(
        Deno.stderr,
        `warning: line ${record.line} is ${late} s older than a line before it with the same user; ` +
          `tasks reject what comes more than ${allowed} s late: --sort feeds files in order of time\n`,
      );
    }
    yield record;
  }
}

async function* openRecords({ records, from, names }: Opened): AsyncIterable<SourceRecord> {
  for await (
    const own of typeof records === "string" ? openSource(records, from) : openMapped(from, records)
  ) {
    if (own.kind !== "rejected") tellNames(names, own);
    yield own;
  }
}

/** Warns about names that the configuration does not declare, once each. */
function tellNames(names: NameCheck, own: OwnRecord): void {
  for (const told of names.see(own)) print(Deno.stderr, `warning: ${told}\n`);
}

/** Feeds a topic, of this log or another one, without end unless `--once` is given. */
async function openTopic(
  log: Log,
  topics: Topics,
  topic: string,
  { signal, ...flags }: Opened & { readonly signal: AbortSignal },
): Promise<Feed> {
  const { records, names, start, once = false } = flags;
  await using owned = new AsyncDisposableStack();
  const source = flags.log === FOREIGN_KIND ? log : owned.use(await openLog({ ...flags, log: FOREIGN_KIND }));
  const adapter = typeof records === "string"
    ? formatAdapter(records as JsonFormat) // other formats were refused before
    : sourceAdapter(records);
  if (flags.name === undefined && typeof records !== "string") {
    await checkFollowed(log, topics, records.name, (await source.identify(topic))?.id);
  }
  const format = watched(adapter, (own) => tellNames(names, own));
  const { name = ingestName(flags.format, flags.from) } = flags;
  const foreign = { log: source, topic, format, name, start };
  const feeder = owned.use(await TopicFeeder.open(log, topics, foreign, { batch: batchOf(flags) }));
  return new TopicFeed({ feeder, topic, once, signal, owned: owned.move() });
}

/** Refuses a topic that `run` follows: its records would arrive twice. */
async function checkFollowed(
  log: Log,
  topics: Topics,
  source: string,
  id: string | null | undefined,
): Promise<void> {
  const followed = await feederPosition<TopicPosition>(log, topics, feederId(topics, followedName(source)));
  if (followed === null || followed.id !== id) return;
  throw new Error(
    `Cannot feed the topic of ${source}: \`run\` follows it; to feed it again from its start, give a --name`,
  );
}

function batchOf({ rate }: Flags): number {
  return rate === undefined ? BATCH : Math.max(1, Math.min(BATCH, Math.floor(rate / 10)));
}

function start(text: string): Start {
  try {
    return parseStart(text);
  } catch {
    throw new InvalidArgumentError(`Expected ${START_WORDS}.`);
  }
}

function isJson(format: string): format is JsonFormat {
  return isOneOf(JSON_FORMATS, format);
}

function speed(events: number, ms: number): number {
  return ms === 0 ? 0 : Math.round(events / ms * 1000);
}

const program = addLogFlags(
  createCommand(commandName("ingest")).description(
    "Feeds a data set, or a topic of another system, into a deployment.",
  ),
)
  .requiredOption("--from <path>", "file or folder to read, or kafka:TOPIC to follow a topic of the brokers")
  .option("--format <name>", FORMAT_HELP, "meander")
  .option("--name <text>", "name under which the position is kept (default: format and path)")
  .option(
    "--start <where>",
    `where to start in a topic that was never fed: ${START_WORDS} (default: earliest)`,
    start,
  )
  .option("--once", "for a topic: stop at its end instead of waiting for more")
  .option(
    "--recent",
    "for files: shift all times by whole days, so that the newest event is within the last 24 hours",
  )
  .option("--sort", SORT_HELP)
  .option("--rate <n>", "at most this many events a second", count)
  .option("--limit <n>", "stop after this many events", count)
  .option("--partitions <n>", "partitions of new topics (default: 1 on sqlite, 4 on kafka)", count)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
