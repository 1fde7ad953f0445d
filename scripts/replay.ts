/** `deno task replay`: a data set through the whole loop, with a progress bar, a summary and a report. */

import type { Config } from "../streams/config/config.ts";
import { DEFAULT_PREFIX } from "../streams/topics/topics.ts";
import { configBeside, readConfig } from "../streams/config/read.ts";
import { Option } from "commander";
import { type KernelChoice, resolveKernels } from "../src/nn/kernels/choose.ts";
import { KERNEL_NAMES, type KernelName } from "../src/nn/kernels/kernels.ts";
import { kindOf as modelKindOf, type ModelName } from "../src/nn/models/registry.ts";
import { auc } from "../src/metrics/ranking.ts";
import { learnerOptions, learningOptions, modelConfig, taskOptions } from "../streams/config/config.ts";
import type { Learning } from "../streams/learning/learning.ts";
import { kindOf, LOG_KINDS } from "../streams/log/kinds/kinds.ts";
import { LISTED } from "../streams/replay/profiles.ts";
import { replay, type ReplayOptions, type ReplayResult, type ReplayView } from "../streams/replay/replay.ts";
import { counterNotes, replayJson, reportData } from "../streams/replay/replay_report.ts";
import { formatCount, formatFixed, formatPercent } from "../streams/report/format.ts";
import { Progress, type ProgressStatus } from "../streams/report/progress.ts";
import { renderReport } from "../streams/report/report.ts";
import { renderSummary } from "../streams/report/summary.ts";
import { wantsColour } from "../streams/report/table.ts";
import { countEvents } from "../streams/sources/count.ts";
import {
  byteSize,
  commandArguments,
  commandName,
  createCommand,
  integer,
  makeRoomFor,
  print,
  printColoured,
  runCommand,
} from "./flags/command_line.ts";
import { addLogKinds, checkPlaces, type LogFlags, placeOf } from "./flags/log_flags.ts";
import { renderShort, type ShortSummary, shortSummary } from "./evaluate/short_summary.ts";
import { type Stream, streamOf } from "./evaluate/stream.ts";
import { NothingToJudge } from "./evaluate/survey.ts";
import { modelFlag } from "./flags/option_flags.ts";
import { FORMAT_HELP, type RecordFormat, recordFormat, SORT_HELP } from "./flags/record_format.ts";
import { sortByTime } from "../streams/sources/sort_by_time.ts";
import { openLog } from "./flags/service_flags.ts";

interface Flags extends LogFlags {
  readonly data: string;
  readonly format: string;
  readonly model: ModelName;
  readonly kernels: KernelChoice;
  readonly limit?: number;
  readonly memory?: number;
  readonly seed: number;
  readonly evalFrom: number;
  readonly tail?: number;
  readonly json?: string;
  readonly report?: string;
  readonly sort?: true;
}

const WINDOW_ROWS = 5000;
/** Up to this size, the events are counted first, for the progress bar: that takes seconds. */
const MAX_COUNTED_BYTES = 256 * 2 ** 20;
const FIXTURE = "fixtures/shop";

const program = createCommand(commandName("replay"))
  .description("Replay a data set through the whole loop: events, state, recommendations, learning.")
  .option("--data <path>", "file or folder to replay", FIXTURE)
  .option("--format <name>", FORMAT_HELP, "meander")
  .addOption(modelFlag())
  .addOption(
    new Option("--kernels <name>", "implementation of the kernels: auto is the fastest that runs here")
      .choices(["auto", ...KERNEL_NAMES]).default("auto"),
  )
  .option("--prefix <text>", "prefix of the topics' names; the same command resumes", DEFAULT_PREFIX)
  .option("--sort", SORT_HELP)
  .option("--limit <n>", "stop after this many events", integer)
  .option("--memory <size>", "memory for states and embeddings, such as 512MB", byteSize)
  .option("--seed <n>", "seed of initial weights, sampling and exploration", integer, 0)
  .option("--eval-from <n>", "first row that metrics count", integer, 0)
  .option("--tail <n>", "length of the second set of metrics in rows (default: the last third)", integer)
  .option("--config <file>", "overrides of any default, as JSON (default: meander.json next to the data)")
  .option("--json <file>", "write the figures as JSON")
  .option("--report <file>", "write an HTML report");
addLogKinds(program, LOG_KINDS, { places: { logPath: ".data/replay.sqlite" } });

