/**
 * `deno task ingest`: feeds a data set into the events and items of a deployment, each event to the partition of its
 * user. After a stop or a kill, the same command resumes.
 *
 *     deno task ingest --from fixtures/shop --log kafka --rate 500
 */

import { TASK_OPTIONS } from "../src/engine/task_options.ts";
import { placeOf, type Rejection } from "../src/events/rejection.ts";
import { pause } from "../streams/log/pause.ts";
import { Feeder, HopelessSourceError } from "../streams/feeders/feeder.ts";
import { fileName } from "../streams/feeders/position_names.ts";
import { OrderCheck } from "../streams/feeders/order_check.ts";
import type { Log } from "../streams/log/log.ts";
import type { OwnRecord } from "../src/events/own_record.ts";
import { NameCheck } from "../src/mapping/name_check.ts";
import { type Config, knownNames } from "../streams/config/config.ts";
import { readConfig } from "../streams/config/read.ts";
import { newestTime } from "../streams/sources/count.ts";
import { openMapped } from "../streams/sources/mapped.ts";
import { openSource } from "../streams/sources/open.ts";
import { sortByTime } from "../streams/sources/sort_by_time.ts";
import type { SourceRecord } from "../streams/sources/source.ts";
import { hasPins, readExported } from "../streams/experiments/exported.ts";
import { adoptionFaults, deployedModels, ExperimentRegistry } from "../streams/experiments/registry.ts";
import { configureLogging } from "../streams/settings/logging.ts";
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
import { kindOf } from "../streams/log/kinds/kinds.ts";
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { openLog, partitionsOf } from "./flags/service_flags.ts";
import { FORMAT_HELP, type RecordFormat, recordFormat, SORT_HELP } from "./flags/record_format.ts";

interface Flags extends LogFlags {
  readonly from: string;
  readonly format: string;
  readonly name?: string;
  readonly recent?: true;
  readonly sort?: true;
  readonly rate?: number;
  readonly limit?: number;
  readonly keepGoing?: true;
  readonly partitions?: number;
}

/** The flags, with what follows from the configuration. */
interface Opened extends Flags {
  readonly records: RecordFormat;
  readonly names: NameCheck;
  /** How late a user's behaviour may arrive, milliseconds. */
  readonly allowedLatenessMs: number;
}

/** Records per commit, unless there is a rate: then the events of a tenth of a second. */
const BATCH = 1000;
/** Records from the start of which at least one has to be accepted. */
const MAX_REJECTED_FIRST = 1000;
const PROGRESS_MS = 2000;
const DAY_MS = 86_400_000;
/** Interval between messages while the log cannot be opened. */
const WAITING_MS = 5000;
const TOPIC = /^kafka:/;

async function main(flags: Flags): Promise<number> {
  await configureLogging("warning");
  const topics = topicNames(flags.prefix);
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  const { signal } = stopping;
  if (TOPIC.test(flags.from)) {
    throw new Error(
      `Cannot ingest ${flags.from}: topics are taken in by \`run\`, with "follow" in a source of the configuration`,
    );
  }
  const config = await readConfig(flags.config);
  const records = recordFormat(flags.format, config.sources);
  await using log = await openPatiently(flags, config);
  const specs = topicSpecs(topics, await partitionsOf(log, flags));
  await log.createTopics(specs);
  const { allowedLatenessMs = TASK_OPTIONS.allowedLatenessMs.value } = config;
  const opened = { ...flags, records, names: new NameCheck(knownNames(config)), allowedLatenessMs };
  await using feed = await open(log, topics, opened);
  try {
    await feedAll(feed, flags, signal);
  } catch (error) {
    if (!(error instanceof HopelessSourceError)) throw error;
    const { message, first } = error;
    const way = `${hintFor(first, flags)}, or feed it all the same with --keep-going`;
    print(Deno.stderr, `${message}: ${way}\nfirst rejected: ${placeOf(first)} ${first.reason}\n`);
    return 1;
  }
  const state = signal.aborted ? "stopped" : "done";
  print(
    Deno.stdout,
    `${state}: ${feed.events} events of ${flags.from} are in ${topics.events}${besides(feed)}\n`,
  );
  if (records === "meander" && !signal.aborted) await adopt(log, topics, flags);
  if (signal.aborted || feed.rejected === 0 || feed.events + feed.items > 0) return 0;
  print(Deno.stderr, `no record could be accepted: ${hintFor(feed.firstRejection, flags)}\n`);
  return 1;
}

