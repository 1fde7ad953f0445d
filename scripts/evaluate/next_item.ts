/**
 * The progressive next-item protocol: before each positive behaviour the task is asked for 20 items out of all that
 * anybody has touched so far, then it learns the behaviour. docs/reference/protocols.md has the exact rules.
 *
 * @module
 */

import { LEARNING_OPTIONS } from "../../streams/learning/learning.ts";
import { settle } from "../../src/options/option.ts";
import { learnerSettings } from "../../src/learner/learner_options.ts";
import process from "node:process";
import type { InteractionEvent } from "../../src/events/event.ts";
import { Learner } from "../../src/learner/learner.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { type Config, learnerOptions, modelConfig, taskOptions } from "../../streams/config/config.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openSource } from "../../streams/sources/open.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

/** Length of a list. */
const K = 20;
/** Behaviours of a commit. */
const COMMIT_EVENTS = 256;
/** Most items that a request may exclude. */
const MAX_EXCLUDED = 10_000;

/** The data sets that have such a protocol. */
export const NEXT_ITEM_DATA = ["ml-100k", "taobao"] as const;

/** What is evaluated. */
export interface NextItemOptions {
  readonly data: string;
  readonly format: (typeof NEXT_ITEM_DATA)[number];
  /** Overrides of the defaults of the format, as in a replay. @default {none} */
  readonly config?: Config | undefined;
  /** Overrides of both. */
  readonly task: Partial<TaskOptions>;
  /** The model that is learnt beside, or none: then nothing but retrieval ranks. */
  readonly model?: ModelName | undefined;
  /** Interactions after which to stop. */
  readonly limit?: number | undefined;
  /** Taobao's second table: the user's own items may not come again. */
  readonly withoutOwn?: boolean | undefined;
  readonly seed?: number | undefined;
  /** Called now and then, with the queries so far. */
  readonly onProgress?: (done: number, of: number, queries: readonly Query[]) => void;
}

/** One question and its answer. */
export interface Query {
  /** Number of the interaction, from 0. */
  readonly at: number;
  /** 1..20, or 0 = not in the list. */
  readonly rank: number;
  /** Nobody had touched the item before. */
  readonly impossible: boolean;
  /** The user had touched it before. */
  readonly own: boolean;
  /** The source that proposed it, if it was in the list. */
  readonly source: string;
}

/** What came out. */
export interface NextItemResult {
  readonly queries: readonly Query[];
  readonly interactions: number;
  /**
   * Processor time of the process in requests, and in behaviours with what is learnt from them, seconds: all of it,
   * split as the wall clock was. To ask for processor time around each would take longer than many a request.
   */
  readonly cpuSeconds: { readonly requests: number; readonly behaviours: number };
  /** The state at the end. */
  readonly task: TaskState;
}

