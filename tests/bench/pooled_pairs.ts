/**
 * What pooled pairs cost: processor time of counting a behaviour, of pooling for lists, and of a whole request and a
 * learner's row without and with them, in turns.
 *
 * ```sh
 * deno run -A tests/bench/pooled_pairs.ts
 * ```
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Event } from "../../src/events/event.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { POOLED_NAMES } from "../../src/features/pooled/pair_statistics.ts";
import { PooledPairs } from "../../src/features/pooled/pooled_pairs.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { outputs } from "../engine/streams.ts";

const ITEMS = 5000, USERS = 400, CATEGORIES = 200, LIST = 100;
const random = mulberry32(1);
const pick = (n: number) => Math.floor(n * random() ** 2);
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** Processor time, microseconds. */
function spent(work: () => void): number {
  const before = cpuUsage();
  work();
  const { user, system } = cpuUsage(before);
  return user + system;
}

function alone(): void {
  const items = Array.from({ length: ITEMS }, (_, item) => ({
    ...{ id: `i${item}`, categories: [`c${item % CATEGORIES}`, `d${item % 7}`] },
  }));
  const pairs = new PooledPairs((item) => items[item]!);
  const out = new Float32Array(LIST * POOLED_NAMES.length);
  const lives = Array.from({ length: USERS }, () => ({ items: [] as number[], times: [] as number[] }));
  let [counting, one, many] = [0, 0, 0];
  const [block, warm, blocks] = [500, 20, 80];
  for (let b = 0; b < blocks; b++) {
    const acts = Array.from({ length: block }, (_, n) => {
      const life = lives[pick(USERS)]!, item = pick(ITEMS), time = (b * block + n) * 5000;
      const context = {
        size: Math.min(40, life.items.length),
        items: Uint32Array.from(life.items.slice(-40).reverse()),
        times: Float64Array.from(life.times.slice(-40).reverse()),
        strengths: new Float32Array(40).fill(1),
      };
      const detail = { strength: 1, category: items[item]!.categories[0]! };
      const step = context.size === 0
        ? null
        : [items[context.items[0]!]!.categories[0]!, detail.category] as const;
      life.items.push(item);
      life.times.push(time);
      return { item, time, liked: true, detail, context, step };
    });
    const took = [
      spent(() => acts.forEach((act) => pairs.learn(act))),
      spent(() => acts.forEach(({ item, time, context }) => pairs.poolFor(context, time)(item, out, 0))),
      spent(() => {
        for (const { item, time, context } of acts.slice(0, 25)) {
          const write = pairs.poolFor(context, time);
          for (let k = 0; k < LIST; k++) write((item + 37 * k) % ITEMS, out, k * POOLED_NAMES.length);
        }
      }),
    ] as const;
    if (b >= warm) [counting, one, many] = [counting + took[0], one + took[1], many + 20 * took[2]];
  }
  const acts = block * (blocks - warm);
  print(
    `counting a behaviour ${(counting / acts).toFixed(1)} µs, a list of one ${(one / acts).toFixed(1)} µs, ` +
      `of ${LIST} ${(many / acts).toFixed(0)} µs; ${(pairs.bytes / 2 ** 20).toFixed(1)} MiB`,
  );
}

function whole(): void {
  const kernels = createKernels();
  const sides = [false, true].map((pooled) => {
    const schema = { ...DEFAULT_SCHEMA, transitions: null, pooled };
    const make = () => createModel("base", modelSizes(schema, 16), {}, mulberry32(1), kernels);
    const learner = new Learner(make(), { schema });
    const serving = new ServingModel(make(), schema, 16);
    serving.apply(learner.version("full", 1, 0));
    return {
      task: new TaskState({ schema, impressions: "served" }, serving),
      learner,
      request: 0,
      learn: 0,
      rows: 0,
    };
  });
  const lists = 600;
  const events: Event[] = [];
  for (let n = 0; n < 30 * lists; n++) {
    const user = `u${pick(USERS)}`, time = 1e12 + n * 5000;
    if (n % 30 > 0) {
      events.push({ type: "interaction", user, time, item: `i${pick(ITEMS)}`, action: "click" });
    } else {
      const candidates = Array.from({ length: LIST }, (_, k) => `i${(n + 37 * k) % ITEMS}`);
      events.push({ type: "request", user, time, request: `r${n}`, count: LIST, candidates });
    }
  }
  for (const [offset, event] of events.entries()) {
    for (const side of sides) {
      const out = outputs();
      const took = spent(() => side.task.apply(event, offset, out));
      if (event.type === "request" && offset > 3000) side.request += took;
      const samples = out.samples.filter(({ rows }) => rows.length > 0);
      const learnt = spent(() => side.learner.learn(samples));
      if (offset <= 3000 || samples.length === 0) continue;
      side.learn += learnt;
      side.rows += samples.reduce((sum, { rows }) => sum + rows.length, 0);
    }
  }
  const requests = lists * 0.9;
  for (const [n, { request, learn, rows }] of sides.entries()) {
    print(
      `${n === 0 ? "without" : "with"}: a request of ${LIST} ${(request / requests).toFixed(0)} µs, ` +
        `a row in the learner ${(learn / rows).toFixed(2)} µs`,
    );
  }
}

alone();
whole();
