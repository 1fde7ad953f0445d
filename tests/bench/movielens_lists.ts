/**
 * A new deployment on ml-100k: what it orders are the next ten films that somebody really rated, so that what comes of
 * each is known in whatever order. Share of positives (4 stars or more) in the first three places, by stage, with the
 * proof that a model needs to order lists alone, without, and of the prior. `../shared/data/ml-100k` must be there.
 *
 * ```sh
 * deno run -A tests/bench/movielens_lists.ts              # eight seeds, base and dien, 2,000 lists
 * deno run -A tests/bench/movielens_lists.ts 1-4 base     # seeds, models
 * ```
 *
 * With each seed everybody's life begins when another one's began, and the weights are others.
 *
 * @module
 */

import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { learnerOptions, learningOptions, modelConfig, taskOptions } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { replay } from "../../streams/replay/replay.ts";
import { PUBLIC_STREAMS, type PublicStream, recordsOf, reshuffled } from "./public_streams.ts";
import { summary } from "./summary.ts";

const [seedsGiven = "1-8", models = "base,dien", listsGiven = "2000"] = Deno.args;
const [first = 1, last = first] = seedsGiven.split("-").map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, n) => first + n);
const LISTS = Number(listsGiven);
/** Films of a list, and the places that count. */
const LIST = 10, TOP = 3;
/** Ends of the stages, in lists. */
const STAGES = [50, 112, 500, 2000, 10_000];
const SETUPS: Readonly<Record<string, NonNullable<LearningOptions["proof"]> | null>> = {
  prior: { alpha: 1e-300, mixRows: 1e15 },
  without: null,
  with: {},
};

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** Somebody asks for an order of what he is going to rate next, and rates it. */
function lists(stream: PublicStream): { events: Event[]; positives: Set<string> } {
  const events: Event[] = [];
  const positives = new Set<string>();
  const open = new Map<string, { readonly request: string; readonly items: string[] }>();
  let made = 0;
  for (const event of stream.events) {
    if (event.type === "impression") continue;
    if (event.type !== "interaction" || event.value === undefined) {
      events.push(event);
      continue;
    }
    const { user, time, item, value } = event;
    let list = open.get(user);
    if (list === undefined || list.items.length === LIST) {
      if (made === LISTS) break;
      list = { request: `r${made++}`, items: [] };
      open.set(user, list);
      events.push({
        type: "request",
        user,
        time,
        request: list.request,
        count: LIST,
        candidates: list.items,
      });
    }
    list.items.push(item);
    if (value >= 4) positives.add(`${list.request} ${item}`);
    events.push({ ...event, request: list.request });
  }
  // By id: the order of the ratings may say something.
  for (const event of events) if (event.type === "request") (event.candidates as string[]).sort();
  return { events, positives };
}

async function run(stream: PublicStream, model: ModelName, setup: string, seed: number) {
  const { events, positives } = lists(reshuffled(stream, seed));
  const options = taskOptions({ ...stream.profile, impressions: "served" }, {}, model);
  const task = { ...options, retrieval: { ...options.retrieval, learn: false }, seed };
  const log = new MemoryLog();
  const { learning } = await replay(log, recordsOf({ ...stream, events }), {
    ...{ model, modelConfig: modelConfig(model, {}), task, learner: learnerOptions(task, {}, seed) },
    ...{ learning: { ...learningOptions({}), proof: SETUPS[setup]! }, manifest: "{}" },
  });
  const shares: number[] = [];
  for await (const { value } of readAll(log, "meander.recommendations", 0)) {
    const { request, items } = JSON.parse(new TextDecoder().decode(value!)) as Recommendation;
    if (items.length < LIST) continue;
    shares.push(
      100 * items.slice(0, TOP).filter(({ item }) => positives.has(`${request} ${item}`)).length / TOP,
    );
  }
  return { shares, changes: learning.proof?.changes ?? [] };
}

const stream = await PUBLIC_STREAMS["ml-100k"]!();
const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
for (const model of models.split(",") as ModelName[]) {
  let without: number[][] = [];
  for (const setup of ["without", "with", "prior"]) {
    const runs: Awaited<ReturnType<typeof run>>[] = [];
    for (const seed of seeds) runs.push(await run(stream, model, setup, seed));
    const stages = STAGES.filter((_, s) => s === 0 || STAGES[s - 1]! < LISTS);
    const values = stages.map((end, s) =>
      runs.map(({ shares }) => mean(shares.slice(s === 0 ? 0 : STAGES[s - 1]!, end)))
    );
    if (setup === "without") without = values;
    const cells = values.map((of, s) =>
      setup === "without"
        ? summary(of, 2)
        : `${summary(of, 2)} (${summary(of.map((x, r) => x - without[s]![r]!), 2)})`
    );
    print(`${model} ${setup}: ${cells.join(" | ")}`);
    for (const { changes } of setup === "with" ? runs : []) {
      print(`  ${changes.map(({ to, rows }) => `${to} from row ${rows}`).join(", ")}`);
    }
  }
}
