/**
 * `deno task check`: reviews a deployment and its configuration, and reports what is wrong or missing and what to do.
 *
 * Exit code 0: all is well; 1: something is wrong or missing; 2: the review failed.
 */

import { reasonOf } from "../src/values/reason.ts";
import { readConfig } from "../streams/config/read.ts";
import { DEFAULT_CONFIG } from "../streams/settings/config_file.ts";
import { settle } from "../src/options/option.ts";
import { TASK_OPTIONS } from "../src/engine/task_options.ts";
import { InvalidArgumentError } from "commander";
import { COUNT_NAMES, type CountName, inspect } from "../streams/service/inspection.ts";
import { behind } from "../streams/service/partitions_view.ts";
import type { Problem } from "../streams/service/problem.ts";
import { canVerify } from "../streams/log/capabilities.ts";
import { type Log, LogError, type LogRemark } from "../streams/log/log.ts";
import { servingGeneration, servingTopics } from "../streams/topics/serving.ts";
import { keptTopics, tasksGroup, topicNames, topicSpecs } from "../streams/topics/topics.ts";
import type { Config } from "../streams/config/config.ts";
import { generationLog } from "../streams/generations/generation_log.ts";
import { differences } from "./check/differences.ts";
import { type Process, processAt } from "./check/processes.ts";
import { remarksOn, seenRejections } from "./check/rejections.ts";
import { type Look, problemLines, render, unusedIn } from "./check/report.ts";
import { commandArguments, commandName, count, createCommand, print } from "./flags/command_line.ts";
import { contradictionsOf, ineffectiveIn, problemsOf } from "./config/config_problems.ts";
import { addLogFlags, chosenLog, type LogFlags, placeOf } from "./flags/log_flags.ts";
import { lookAtSources } from "../streams/service/sources_view.ts";
import { followedSources } from "./flags/followed_sources.ts";
import { openLog, RETRY_MS } from "./flags/service_flags.ts";

interface Flags extends LogFlags {
  readonly rights?: true;
  readonly maxLag?: number;
  readonly url?: readonly string[];
  readonly known?: Readonly<Partial<Record<CountName, number>>>;
  readonly verify?: true;
  readonly json?: true;
}

async function main(flags: Flags): Promise<number> {
  const configured = await configurationOf(flags.config);
  const { config = {} } = configured;
  const { kind, settings } = chosenLog(flags, config);
  if (configured.config === undefined && kind.section !== null) {
    const remedy = "correct the configuration first: it may define how to reach the log";
    return printProblems(flags, {
      problems: [...configured.problems, { what: "the log was not examined", remedy }],
    });
  }
  const processes = await Promise.all((flags.url ?? []).map(processAt));
  const unhealthy = processes.flatMap(({ problem }) => problem ?? []);
  const opened = await openLogOrReason(flags, config, kind.fileOf(settings)).catch((error) => {
    if (configured.problems.length > 0) print(Deno.stdout, `${problemLines(configured.problems)}\n`);
    throw error;
  });
  if (typeof opened === "string") {
    return printProcesses(flags, processes, [...configured.problems, ...unhealthy], opened);
  }
  await using log = opened;
  const verified = flags.verify ? verify(log, flags) : undefined;
  if (verified !== undefined && verified.problems.length > 0) return printProblems(flags, verified);
  const found = await examine(log, flags, configured.config ?? null);
  const problems = [...configured.problems, ...found.problems, ...unhealthy];
  const look = { ...found, problems };
  const { allowedLatenessMs } = settle(TASK_OPTIONS, config);
  if (flags.json) {
    const json = { ...look, processes, allowedLatenessMs, ...(verified && { verified: verified.records }) };
    print(Deno.stdout, `${JSON.stringify(json, null, 2)}\n`);
  } else {
    for (const { line } of processes) if (line !== undefined) print(Deno.stdout, `${line}\n\n`);
    if (verified !== undefined) {
      print(Deno.stdout, `${verified.records} records were read; all are intact\n\n`);
    }
    print(Deno.stdout, render(look, allowedLatenessMs));
  }
  return problems.length === 0 ? 0 : 1;
}

/** Opens the log, or returns why it cannot, if its processes can be asked instead. */
async function openLogOrReason(flags: Flags, config: Config, file: string | null): Promise<Log | string> {
  const canAsk = flags.url !== undefined;
  try {
    if (file !== null) await Deno.stat(file); // opening would create it
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (canAsk) return "the file does not exist on this machine";
    throw new Error("there is no such file; name another with --log-path");
  }
  try {
    return await openLog(flags, { retryMs: RETRY_MS, config });
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "locked") throw error;
    if (canAsk) return "another process has it open";
    throw new Error("another process has it open; stop that process, or query it with --url");
  }
}

async function examine(log: Log, flags: Flags, config: Config | null): Promise<Look> {
  const { prefix, maxLag, known } = flags;
  const topics = topicNames(prefix);
  const ofTasks = await generationLog(log, topics, await servingGeneration(log, topics));
  const found = await inspect(ofTasks, { prefix, whole: log, maxLag, known });
  const serving = await servingTopics(log, prefix);
  const sources = await lookAtSources(
    log,
    serving,
    followedSources(flags, config ?? {}),
    { now: Date.now, maxLag, knownUnfed: known?.unfed },
  );
  const remarks = [
    ...await reviewOf(log, flags),
    ...await differences(log, prefix, config),
    ...ineffectiveIn(config ?? {}),
    ...remarksOn(await seenRejections(log, serving, Date.now()), known?.rejected),
  ];
  return {
    ...found,
    sources: sources.lags,
    problems: [...found.problems, ...sources.problems, ...remarks.filter(({ isProblem }) => isProblem)],
    notes: [...unusedIn(found.topics), ...remarks.filter(({ isProblem }) => !isProblem)],
  };
}

