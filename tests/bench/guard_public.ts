/**
 * False alarms of the guard on public data sets, and its effect when they are poisoned, with the models as shipped.
 * Needs `../shared/data`.
 *
 * ```sh
 * deno run -A tests/bench/guard_public.ts clean ml-100k base 0-9  # data sets, models, seeds
 * deno run -A tests/bench/guard_public.ts poisoned ml-100k,mind base,dien
 * ```
 *
 * Seed 0 is the stream as it is. With any other, each user begins at another user's time, and the initial weights
 * differ.
 *
 * Poisoned: 20,000 rows as they were, then the poison until 6,000 more were shown. **Harm** is how much worse, in nats
 * per row, people's rows of that stretch are predicted than in the clean stream, against what people really did; 2,000
 * clean rows after that show what is left of it.
 *
 * @module
 */

import type { Guard, GuardOptions } from "../../src/learner/guard/guard.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { rowLogLoss } from "../../src/metrics/probability.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { learnerOptions, learningOptions, modelConfig, taskOptions } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { replay } from "../../streams/replay/replay.ts";
import {
  poisoned,
  POISONS,
  PUBLIC_STREAMS,
  type PublicStream,
  recordsOf,
  reshuffled,
} from "./public_streams.ts";

const [what = "clean", sets = Object.keys(PUBLIC_STREAMS).join(), models = "base,dien", seedsGiven = "0"] =
  Deno.args;
const [first = 0, last = first] = seedsGiven.split("-").map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, n) => first + n);
const SOUND = 20_000, SPOILT = 6000, AFTER = 2000, BATCH = 64;

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** A judged row: its name, prediction and outcome. */
interface Judged {
  readonly row: string;
  readonly prediction: number;
  readonly label: number;
}

interface RunOptions {
  readonly model: ModelName;
  readonly seed: number;
  readonly guard?: GuardOptions | null;
  /** Whether to return the rows, too. */
  readonly keeps?: boolean;
}

async function run(stream: PublicStream, { model, seed, guard = {}, keeps = false }: RunOptions) {
  const options = taskOptions(stream.profile, {}, model);
  const task = { ...options, retrieval: { ...options.retrieval, learn: false }, seed };
  const log = new MemoryLog();
  const { learning } = await replay(log, recordsOf(stream), {
    model,
    modelConfig: modelConfig(model, {}),
    task,
    learner: learnerOptions(task, {}, seed),
    learning: { ...learningOptions({}), guard },
    retain: keeps,
    manifest: "{}",
  });
  const rows: Judged[] = [];
  if (keeps) {
    for await (const { value } of readAll(log, "meander.samples", 0)) {
      const { request, rows: judged } = decodeSample(value!);
      for (const { item, prediction, label } of judged) {
        rows.push({ row: `${request} ${item}`, prediction, label });
      }
    }
  }
  return { learning, rows };
}

const said = (changes: Guard["changes"]) =>
  changes.map(({ to, reason, rows }) => `${to} (${reason}) at ${rows}`).join(", ");

async function clean(set: string, stream: PublicStream, model: ModelName): Promise<void> {
  let rows = 0, held = 0, alarms = 0;
  const aucs: number[] = [];
  for (const seed of seeds) {
    const { learning } = await run(reshuffled(stream, seed), { model, seed });
    const { changes } = learning.guard;
    rows += learning.validation.judged;
    held += learning.heldBatches;
    alarms += changes.filter(({ to }) => to === "suspect").length;
    aucs.push(learning.validation.rows.report().auc ?? NaN);
    if (changes.length > 0) print(`  ${set} ${model} seed ${seed}: ${said(changes)}`);
  }
  const auc = aucs.reduce((sum, x) => sum + x, 0) / aucs.length;
  print(`${set} ${model}: ${alarms} alarms, ${held} held batches, ${rows} rows, AUC ${auc.toFixed(3)}`);
}

/** The index of the event that follows so many shown rows. */
function after(stream: PublicStream, rows: number): number {
  let shown = 0;
  const at = stream.events.findIndex((event) =>
    event.type === "impression" && (shown += event.items.length) > rows
  );
  return at < 0 ? stream.events.length : at;
}

async function spoilt(set: string, stream: PublicStream, model: ModelName): Promise<void> {
  const [from, to, end] = [SOUND, SOUND + SPOILT, SOUND + SPOILT + AFTER].map((rows) => after(stream, rows));
  const whole = { ...stream, events: stream.events.slice(0, end) };
  const sound = await run(whole, { model, seed: 0, keeps: true });
  const truth = new Map(sound.rows.map(({ row, label }) => [row, label]));
  const shown = (start?: number, end?: number) =>
    new Set(
      stream.events.slice(start, end).flatMap((event) =>
        event.type === "impression" ? event.items.map((item) => `${event.request} ${item}`) : []
      ),
    );
  const stretches = [shown(from, to), shown(to, end)];
  const losses = (rows: readonly Judged[]) =>
    stretches.map((stretch) => {
      const own = rows.filter(({ row }) => stretch.has(row) && truth.has(row));
      return own.reduce((sum, { row, prediction }) => sum + rowLogLoss(truth.get(row)!, prediction), 0) /
        own.length;
    });
  const best = losses(sound.rows);
  for (const poison of POISONS) {
    const events = poisoned(whole, poison, from!, to);
    const guarded = await run(events, { model, seed: 0, keeps: true });
    const bare = await run(events, { model, seed: 0, keeps: true, guard: null });
    const harm = (rows: readonly Judged[]) =>
      losses(rows).map((loss, s) => (loss - best[s]!).toFixed(3)).join(", then ");
    const { changes } = guarded.learning.guard;
    const alarm = changes.find(({ rows }) => rows > SOUND);
    const when = alarm === undefined
      ? "no alarm"
      : `held after ${((alarm.rows - SOUND) / BATCH).toFixed(1)} batches`;
    print(
      `${set} ${model}, ${poison}: ${when}; harm ${harm(guarded.rows)}; without a guard ${harm(bare.rows)}; ${
        said(changes)
      }`,
    );
  }
}

for (const set of sets.split(",")) {
  const stream = await PUBLIC_STREAMS[set]!();
  for (const model of models.split(",") as ModelName[]) {
    await (what === "clean" ? clean : spoilt)(set, stream, model);
  }
}
