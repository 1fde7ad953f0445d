/**
 * What is lost when states are old: a model learns the first part of a stream; then every life is folded by the
 * weights of some versions ago, and the lists of the last part are scored from these states by the newest weights,
 * which are frozen. It is the simulation of Pi et al. 2019 (§ 4.2 of MIMN), in versions in place of days.
 *
 * ```sh
 * deno run -A tests/bench/staleness.ts --data ../shared/data/ml-100k --format ml-100k
 * ```
 *
 * What a life was before its newest 20 to 29 behaviours is made by one old version, which is the worst case; those
 * are folded by the newest weights, as in service (docs/explanation/state.md).
 *
 * @module
 */

import { Command, Option } from "commander";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { ParameterVersion } from "../../src/serving/version.ts";
import { logLoss } from "../../src/metrics/probability.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { createModel, MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Serving } from "../../src/features/serving.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { replay } from "../../streams/replay/replay.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { type Format, FORMATS, openSource } from "../../streams/sources/open.ts";
import { integer, print, runCommand } from "../../scripts/flags/command_line.ts";

interface Flags {
  readonly data: string;
  readonly format: Format;
  readonly model: ModelName;
  readonly lags: string;
  readonly train: string;
  readonly limit: number;
  readonly seed: number;
}

/** Users have nothing of their own, so that the state is all that is known of a person beside the profile. */
const CONFIG: Config = { retrieval: { learn: false }, features: { transitions: null, userIds: false } };

const program = new Command("staleness.ts")
  .requiredOption("--data <path>", "what is streamed")
  .addOption(new Option("--format <name>", "format of the data").choices([...FORMATS]).default("meander"))
  .addOption(new Option("--model <name>", "model with a state").choices([...MODEL_NAMES]).default("mimn"))
  .option("--lags <numbers>", "versions that states are old", "0,1,10,100,1000")
  .option("--train <share>", "share of the events that is learnt before", "0.8")
  .option("--limit <n>", "events that are used", integer, Infinity)
  .option("--seed <n>", "seed of the weights", integer, 0);

async function main({ data, format, model, lags, train, limit: most, seed }: Flags): Promise<number> {
  const task = { ...taskOptions(PROFILES[format], CONFIG, model), seed };
  const wanted = lags.split(",").map(Number);
  const records: SourceRecord[] = [];
  let events = 0;
  for await (const record of openSource(format, data)) {
    if (record.kind === "event" && events++ >= most) break;
    records.push(record);
  }
  events = Math.min(events, most);
  const limit = Math.floor(Number(train) * events);
  const make = (version: ParameterVersion): ServingModel => {
    const sizes = modelSizes(task.schema, 16);
    const made = createModel(model, sizes, modelConfig(model, CONFIG), mulberry32(seed));
    const serving = new ServingModel(made, task.schema, 16);
    serving.apply(version);
    return serving;
  };
  const kept = new Map<number, ParameterVersion>();
  await using log = new MemoryLog();
  const { learning } = await replay(log, openSource(format, data), {
    model,
    modelConfig: modelConfig(model, CONFIG),
    task,
    learner: learnerOptions(task, CONFIG, seed),
    learning: { ...learningOptions(CONFIG), trimSamples: true },
    limit,
    retain: false,
    manifest: "{}",
    onRound: ({ learning: { learner, version } }) =>
      keep(kept, version, () => learner.version("full", version), wanted),
  });
  const newest = make(learning.learner.version("full", learning.version));
  print(Deno.stdout, `${model} on ${data}, seed ${seed}: ${learning.version} versions\n`);
  for (const lag of wanted) {
    // The youngest that is as old as wanted.
    const version = [...kept.keys()].filter((version) =>
      newest.version - version >= lag
    ).sort((a, b) => b - a)[0];
    const taken = version === undefined ? undefined : kept.get(version);
    if (lag > 0 && taken === undefined) {
      print(Deno.stdout, `${lag} versions old: there are not as many\n`);
      continue;
    }
    const old = taken === undefined || lag === 0 ? newest : make(taken);
    const age = newest.version - old.version;
    print(Deno.stdout, `${age} versions old: ${figures(records, limit, task, staleServing(newest, old))}\n`);
  }
  return 0;
}

/**
 * Keeps the newest version, and lets those go that nobody will want: of a lag those in steps of a tenth of it are
 * enough.
 */
function keep(
  kept: Map<number, ParameterVersion>,
  newest: number,
  take: () => ParameterVersion,
  lags: readonly number[],
): void {
  if (!kept.has(newest)) kept.set(newest, take());
  for (const version of kept.keys()) {
    const wanted = lags.some((lag) => {
      const step = Math.max(1, Math.floor(lag / 10));
      return version % step === 0 && newest - version <= lag + step;
    });
    if (!wanted) kept.delete(version);
  }
}

/** The newest model, whose anchors were made by an old one. */
function staleServing(newest: ServingModel, old: ServingModel): Serving {
  return {
    ...{
      model: newest.model,
      version: newest.version,
      stateSize: newest.stateSize,
      lifelong: newest.lifelong,
      stretches: newest.stretches,
    },
    initState: () => old.initState(),
    step: (...behaviour) => old.step(...behaviour),
    score: (instance) => newest.score(instance),
    place: (logit, position) => newest.place(logit, position),
    unplace: (logit, position) => newest.unplace(logit, position),
  };
}

/** Streams everything through a task; the rows of the events from `limit` on count. */
function figures(
  records: readonly SourceRecord[],
  limit: number,
  options: TaskOptions,
  serving: Serving,
): string {
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  let scoring = false;
  const idle: Serving = {
    ...serving,
    score: (list) => scoring ? serving.score(list) : new Float32Array(list.rows.length),
  };
  const task = new TaskState({ maxJumpMs: REPLAY_MAX_JUMP_MS, ...options, maxStaleVersions: Infinity }, idle);
  const counted: Sample[] = [];
  let offset = 0, start = 0;
  for (const record of records) {
    if (record.kind === "item") task.applyItem(record.item);
    if (record.kind !== "event") continue;
    scoring = offset >= limit;
    task.apply(record.event, offset++, out);
    if (offset === limit) start = record.event.time;
    counted.push(...out.samples.splice(0));
  }
  task.flush(out);
  counted.push(...out.samples);
  const rows = counted.filter(({ time }) => time > start).flatMap(({ rows }) => [...rows]);
  const labels = rows.map(({ label }) => label), predictions = rows.map(({ prediction }) => prediction);
  return `AUC ${auc(labels, predictions)?.toFixed(4)}, log loss ${
    logLoss(labels, predictions)?.toFixed(4)
  }, ` +
    `${rows.length} rows`;
}

program.parse(Deno.args, { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