async function main(flags: Flags): Promise<number> {
  checkPlaces(program, flags);
  const config = await readConfig(flags.config, await configBeside(flags.data));
  const files = await fileSizes(flags.data);
  const format = recordFormat(flags.format, config.sources);
  const opened = streamOf(format, flags.data);
  const stream = flags.sort ? { ...opened, open: () => sortByTime(opened.open(), "events") } : opened;
  const options = optionsOf(flags, config, format, stream);
  const { capabilities: { isShared } } = kindOf(flags.log);
  for (const file of [flags.json, flags.report]) if (file !== undefined) await makeRoomFor(file);
  const started = Date.now();
  if (isShared) print(Deno.stderr, `Connecting to ${placeOf(flags, config)}\n`);
  await using log = await openLog(flags, { config });
  const meter = new Meter(await totalEvents(flags, stream, files));
  using progress = meter.progress;
  const result = await replay(log, stream.open(), {
    ...options,
    manifest: manifestOf(options, flags, { config, files, format }),
    onRound: (view) => progress.update(meter.read(view)),
  });
  progress[Symbol.dispose]();
  const data = reportData(result, {
    command: `${commandName("replay")} ${commandArguments().join(" ")}`.trim(),
    kernels: options.kernels,
    dataSet: `${flags.data} (${flags.format})`,
    started,
    finished: Date.now(),
    evalFrom: flags.evalFrom,
    tail: flags.tail ?? null,
    speeds: meter.speeds,
    notes: [
      ...modelKindOf(flags.model).remarks?.(options.modelConfig) ?? [],
      ...resumeNotes(result),
      ...healthNotes(result.learning),
      ...counterNotes(result.task.counters),
      ...emptyNotes(result),
    ],
  });
  const colour = wantsColour(Deno.stdout.isTerminal(), Deno.env.get("NO_COLOR"));
  printColoured(Deno.stdout, renderSummary(data, { colour }));
  const lists = await listsOf(result, flags, stream, config);
  if (lists !== null) print(Deno.stdout, `\n${renderShort(lists).join("\n")}\n`);
  if (flags.json !== undefined) {
    const nextItem = lists === null ? {} : { nextItem: lists };
    await Deno.writeTextFile(
      flags.json,
      `${JSON.stringify({ ...replayJson(data), ...nextItem }, null, 2)}\n`,
    );
  }
  if (flags.report !== undefined) await Deno.writeTextFile(flags.report, renderReport(data));
  return 0;
}

/** How a stream is replayed. */
type Options = Omit<ReplayOptions, "manifest" | "onRound" | "kernels"> & { readonly kernels: KernelName };

function optionsOf(flags: Flags, config: Config, format: RecordFormat, { profile }: Stream): Options {
  const { model, seed, memory, limit, prefix } = flags;
  const options = taskOptions(profile, config, model);
  const { isDurable } = kindOf(flags.log).capabilities;
  // A durable log may be served from afterwards.
  const isIdle = !isDurable && typeof format === "string" && LISTED.has(format);
  const task = {
    ...options,
    ...(isIdle && { retrieval: { learn: false, ...options.retrieval } }),
    seed,
    nowMicros: () => performance.now() * 1000,
  };
  return {
    model,
    modelConfig: modelConfig(model, config),
    kernels: resolveKernels(flags.kernels),
    task,
    // Half of the memory for user states; a quarter each for the learner's tables and the scorer's copy of them.
    learner: { tableBytes: memory && Math.floor(memory / 4), ...learnerOptions(task, config, seed) },
    learning: learningOptions(config),
    limit,
    retain: isDurable,
    prefix,
    stateBytes: memory && memory / 2,
  };
}

/** Everything that the result depends on. */
function manifestOf(
  { model, kernels, limit, task, learner, modelConfig }: Options,
  flags: Flags,
  { config, files, format }: {
    readonly config: Config;
    readonly files: Readonly<Record<string, number>>;
    readonly format: RecordFormat;
  },
): string {
  return JSON.stringify({
    files,
    data: flags.data,
    format: flags.format,
    ...(typeof format !== "string" && { source: config.sources?.[flags.format] }),
    model,
    kernels,
    limit,
    sort: flags.sort,
    task,
    learner,
    modelConfig,
    batchRows: config.batchRows,
    guard: config.guard,
    proof: config.proof,
  });
}

/** Follows the speed and the window metrics of a running replay. */
class Meter {
  readonly progress: Progress;
  readonly #total: number | undefined;
  readonly speeds: { rows: number; eventsPerSecond: number }[] = [];
  /** Where the replay was, at least half a second apart, for the last five seconds. */
  readonly #marks: { readonly time: number; readonly events: number }[] = [];

  constructor(total: number | undefined) {
    this.#total = total;
    this.progress = new Progress({ unit: "events", isTerminal: Deno.stderr.isTerminal(), now: Date.now });
  }

  read({ events, learning }: ReplayView): ProgressStatus {
    const { rows } = learning.validation;
    this.#mark({ time: performance.now(), events }, rows.length);
    return { done: events, total: this.#total, figures: () => this.#figures(rows) };
  }

  /** Speed, and AUC of the frozen predictions and click rate of the last window. */
  #figures({ length, labels, predictions }: ReplayView["learning"]["validation"]["rows"]): string {
    const start = Math.max(0, length - WINDOW_ROWS);
    const window = labels.subarray(start, length);
    const rate = window.length === 0 ? null : window.reduce((sum, label) => sum + label, 0) / window.length;
    return [
      `${formatCount(speed(this.#marks[0], this.#marks.at(-1)))} events/s`,
      `AUC ${formatFixed(auc(window, predictions.subarray(start, length)))}`,
      `CTR ${formatPercent(rate)}`,
    ].join(" · ");
  }

