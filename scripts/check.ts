/**
 * `deno task check`: looks at a deployment; exit code 1 when something is missing.
 *
 * @module
 */

import { Command } from "commander";
import { inspect, type Inspection } from "../streams/inspection.ts";
import { print, runCommand } from "./command_line.ts";
import { addLogFlags, type LogFlags, openLog } from "./service_flags.ts";

/** Somebody waits for the answer: brokers that are away are not waited for long. */
const RETRY_MS = 10_000;

async function main(flags: LogFlags): Promise<number> {
  if (flags.log === "sqlite") await Deno.stat(flags.logPath); // opening would create it
  await using log = await openLog(flags, RETRY_MS);
  const inspection = await inspect(log, flags.prefix);
  print(Deno.stdout, render(inspection));
  return inspection.problems.length === 0 ? 0 : 1;
}

function render({ topics, partitions, versions, problems }: Inspection): string {
  const time = (ms: number | null) => ms === null || ms === 0 ? "-" : new Date(ms).toISOString();
  const models = [...versions].map(([model, version]) => `${model} at version ${version}`);
  return [
    table([
      ["topic", "partitions", "records"],
      ...topics.map((one) => [one.name, one.partitions, one.records]),
    ]),
    "",
    table([
      ["partition", "end", "committed", "lag", "newest event"],
      ...partitions.map(({ partition, end, committed, eventTime }) => [
        partition,
        end,
        committed ?? "-",
        end - (committed ?? 0),
        time(eventTime),
      ]),
    ]),
    "",
    `parameters: ${models.join(", ") || "-"}`,
    ...problems.map((problem) => `PROBLEM: ${problem}`),
    problems.length === 0 ? "all is well" : "something is missing",
    "",
  ].join("\n");
}

/** Rows in columns: the first one to the left, the others to the right. */
function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => String(row[c]).length)));
  const cell = (value: string | number, c: number) =>
    c === 0 ? String(value).padEnd(widths[c] ?? 0) : String(value).padStart(widths[c] ?? 0);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

const program = addLogFlags(
  new Command("deno task check").description("Looks at a deployment: topics, lag, live version."),
).showHelpAfterError().parse(Deno.args, { from: "user" });

await runCommand(() => main(program.opts<LogFlags>()));
