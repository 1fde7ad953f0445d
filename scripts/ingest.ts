/**
 * `deno task ingest`: feeds a data set into the events and items of a deployment, each event to the partition of its
 * user. Stopped or killed, the same command goes on where it was.
 *
 *     deno task ingest --from fixtures/shop --log kafka --rate 500
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { Command, Option } from "commander";
import { Feeder } from "../streams/feeder.ts";
import { type Format, FORMATS, openSource } from "../streams/sources/open.ts";
import { topicNames, topicSpecs } from "../streams/topics.ts";
import { count, print, runCommand } from "./command_line.ts";
import { addLogFlags, type LogFlags, openLog, partitionsOf } from "./service_flags.ts";

interface Flags extends LogFlags {
  readonly from: string;
  readonly format: Format;
  readonly name?: string;
  readonly rate?: number;
  readonly limit?: number;
  readonly partitions?: number;
}

/** Without a rate, records a commit; with one, a tenth of a second's events. */
const BATCH = 1000;
const PROGRESS_MS = 2000;

async function main(flags: Flags): Promise<number> {
  const { rate } = flags;
  const topics = topicNames(flags.prefix);
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  await using log = await openLog(flags);
  await log.createTopics(topicSpecs(topics, await partitionsOf(log, flags)));
  await using feeder = await Feeder.open(log, topics, openSource(flags.format, flags.from), {
    name: flags.name ?? `${flags.format}:${flags.from}`,
    batch: rate === undefined ? BATCH : Math.max(1, Math.min(BATCH, Math.floor(rate / 10))),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
  });
  if (feeder.resumedFrom > 0) print(Deno.stderr, `goes on after ${feeder.resumedFrom} records\n`);
  let first: number | undefined;
  let begun = performance.now(), told = begun;
  while (!stopping.signal.aborted && await feeder.feed()) {
    const now = performance.now();
    // The first batch passes over what was there: its time tells nothing of the rate.
    if (first === undefined) [first, begun] = [feeder.events, now];
    if (now - told >= PROGRESS_MS) {
      told = now;
      print(Deno.stderr, `${feeder.events} events, ${speed(feeder.events - first, now - begun)} events/s\n`);
    }
    if (rate === undefined) continue;
    const aheadMs = (feeder.events - first) / rate * 1000 - (now - begun);
    if (aheadMs > 0) await delay(aheadMs, undefined, { signal: stopping.signal }).catch(() => {});
  }
  const state = stopping.signal.aborted ? "stopped" : "done";
  print(Deno.stdout, `${state}: ${feeder.events} events of ${flags.from} are in ${topics.events}\n`);
  return 0;
}

function speed(events: number, ms: number): number {
  return ms === 0 ? 0 : Math.round(events / ms * 1000);
}

const program = addLogFlags(
  new Command("deno task ingest").description("Feeds a data set into the events and items of a deployment."),
)
  .requiredOption("--from <path>", "file or folder to read")
  .addOption(new Option("--format <name>", "its format").choices([...FORMATS]).default("meander"))
  .option("--name <text>", "name under which the position is kept (default: format and path)")
  .option("--rate <n>", "events a second at most", count)
  .option("--limit <n>", "stop after this many events", count)
  .option("--partitions <n>", "partitions of new topics (default: 1 on sqlite, 4 on kafka)", count)
  .showHelpAfterError()
  .parse(Deno.args, { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