/** Runs the protocol. */
export async function nextItem(options: NextItemOptions): Promise<NextItemResult> {
  const { format, config = {}, model = "base", limit = Infinity, seed = 0 } = options;
  const isMovies = format === "ml-100k";
  const { steps, items } = await read(options);
  const whole: TaskOptions = {
    maxJumpMs: REPLAY_MAX_JUMP_MS,
    ...taskOptions(PROFILES[format], config, model),
    ...options.task,
  };
  const learning = new Learning(model, whole, config, seed);
  const task = new TaskState(whole, learning.serving);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  const queries: Query[] = [];
  const touched = new Set<string>();
  const own = new Map<string, string[]>();
  const count = Math.min(limit, steps.filter(({ interaction }) => interaction !== null).length);
  const wall = { requests: 0, behaviours: 0 };
  const begun = { wall: performance.now(), cpu: process.cpuUsage() };
  let offset = 0;
  let at = 0;
  for (const { records, interaction } of steps) {
    if (at >= limit) break;
    if (interaction !== null) {
      const mine = own.get(interaction.user) ?? [];
      const asks = isMovies
        ? (interaction.value ?? 0) >= 4
        : interaction.action === "view" && mine.length > 0;
      if (asks) {
        const exclude = isMovies || options.withoutOwn ? [...new Set(mine)].slice(-MAX_EXCLUDED) : [];
        const { user, time } = interaction;
        const started = performance.now();
        task.apply({ type: "request", user, time, request: `q${at}`, count: K, exclude }, offset++, out);
        wall.requests += performance.now() - started;
        const list = out.recommendations.pop()!.items;
        const place = list.findIndex(({ item }) => item === interaction.item);
        queries.push({
          at,
          rank: place + 1,
          impossible: !touched.has(interaction.item),
          own: mine.includes(interaction.item),
          source: list[place]?.source ?? "",
        });
      }
      mine.push(interaction.item);
      own.set(interaction.user, mine);
      // An item is in the catalogue from its first touch on: nobody can be shown it before.
      const record = items.get(interaction.item);
      if (record !== undefined && !touched.has(interaction.item)) {
        task.applyItem({ ...record, time: interaction.time });
      }
      touched.add(interaction.item);
      at++;
    }
    const started = performance.now();
    for (const record of records) {
      if (record.kind === "event") task.apply(record.event, offset++, out);
    }
    if (options.model !== undefined) learning.learn(out);
    out.samples.length = 0;
    out.recommendations.length = 0;
    task.dirtyUsers.clear();
    task.dirtyItems.clear();
    if (at % COMMIT_EVENTS === 0) {
      task.numbers.changes([]);
      task.retrieval.state.changes();
    }
    wall.behaviours += performance.now() - started;
    if (at % 2000 === 0) options.onProgress?.(at, count, queries);
  }
  const { user, system } = process.cpuUsage(begun.cpu);
  const busy = (user + system) / 1e6 / (performance.now() - begun.wall);
  const cpuSeconds = { requests: busy * wall.requests, behaviours: busy * wall.behaviours };
  return { queries, interactions: at, cpuSeconds, task };
}

/** Records that belong to one interaction, in the order of the protocol. */
interface Step {
  readonly records: readonly SourceRecord[];
  readonly interaction: InteractionEvent | null;
}

async function read({ data, format }: NextItemOptions) {
  const items = new Map<string, Extract<SourceRecord, { kind: "item" }>["item"]>();
  const steps: (Step & { readonly line: number; readonly time: number })[] = [];
  let records: SourceRecord[] = [];
  for await (const record of openSource(format, data)) {
    if (record.kind === "item") items.set(record.item.item, record.item);
    if (record.kind !== "event") continue;
    records.push(record);
    const { event, line } = record;
    if (event.type !== "interaction") continue;
    steps.push({ records, interaction: event, line, time: event.time });
    records = [];
  }
  // The source breaks ties of time by user and item, the protocol by user and place in the file.
  if (format === "ml-100k") {
    steps.sort((a, b) =>
      a.time - b.time || Number(a.interaction?.user) - Number(b.interaction?.user) || a.line - b.line
    );
  }
  return { steps, items };
}

/** A learner and what serves its versions. */
class Learning {
  readonly serving: ServingModel;
  readonly #learner: Learner;
  readonly #batchRows: number;
  #batch: TaskOutputs["samples"][number][] = [];
  #rows = 0;
  #version = 0;

  constructor(name: ModelName, task: TaskOptions, config: Config, seed: number) {
    const { schema } = task;
    const options = learnerOptions(task, config, seed);
    const k = learnerSettings(options).embeddingWidth;
    const sizes = modelSizes(schema, k);
    const make = () => createModel(name, sizes, modelConfig(name, config), mulberry32(seed));
    this.serving = new ServingModel(make(), schema, k);
    this.#learner = new Learner(make(), options);
    this.#batchRows = settle(LEARNING_OPTIONS, config).batchRows;
  }

  /** Takes the samples; a full batch is learnt and published. */
  learn({ samples }: TaskOutputs): void {
    for (const sample of samples) {
      this.#batch.push(sample);
      this.#rows += sample.rows.length;
      if (this.#rows < this.#batchRows) continue;
      this.#learner.learn(this.#batch);
      this.serving.apply(this.#learner.version("delta", ++this.#version));
      this.#batch = [];
      this.#rows = 0;
    }
  }
}
