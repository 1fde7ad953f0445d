/**
 * The size of a user with a full sequence: the record on the log, and in memory. A data set is streamed through a task
 * whose model has its initial weights; states are as long as those of any other version.
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc tests/bench/user_bytes.ts --data fixtures/shop --format meander
 * ```
 *
 * "Sequence and state" leaves out what is not history of a model: statistics, profile and hashes of event ids. In
 * memory, the first is what the typed arrays of sequence and state hold, the second everything that V8 and the slabs
 * have for 20,000 users, spare capacity included.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UserStatistics } from "../../src/features/kept_statistics.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { modelConfig, taskOptions } from "../../streams/config/config.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { type Format, FORMATS, openSource } from "../../streams/sources/open.ts";
import { integer, print, runCommand } from "../../scripts/flags/command_line.ts";

const COPIES = 20_000;

interface Flags {
  readonly data: string;
  readonly format: Format;
  readonly models: string;
  readonly behaviours: number;
  readonly limit: number;
}

const program = new Command("user_bytes.ts")
  .option("--data <path>", "what is streamed", "fixtures/shop")
  .addOption(new Option("--format <name>", "format of the data").choices([...FORMATS]).default("meander"))
  .option("--models <names>", "models with a state", "dien,mimn")
  .option("--behaviours <n>", "of users who have so many", integer, 100)
  .option("--limit <n>", "events that are used", integer, Infinity);

async function main(flags: Flags): Promise<number> {
  for (const model of flags.models.split(",") as ModelName[]) await measure(model, flags);
  return 0;
}

async function measure(model: ModelName, { data, format, behaviours, limit }: Flags): Promise<void> {
  const options = { maxJumpMs: REPLAY_MAX_JUMP_MS, ...taskOptions(PROFILES[format], {}, model), seed: 0 };
  const sizes = modelSizes(options.schema, 16);
  const start = () =>
    new TaskState(
      options,
      new ServingModel(
        createModel(model, sizes, modelConfig(model, {}), mulberry32(0)),
        options.schema,
        16,
      ),
    );
  const task = start();
  let offset = 0;
  for await (const record of openSource(format, data)) {
    if (record.kind === "item") task.applyItem(record.item);
    if (record.kind !== "event") continue;
    if (offset === limit) break;
    task.apply(record.event, offset++, outputs());
  }
  task.flush(outputs());
  const full = [...task.users.values()].filter(({ row }) => task.sequences.length(row) >= behaviours);
  const records = full.map((user) => task.memory.record(user));
  const bare = full.map((user) => task.memory.record(withoutRest(user)).length);
  const arrays = full.map(({ row, hidden, anchor }) =>
    task.sequences.rowBytes(row) + hidden.byteLength + (anchor?.bytes.length ?? 0)
  );
  print(
    Deno.stdout,
    `${model} on ${data}, ${full.length} users of ${behaviours} behaviours\n` +
      `  record                 ${mean(records.map(({ length }) => length))} bytes\n` +
      `    sequence and state   ${mean(bare)}\n` +
      `  sequence and state in memory ${mean(arrays)}\n` +
      `  all in memory          ${resident(start(), records)}\n`,
  );
}

/** The user with a sequence, a state and nothing else. */
function withoutRest(user: UserState): UserState {
  return {
    ...user,
    statistics: new UserStatistics(),
    profile: {},
    recentIds: [],
    pending: new Map(),
    shown: [],
  };
}

/** Bytes per user, of many, on V8's heap and in typed arrays. */
function resident(task: TaskState, records: readonly Uint8Array[]): string {
  const collect = (globalThis as { readonly gc?: () => void }).gc;
  if (collect === undefined || records.length === 0) return "not measured: --v8-flags=--expose-gc is missing";
  const used = () => {
    collect();
    collect();
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  for (let n = 0; n < COPIES; n++) task.restoreUser(`user-${n}`, records[n % records.length]!);
  return mean([(used() - before) / task.users.size]);
}

function outputs(): TaskOutputs {
  return { recommendations: [], samples: [], forgotten: [] };
}

function mean(values: readonly number[]): string {
  return Math.round(values.reduce((sum, x) => sum + x, 0) / values.length).toLocaleString("en");
}

program.parse(Deno.args, { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
