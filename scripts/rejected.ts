/**
 * `deno task meander -- rejected`: lists rejected records with their reasons, shows one decoded, and replays them after
 * their mapping was fixed.
 *
 *     deno task meander -- rejected list --log kafka
 *     deno task meander -- rejected show 0/12
 *     deno task meander -- rejected replay clicks
 */

import { dateOf } from "../src/values/date_of.ts";
import type { Command } from "commander";
import { isOneOf } from "../src/values/one_of.ts";
import { readConfig } from "../streams/config/read.ts";
import { placeOf } from "../src/events/rejection.ts";
import {
  countRejected,
  readRejected,
  rejectedAt,
  type RejectedCount,
  type RejectedRecord,
} from "../streams/feeders/rejected_records.ts";
import { replayRejected } from "../streams/feeders/rejected_replay.ts";
import { CODED_FORMATS } from "../streams/mapping/coded_formats.ts";
import { compileSource, ownSource, type RecordSource } from "../streams/mapping/record_source.ts";
import type { SourcesSettings } from "../streams/mapping/source_settings.ts";
import { renderTable } from "../streams/report/table.ts";
import { topicNames } from "../streams/topics/topics.ts";
import {
  commandArguments,
  commandName,
  count,
  createCommand,
  print,
  runCommand,
  subcommand,
} from "./flags/command_line.ts";
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { decodedText, recordFormat } from "./flags/record_format.ts";
import { call } from "./flags/server_flags.ts";
import { openAlone } from "./flags/service_flags.ts";

interface Flags extends LogFlags {
  readonly url?: string;
  readonly json?: true;
  readonly code?: string;
  readonly source?: string;
  readonly from?: string;
  readonly newest: number;
}

async function list(flags: Flags): Promise<number> {
  const reasons = flags.url === undefined
    ? await countHere(flags)
    : (await call<{ readonly reasons: readonly RejectedCount[] }>({ url: flags.url }, "GET", pathOf(flags)))
      .reasons;
  if (flags.json) print(Deno.stdout, `${JSON.stringify(reasons, null, 2)}\n`);
  else print(Deno.stdout, reasons.length === 0 ? "nothing was rejected\n" : table(reasons));
  return 0;
}

async function countHere(flags: Flags): Promise<readonly RejectedCount[]> {
  await using log = await openAlone(flags);
  return await countRejected(readRejected(log, topicNames(flags.prefix), flags, flags.newest));
}

function pathOf({ code, source, from }: Flags): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ code, source, from })) {
    if (value !== undefined) query.set(name, value);
  }
  return `/v1/rejected?${query}`;
}

function table(reasons: readonly RejectedCount[]): string {
  return renderTable(
    [
      { title: "records", align: "right" },
      { title: "again", align: "right" },
      ...["source", "code", "rule", "newest", "reason"].map((title) => ({ title })),
    ],
    reasons.map(({ source, from, code, rule, newest, count, again }) => [
      String(count),
      String(again),
      source ?? from,
      code,
      rule ?? "-",
      `${newest.partition}/${newest.offset}`,
      newest.rejection.reason,
    ]),
  );
}

async function show(place: string, flags: Flags): Promise<number> {
  const [, partition, offset] = /^(\d+)\/(\d+)$/.exec(place) ?? [];
  if (partition === undefined) throw new Error(`Cannot show ${place}: give partition/offset, as in list`);
  await using log = await openAlone(flags, "stop that process first");
  const record = await rejectedAt(log, topicNames(flags.prefix), Number(partition), Number(offset));
  if (record === null) throw new Error(`Cannot show ${place}: there is no such rejected record`);
  const { source = "", cut, bytes } = record.rejection;
  const { sources = {} } = cut || flags.json ? {} : await readConfig(flags.config);
  const format = Object.hasOwn(sources, source) ? recordFormat(source, sources) : "meander";
  const decoded = typeof format === "string"
    ? undefined
    : await decodedText(format, Uint8Array.fromBase64(bytes));
  print(Deno.stdout, flags.json ? `${JSON.stringify(record, null, 2)}\n` : shown(record, decoded));
  return 0;
}

