/**
 * `deno task meander export`: writes events, items or results as JSON lines or Parquet, also while serving.
 *
 *     deno task meander export --what events --user u277
 *     deno task meander export --what events --to archive/events.jsonl.gz --append
 */

import { Option } from "commander";
import { dirname } from "node:path";
import { appendTo } from "../../streams/exports/archive.ts";
import { COLUMNS } from "../../streams/exports/columns.ts";
import { chunksOf } from "../../streams/exports/chunks.ts";
import { type Content, type ContentName, CONTENTS } from "../../streams/exports/contents.ts";
import { parquetOf } from "../../streams/exports/parquet.ts";
import { TopicLines } from "../../streams/exports/reading.ts";
import type { ReadableLog } from "../../streams/log/log.ts";
import { kindOf } from "../../streams/log/kinds/kinds.ts";
import { servingTopics } from "../../streams/topics/serving.ts";
import { commandArguments, commandName, createCommand, print, runCommand } from "../flags/command_line.ts";
import { addLogFlags, type LogFlags, mustExist } from "../flags/log_flags.ts";
import { logAddressOf } from "../flags/service_flags.ts";
import { progress } from "./report.ts";
import { timeOf } from "./times.ts";

interface Flags extends LogFlags {
  readonly what: ContentName;
  readonly from?: number;
  readonly until?: number;
  readonly user?: string;
  readonly to?: string;
  readonly append?: true;
}

interface Done {
  readonly lines: number;
  readonly lost: number;
  readonly leftOut: number;
}

async function main(flags: Flags): Promise<number> {
  const content: Content = CONTENTS[flags.what];
  refuseMisfits(flags, content);
  await using log = await openToRead(flags);
  const topic = (await servingTopics(log, flags.prefix))[content.topic];
  const { to, append } = flags;
  const { lines, lost, leftOut } = append && to !== undefined
    ? await appendTo(to, log, topic, content, progress("read"))
    : await exportAll(log, topic, content, flags);
  if (lost > 0) {
    print(
      Deno.stderr,
      `warning: ${topic} had dropped ${lost} offsets before they were exported: export more often\n`,
    );
  }
  if (leftOut > 0) {
    print(Deno.stderr, `${leftOut} records of ${topic} are left out: they are not ${flags.what}\n`);
  }
  print(
    Deno.stderr,
    `done: ${lines} ${flags.what}${to === undefined ? "" : append ? ` added to ${to}` : ` in ${to}`}\n`,
  );
  return 0;
}

function refuseMisfits({ what, from, until, user, to, append }: Flags, { byUser }: Content): void {
  if (user !== undefined && !byUser) {
    throw new Error(`Cannot export the ${what} of one user: they do not belong to users`);
  }
  if (from !== undefined && until !== undefined && from >= until) {
    throw new Error("Cannot export an empty span of time: --until is not later than --from");
  }
  if (append === undefined) return;
  if (isParquet(to)) {
    throw new Error(`Cannot append to ${to}: Parquet files cannot grow; append to JSON lines instead`);
  }
  if (to === undefined) throw new Error("Cannot append to standard output: name a file with --to");
  if (from !== undefined || until !== undefined || user !== undefined) {
    throw new Error(
      "Cannot append a selection: an archive has all records; omit --from, --until and --user",
    );
  }
  if (!byUser) throw new Error(`Cannot append ${what}, which replace each other: export them to a new file`);
}

function isParquet(to: string | undefined): boolean {
  return to?.endsWith(".parquet") ?? false;
}

async function openToRead(flags: LogFlags): Promise<ReadableLog> {
  await mustExist(flags);
  const { kind: name, options } = await logAddressOf(flags);
  const kind = kindOf(name);
  return await (kind.openToRead?.(options) ?? kind.open(options));
}

async function exportAll(log: ReadableLog, topic: string, content: Content, flags: Flags): Promise<Done> {
  const { from, until, user, to } = flags;
  const lines = await TopicLines.open(log, topic, content, { from, until, user });
  lines.tell = progress("read");
  let count = 0;
  const counted = async function* () {
    for await (const line of lines) {
      count++;
      yield line;
    }
  };
  const chunks = isParquet(to)
    ? parquetOf(counted(), COLUMNS[flags.what])
    : chunksOf(counted(), to?.endsWith(".gz") ?? false);
  if (to !== undefined) await toFile(chunks, to);
  else if (!await toStdout(chunks)) Deno.exit(0);
  return { lines: count, lost: lines.lost, leftOut: lines.leftOut };
}

/** @returns Whether everything was written; a reader such as `head` may stop earlier */
async function toStdout(chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += await Deno.stdout.write(chunk.subarray(at));
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

async function toFile(chunks: AsyncIterable<Uint8Array>, to: string): Promise<void> {
  const found = await Deno.lstat(to).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (found !== undefined) {
    throw new Error(`Cannot export to ${to}: it exists; name a new file, or add --append`);
  }
  await Deno.mkdir(dirname(to), { recursive: true });
  const part = `${to}.part`;
  try {
    using file = await Deno.open(part, { write: true, create: true, truncate: true });
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
    }
    await file.sync();
  } catch (error) {
    await Deno.remove(part).catch(() => {}); // the first error is reported
    throw new Error(`Cannot write ${to}; the unfinished file was removed`, { cause: error });
  }
  await Deno.rename(part, to);
}

const name = commandName("export");
const program = addLogFlags(
  createCommand(name).description(
    "Write events, items or results as JSON lines or Parquet, also while the deployment serves.",
  ),
)
  .addOption(
    new Option("--what <name>", "what to export").choices(Object.keys(CONTENTS)).makeOptionMandatory(),
  )
  .option("--from <time>", "only from this event time on: 2026-11-28 or 2026-11-28T09:00:00Z", timeOf)
  .option("--until <time>", "only before this event time", timeOf)
  .option("--user <id>", "only records of this user")
  .option(
    "--to <file>",
    "file to write: JSON lines, gzipped if it ends in .gz, or Parquet if it ends in .parquet (default: standard output)",
  )
  .option("--append", "continue an archive where it ended, each record once")
  .addHelpText(
    "after",
    `\nExamples:\n  ${name} --what events --user u277\n` +
      `  ${name} --what items --to items.parquet\n` +
      `  ${name} --what events --to archive/events.jsonl.gz --append`,
  )
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<Flags>()));