  #mark(mark: { readonly time: number; readonly events: number }, rows: number): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && mark.time - last.time < 500) return;
    this.#marks.push(mark);
    if (this.#marks.length > 11) this.#marks.shift();
    const eventsPerSecond = speed(last, mark);
    if (eventsPerSecond !== null) this.speeds.push({ rows, eventsPerSecond });
  }
}

/** Events per second between two points of a replay; `null` while there is only one. */
function speed(
  from: { readonly time: number; readonly events: number } | undefined,
  to: { readonly time: number; readonly events: number } | undefined,
): number | null {
  if (from === undefined || to === undefined || from === to) return null;
  return (to.events - from.events) / (to.time - from.time) * 1000;
}

/** How good lists would have been, if none was shown; `null` if some were, or if the data can be read only once. */
async function listsOf(
  { task, learning }: ReplayResult,
  { data, limit, seed }: Flags,
  stream: Stream,
  config: Config,
): Promise<ShortSummary | null> {
  const { isFile, isDirectory } = await Deno.stat(data);
  if (learning.validation.rows.length > 0 || task.counters.impressions > 0 || !(isFile || isDirectory)) {
    return null;
  }
  try {
    return await shortSummary(stream, { config, seed, ...(limit === undefined ? {} : { limit }) });
  } catch (error) {
    // The replay stands, whether or not its lists can be judged.
    if (!(error instanceof NothingToJudge)) print(Deno.stderr, `lists were not judged: ${String(error)}\n`);
    return null;
  }
}

/** How many events there will be; unknown for a pipe, which can be read only once, and for large data. */
async function totalEvents(
  flags: Flags,
  stream: Stream,
  files: Readonly<Record<string, number>>,
): Promise<number | undefined> {
  const { isFile, isDirectory } = await Deno.stat(flags.data);
  const bytes = Object.values(files).reduce((sum, size) => sum + size, 0);
  if (!(isFile || isDirectory) || bytes > MAX_COUNTED_BYTES) return flags.limit;
  return await countEvents(stream.open(), flags.limit);
}

function healthNotes({ failures, rollbacks, heldBatches, guard, proof }: Learning): string[] {
  const notes: string[] = [];
  if (proof !== null && proof.changes.length > 0) {
    const changes = proof.changes.map(({ to, rows }) => `the ${to} from row ${rows}`);
    notes.push(`requests were ordered by the prior, then by ${changes.join(", ")}`);
  }
  if (failures > 0) {
    notes.push(
      `${failures} batches gave unusable weights or losses: the learner went back to its last checkpoint`,
    );
  }
  if (guard.changes.length > 0) {
    const changes = guard.changes.map(({ to, reason, rows, version }) =>
      `${to} (${reason}) at row ${rows}, version ${version}`
    );
    notes.push(
      `served predictions left their band: ${rollbacks} rollbacks, ${heldBatches} batches not published; ${
        changes.join("; ")
      }`,
    );
  }
  return notes;
}

function resumeNotes({ resumedFrom, events }: ReplayResult): string[] {
  if (resumedFrom === 0) return [];
  return [
    resumedFrom === events
      ? "the log already holds the whole replay: nothing to do"
      : `resumed from event ${formatCount(resumedFrom)}, where the last run of this command stopped`,
  ];
}

function emptyNotes({ task, learning, rejections }: ReplayResult): string[] {
  if (task.counters.events > 0) {
    if (learning.validation.rows.length > 0) return [];
    return ["These events have no impressions: states were built, nothing was judged or learnt"];
  }
  if (rejections.count === 0) return ["There were no events"];
  return [`No event could be used, ${rejections.count} lines were rejected: check --format`];
}

/** Name and size of every file of the data: a log must not be resumed with other data under the same path. */
async function fileSizes(path: string): Promise<Record<string, number>> {
  const { isDirectory, size } = await Deno.stat(path).catch((cause) => {
    throw new Error(
      `Cannot read the data ${path}: ${
        cause instanceof Deno.errors.NotFound ? "no such file or folder" : cause.message
      }`,
      { cause },
    );
  });
  if (!isDirectory) return { [path]: size };
  const sizes: [string, number][] = [];
  for await (const { name, isFile } of Deno.readDir(path)) {
    if (isFile) sizes.push([name, (await Deno.stat(`${path}/${name}`)).size]);
  }
  return Object.fromEntries(sizes.sort(([a], [b]) => (a < b ? -1 : 1)));
}

program.parse(commandArguments(), { from: "user" });
const flags = program.opts<Flags>();

await runCommand(() => main(flags));