/** @param decoded the record as text, if its bytes are not text */
function shown({ rejection, key, time, headers }: RejectedRecord, decoded?: string): string {
  const { code, reason, source = "-", rule = "-", entries, others, cut } = rejection;
  const bytes = Uint8Array.fromBase64(rejection.bytes);
  const text = new TextDecoder().decode(bytes);
  const isBinary = /[\p{Cc}\ufffd]/u.test(text.replaceAll(/[\t\r\n]/g, ""));
  const lines = [
    ["came from", placeOf(rejection)],
    ["source", source],
    ["rule", rule],
    ["code", code],
    ["reason", reason],
    ...(entries === undefined ? [] : [["entries", entries.join(" ")]]),
    ...(others === undefined ? [] : [["left out", `${others} like it, before it`]]),
    ["key", key ?? "-"],
    ["time", time > 0 ? dateOf(time) : "-"],
    ["headers", JSON.stringify(headers)],
    ["bytes", `${bytes.length}${cut ? ", only the beginning" : ""}`],
  ].map(([name = "", value = ""]) => `${name.padEnd(10)}${value}\n`);
  const body = decoded !== undefined
    ? decoded
    : isBinary
    ? bytes.toHex().replaceAll(/(.{64})/g, "$1\n")
    : text;
  return `${lines.join("")}\n${body}\n`;
}

async function replay(name: string, flags: Flags): Promise<number> {
  const { sources } = await readConfig(flags.config);
  const source = sourceOf(name, sources);
  await using log = await openAlone(flags, "stop that process first");
  const { records, taken, rejected, leftOut, cut } = await replayRejected(
    log,
    topicNames(flags.prefix),
    source,
    flags,
  );
  const tail = [
    records === 0 && "`rejected list` names the sources and topics that have some",
    rejected > 0 && "as `rejected list` explains",
    leftOut > 0 &&
    `${leftOut} more were left out of ${
      topicNames(flags.prefix).rejected
    }: feed them again from their origin`,
    cut > 0 &&
    `${cut} cannot be replayed: only their first 64 KiB were kept, and their topic is not on this log, or has ` +
      "dropped them; send them again from their origin",
  ].filter((part) => part !== false);
  print(
    Deno.stdout,
    `${records} records of ${name}: ${taken} events and items sent, ${rejected} rejected again${
      tail.map((part) => `, ${part}`).join("")
    }\n${taken > 0 ? "What tasks refuse of them, `rejected list` counts under `again`\n" : ""}`,
  );
  return 0;
}

/** The source of a name, whose records may be replayed. */
function sourceOf(name: string, sources: SourcesSettings | undefined): RecordSource {
  if (isOneOf(CODED_FORMATS, name)) return compileSource(name, { preset: name });
  const format = recordFormat(name, sources);
  if (typeof format === "object") return format;
  if (format === "meander") return ownSource();
  throw new Error(`Cannot replay ${name}: its records are rows of files; ingest those again`);
}

const program = createCommand(commandName("rejected")).description(
  "Show rejected records with their reasons, and try them again.",
);
let chosen: (() => Promise<number>) | undefined;

function choose(action: () => Promise<number>): void {
  chosen = action;
}

function command(usage: string, about: string): Command {
  return addLogFlags(subcommand(program, usage, about)).option("--json", "print the result as JSON");
}

command("list", "count rejected records by reason")
  .option("--url <url>", "use the service at this URL instead of the log")
  .option("--code <code>", "only records with this code")
  .option("--source <name>", "only records of this source or format")
  .option("--from <name>", "only records of this topic or file")
  .option("--newest <n>", "newest records of each partition to read", count, 100_000)
  .action((_, self: Command) => choose(() => list(self.opts<Flags>())));
command("show <place>", "show one record, decoded: partition/offset, as printed by list")
  .action((place: string, _, self: Command) => choose(() => show(place, self.opts<Flags>())));
command("replay <source>", "try the rejected records of a source again, with the current configuration")
  .option("--from <name>", "also replay records without a source, from this topic or file")
  .action((source: string, _, self: Command) => choose(() => replay(source, self.opts<Flags>())));
program.parse(commandArguments(), { from: "user" });

await runCommand(chosen ?? (() => Promise.resolve(1)));