/** Prints problems that keep the log from being examined. */
function printProblems({ json }: Flags, found: { readonly problems: readonly Problem[] }): number {
  print(Deno.stdout, `${json ? JSON.stringify(found, null, 2) : problemLines(found.problems)}\n`);
  return 1;
}

/** Reads every record of a log that verifies its own. */
function verify(log: Log, flags: Flags): { readonly records: number; readonly problems: readonly Problem[] } {
  if (!canVerify(log)) {
    throw new Error(
      `Cannot verify ${placeOf(flags)}: --verify reads a SQLite log; brokers check their own records`,
    );
  }
  const { records, problems } = log.verify();
  const remedy = "restore the file from a copy";
  return { records, problems: problems.map((what) => ({ what, remedy })) };
}

/** Reports only on processes, while one of them has the log open. */
function printProcesses(
  flags: Flags,
  processes: readonly Process[],
  found: readonly Problem[],
  reason: string,
): number {
  const { json, maxLag = Infinity, known } = flags;
  const rejected = rejectedIn(processes, known?.rejected);
  const late = processes.flatMap(({ lags = [] }) => lags).filter(({ lag }) => lag > maxLag);
  const problems = [
    ...found,
    ...late.map(({ partition, lag }) => behind(partition, lag)),
    ...rejected.filter(({ isProblem }) => isProblem),
  ];
  const notes = rejected.filter(({ isProblem }) => !isProblem);
  const lines = processes.flatMap(({ line }) => line ?? []);
  const verdict = problems.length === 0 ? "all is well in these processes" : problemLines(problems);
  print(
    Deno.stdout,
    json ? `${JSON.stringify({ processes, problems, notes }, null, 2)}\n` : [
      ...lines,
      `${placeOf(flags)} was not examined: ${reason}`,
      "",
      ...(notes.length === 0 ? [] : [problemLines(notes, "NOTE")]),
      verdict,
      "",
    ].join("\n"),
  );
  return problems.length === 0 ? 0 : 1;
}

/** Remarks on rejected records by the processes, each of which sees all of them. */
function rejectedIn(processes: readonly Process[], known: number | undefined): readonly LogRemark[] {
  const [look] = processes.flatMap(({ rejections }) => rejections ?? []);
  if (look === undefined) return [];
  const events = processes.reduce((sum, { events = 0 }) => sum + events, 0);
  return remarksOn({ look, taken: events === 0 ? undefined : events }, known);
}

/** The configuration, or its problems. */
async function configurationOf(
  file: string | undefined,
): Promise<{ readonly config?: Config; readonly problems: readonly Problem[] }> {
  try {
    const config = await readConfig(file);
    return { config, problems: contradictionsOf(config, file ?? DEFAULT_CONFIG) };
  } catch (error) {
    return { problems: problemsOf(error) };
  }
}

/** Remarks on the setup of the log: problems and notes. */
async function reviewOf(log: Log, { prefix, rights }: Flags): Promise<readonly LogRemark[]> {
  const names = await servingTopics(log, prefix);
  const existing = await log.topics(prefix);
  return await log.review?.({
    prefix,
    events: existing.has(names.events) ? names.events : null,
    triesRights: rights === true,
    topics: topicSpecs(names, 1).map(({ name }) => name).filter((name) => existing.has(name)),
    kept: keptTopics(names),
    group: tasksGroup(names),
  }) ?? [];
}

function known(text: string): Readonly<Partial<Record<CountName, number>>> {
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [, name, digits] = /^(\w+)=(\d{1,15})$/.exec(part) ?? [];
      const found = COUNT_NAMES.find((count) => count === name);
      if (found !== undefined) return [found, Number(digits)];
      throw new InvalidArgumentError(`Counts are ${COUNT_NAMES.join(", ")}, such as lost=12,misplaced=7.`);
    }),
  );
}

function urls(text: string): readonly string[] {
  const list = text.split(",");
  if (list.every((url) => URL.canParse(url))) return list;
  throw new InvalidArgumentError("Not comma-separated URLs.");
}

const program = addLogFlags(
  createCommand(commandName("check")).description(
    "Examine a deployment (configuration, topics, lag, members, live version) and show how to fix problems.",
  ),
)
  .option("--verify", "on sqlite: read every record and every page, and report damage")
  .option("--rights", "also test the rights on Kafka, in a transaction that is aborted")
  .option("--max-lag <n>", "largest acceptable lag of a partition, in events", count)
  .option(
    "--known <list>",
    "counts that are already known and accepted, such as lost=12,misplaced=7,unlearnt=3,uncounted=5,unfed=4,kept=2,rejected=9",
    known,
  )
  .option("--url <list>", "URLs of processes to query as well, such as http://127.0.0.1:8080", urls)
  .option("--json", "print the result as JSON")
  .addHelpText(
    "after",
    "\nExit code: 0 all is well, 1 something is wrong or missing, 2 the check failed.\n\nExamples:\n" +
      "  deno task check --log kafka --brokers kafka-1:9092,kafka-2:9092 --max-lag 10000\n" +
      "  MEANDER_SASL_PASSWORD=... deno task check --log kafka --tls-ca-file ca.pem --sasl-mechanism scram-sha-512 --sasl-username me",
  )
  .parse(commandArguments(), { from: "user" });

const flags = program.opts<Flags>();
try {
  Deno.exit(await main(flags));
} catch (error) {
  const reason = reasonOf(error);
  print(Deno.stderr, `error: Cannot examine ${placeOf(flags)}: ${reason}\n`);
  Deno.exit(2);
}