function hintFor(first: Rejection | undefined, { format }: Flags): string {
  return first?.code === "time-out-of-range"
    ? 'are times in milliseconds? A source of the configuration reads seconds with "unit": "s"'
    : `check that its format is --format ${format}`;
}

/** Opens the log; prints a message while it has to wait. */
async function openPatiently(flags: Flags, config: Config): Promise<Log> {
  const what = kindOf(flags.log).capabilities.isShared ? "the brokers" : "the log";
  const waiting = setInterval(() => print(Deno.stderr, `waiting for ${what}\n`), WAITING_MS);
  return await openLog(flags, { config }).finally(() => clearInterval(waiting));
}

/** Feeds until there is no more, at the requested rate, and reports progress. */
async function feedAll(feed: Feeder, { rate, limit = Infinity }: Flags, signal: AbortSignal): Promise<void> {
  let first: number | undefined;
  let hasRejected = false;
  let begun = performance.now(), reportedAt = begun;
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
    if (now - reportedAt >= PROGRESS_MS) {
      reportedAt = now;
      const rate = speed(feed.events - first, now - begun);
      print(Deno.stderr, `${feed.events} events${besides(feed)}, ${rate} events/s\n`);
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
      print(Deno.stderr, `warning: ${record.name} is left out: it pins versions, which are missing here\n`);
    } else if (faults.length > 0) {
      print(Deno.stderr, `warning: ${record.name} is left out: ${faults.join("; ")}\n`);
    } else if (JSON.stringify(kept.get(record.name)) !== JSON.stringify(record)) {
      print(Deno.stderr, `warning: ${record.name} is left out: this deployment already has experiments\n`);
    }
  }
}

function besides({ items, rejected }: Feeder): string {
  return `, ${items} items, ${rejected} rejected`;
}

async function open(log: Log, topics: Topics, flags: Opened): Promise<Feeder> {
  const { name = await fileName(log, topics, flags.format, flags.from) } = flags;
  const feeder = await Feeder.open(log, topics, inOrder(flags), {
    name,
    batch: batchOf(flags),
    limit: flags.limit,
    maxRejectedFirst: flags.keepGoing ? undefined : MAX_REJECTED_FIRST,
    shiftMs: flags.recent && (() => untilToday(flags)),
  });
  if (feeder.resumedFrom > 0) print(Deno.stderr, `resuming after ${feeder.resumedFrom} records\n`);
  return feeder;
}

/** Whole days to shift all times by, so that the newest event is in the last 24 hours and times of day stay. */
async function untilToday(flags: Opened): Promise<number> {
  const ageMs = Date.now() - await newestTime(openRecords(flags));
  return Number.isFinite(ageMs) ? Math.floor(ageMs / DAY_MS) * DAY_MS : 0;
}

/** The records in feeding order, with a warning if tasks will reject some because of it. */
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
          `tasks reject events more than ${allowed} s late: use --sort to feed files ordered by time\n`,
      );
    }
    yield record;
  }
}

async function* openRecords({ records, from, names }: Opened): AsyncIterable<SourceRecord> {
  for await (
    const own of typeof records === "string" ? openSource(records, from) : openMapped(from, records)
  ) {
    if (own.kind !== "rejected") warnOfNames(names, own);
    yield own;
  }
}

/** Warns about names that the configuration does not declare, once each. */
function warnOfNames(names: NameCheck, own: OwnRecord): void {
  for (const warning of names.see(own)) print(Deno.stderr, `warning: ${warning}\n`);
}

function batchOf({ rate }: Flags): number {
  return rate === undefined ? BATCH : Math.max(1, Math.min(BATCH, Math.floor(rate / 10)));
}

function speed(events: number, ms: number): number {
  return ms === 0 ? 0 : Math.round(events / ms * 1000);
}

const program = addLogFlags(
  createCommand(commandName("ingest")).description(
    "Feed a data set into a deployment.",
  ),
)
  .requiredOption("--from <path>", "file or folder to read")
  .option("--format <name>", FORMAT_HELP, "meander")
  .option("--name <text>", "name under which the position is kept (default: format and path)")
  .option(
    "--recent",
    "shift all times by whole days, so that the newest event is in the last 24 hours",
  )
  .option("--sort", SORT_HELP)
  .option("--rate <n>", "at most this many events per second", count)
  .option("--keep-going", `feed on where none of the first ${MAX_REJECTED_FIRST} records is accepted`)
  .option("--limit <n>", "stop after this many events", count)
  .option("--partitions <n>", "partitions of new topics (default: 1 on sqlite, 4 on kafka)", count)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
