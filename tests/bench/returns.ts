/**
 * What models remember: AUC on the world of long lives, by how long the pastime was away that a shown item is of.
 *
 * ```sh
 * deno task fixtures --world long --out .data/long
 * deno run -A tests/bench/returns.ts --variants "dien;mimn" --features off --seeds 3
 * ```
 *
 * The features beside the history branch are the same for all: with `off` statistics and weights of items and
 * users, with `on` the crosses of the newest behaviours and the pairs too, with `history` nothing of the user but
 * the history. The rows are those of the last third.
 *
 * @module
 */

import { Command, Option } from "commander";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { logLoss } from "../../src/metrics/probability.ts";
import { auc, gauc } from "../../src/metrics/ranking.ts";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { replay } from "../../streams/replay/replay.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { integer, makeRoomFor, print, runCommand } from "../../scripts/flags/command_line.ts";

interface Variant {
  readonly model: ModelName;
  readonly config: Config;
}

const window = (length: number): Config => ({
  sequence: { capacity: Math.max(100, length), window: length },
});
const mimn = (options: NonNullable<Config["models"]>["mimn"]): Variant => ({
  model: "mimn",
  config: { models: { mimn: options ?? {} } },
});

const VARIANTS: Readonly<Record<string, Variant>> = {
  base: { model: "base", config: {} },
  dien: { model: "dien", config: {} },
  "dien, T 100": { model: "dien", config: window(100) },
  mimn: mimn({}),
  "mimn, window only": { model: "mimn", config: { lifelong: false } },
  "mimn, m 8": mimn({ slots: 8 }),
  "mimn, without induction unit": mimn({ induction: false }),
};

const FEATURES: Readonly<Record<string, NonNullable<Config["features"]>>> = {
  off: { transitions: null, pairs: false },
  on: { transitions: {}, pairs: true },
  history: { transitions: null, pairs: false, userIds: false },
};

/** Behaviours that a pastime was away, from and to; −1 is none of the person's. */
const SLICES = {
  all: [-1, Infinity],
  "not theirs": [-1, -1],
  on: [0, 0],
  "away < 100": [1, 99],
  "away < 500": [100, 499],
  "away ≥ 500": [500, Infinity],
} as const;

interface Flags {
  readonly data: string;
  readonly variants: string;
  readonly features: string;
  readonly seeds: number;
  readonly limit?: number;
  readonly out: string;
}

interface Run {
  readonly variant: string;
  readonly features: string;
  readonly seed: number;
  readonly limit?: number;
  readonly figures: Readonly<Record<string, number | null>>;
}

interface Row {
  /** Index of the user. */
  readonly user: number;
  readonly label: number;
  readonly prediction: number;
  readonly away: number;
}

const program = new Command("returns.ts")
  .option("--data <folder>", "the world of long lives", ".data/long")
  .option("--variants <names>", `of ${Object.keys(VARIANTS).join("; ")}`, "dien;dien, T 100;mimn")
  .addOption(
    new Option("--features <set>", "beside the history").choices(Object.keys(FEATURES)).default("off"),
  )
  .option("--seeds <n>", "seeds of each", integer, 1)
  .option("--limit <n>", "stop after so many events", integer)
  .option("--out <file>", "where the runs accumulate", ".data/returns.json");

async function main(flags: Flags): Promise<number> {
  await makeRoomFor(flags.out);
  const away = await readAway(flags.data);
  for (let seed = 0; seed < flags.seeds; seed++) {
    for (const name of flags.variants.split(";")) {
      const variant = variantOf(name);
      const runs = await readRuns(flags.out);
      const { features, limit } = flags;
      const same = (run: Run) =>
        run.variant === name && run.features === features && run.seed === seed && run.limit === limit;
      if (runs.some(same)) continue;
      const rows = await judge(flags, variant, seed, away);
      const run = {
        variant: name,
        features,
        seed,
        ...(limit === undefined ? {} : { limit }),
        figures: figuresOf(rows),
      };
      // Others may have written meanwhile.
      await Deno.writeTextFile(
        flags.out,
        `${JSON.stringify([...await readRuns(flags.out), run], null, 1)}\n`,
      );
      const text = Object.entries(run.figures).map(([figure, value]) =>
        `${figure} ${value?.toFixed(4) ?? "–"}`
      );
      print(Deno.stdout, `${name}, features ${features}, seed ${seed}: ${text.join("  ")}\n`);
    }
  }
  return 0;
}

/** A named variant, or `<model> <configuration as JSON>`. */
function variantOf(name: string): Variant {
  const known = VARIANTS[name];
  if (known !== undefined) return known;
  const [, model, json] = /^(\w+) (\{.*\})$/.exec(name) ?? [];
  const found = MODEL_NAMES.find((other) => other === model);
  if (found !== undefined && json !== undefined) return { model: found, config: parseConfig(json, name) };
  throw new RangeError(
    `Cannot run ${name}: variants are ${Object.keys(VARIANTS).join("; ")}, or a model and its configuration`,
  );
}

/** Replays the world and reads back what was predicted, joined with what only the world knows. */
async function judge(
  { data, features, limit }: Flags,
  { model, config: own }: Variant,
  seed: number,
  away: ReadonlyMap<string, readonly number[]>,
): Promise<readonly Row[]> {
  const config: Config = {
    ...own,
    features: { ...FEATURES[features], ...own.features },
    retrieval: { learn: false },
  };
  const task = { ...taskOptions(PROFILES.meander, config, model), seed };
  await using log = new MemoryLog();
  await replay(log, openSource("meander", data), {
    model,
    modelConfig: modelConfig(model, config),
    task,
    learner: learnerOptions(task, config, seed),
    learning: learningOptions(config),
    ...(limit === undefined ? {} : { limit }),
    manifest: "{}",
  });
  const rows: Row[] = [];
  const users = new Map<string, number>();
  const { samples } = topicNames();
  for (let from = 0;;) {
    const { records } = await log.read(samples, 0, from);
    if (records.length === 0) return rows;
    for (const { value, offset } of records) {
      from = offset + 1;
      if (value === null) continue;
      const sample = decodeSample(value);
      const known = away.get(sample.request) ?? [];
      const user = users.get(sample.user) ?? users.size;
      users.set(sample.user, user);
      for (const { label, prediction, position } of sample.rows) {
        rows.push({ user, label, prediction, away: known[position] ?? NaN });
      }
    }
  }
}

function figuresOf(all: readonly Row[]): Run["figures"] {
  const rows = all.slice(-Math.floor(all.length / 3));
  const labels = rows.map(({ label }) => label), predictions = rows.map(({ prediction }) => prediction);
  const slices = Object.entries(SLICES).map(([name, [from, to]]) => {
    // Within a slice items of one kind compete; beside what is not theirs, the pastime's own.
    const own = rows.filter(({ away }) => (away >= from && away <= to) || (from >= 0 && away === -1));
    return [name, auc(own.map(({ label }) => label), own.map(({ prediction }) => prediction))] as const;
  });
  return {
    rows: rows.length,
    gauc: gauc(rows.map(({ user }) => user), labels, predictions),
    logLoss: logLoss(labels, predictions),
    ...Object.fromEntries(slices),
  };
}

async function readAway(data: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const known = new Map<string, readonly number[]>();
  for await (const record of openSource("meander", data)) {
    if (record.kind !== "event" || record.event.type !== "impression") continue;
    const { request, away } = record.event as unknown as { request: string; away: readonly number[] };
    known.set(request, away);
  }
  return known;
}

async function readRuns(file: string): Promise<readonly Run[]> {
  try {
    return JSON.parse(await Deno.readTextFile(file)) as Run[];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

program.parse(Deno.args, { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
