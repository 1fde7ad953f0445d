/**
 * What an event costs a task: applying interactions to users with short and with long histories, the model's own
 * step, and whole rounds on a log in memory. An iteration is {@linkcode BATCH} events.
 *
 * ```sh
 * deno bench -A tests/bench/state_bench.ts
 * ```
 *
 * @module
 */

import { encodeEvent } from "../../src/events/codec.ts";
import type { InteractionEvent } from "../../src/events/event.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { serve } from "./serving.ts";

const USERS = 20;
const BATCH = 1000;
const START = Date.UTC(2026, 0, 1);
const options = { schema: DEFAULT_SCHEMA };
/** Without what retrieval learns of each behaviour. */
const named = { ...options, retrieval: { learn: false } };

/** The n-th click of a stream in which the users take turns. */
function click(n: number): InteractionEvent {
  return {
    type: "interaction",
    user: `user-${n % USERS}`,
    time: START + 1000 * n,
    item: `item-${(n * 7919) % 500}`,
    action: "click",
  };
}

function applyAll(state: TaskState, from: number, to: number): void {
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  for (let n = from; n < to; n++) state.apply(click(n), n, out);
}

for (const name of MODEL_NAMES) {
  const serving = serve(name, 500, START);
  Deno.bench({
    name: `${name}: ${BATCH} clicks, 50 behaviours before, no retrieval`,
    group: `${name}: apply`,
    n: 20,
    warmup: 2,
    fn: (b) => {
      const state = new TaskState(named, serving);
      applyAll(state, 0, 50 * USERS);
      b.start();
      applyAll(state, 50 * USERS, 50 * USERS + BATCH);
      b.end();
    },
  });
  for (const history of [50, 100, 1000]) {
    Deno.bench({
      name: `${name}: ${BATCH} clicks, ${history} behaviours before`,
      group: `${name}: apply`,
      baseline: history === 50,
      n: 20,
      warmup: 2,
      fn: (b) => {
        const state = new TaskState(options, serving);
        applyAll(state, 0, history * USERS);
        b.start();
        applyAll(state, history * USERS, history * USERS + BATCH);
        b.end();
      },
    });
  }

  if (serving.stateSize > 0) {
    const state = serving.initState();
    Deno.bench({
      name: `${name}: one step`,
      group: `${name}: step`,
      fn: () => serving.step(state, "item-7", [], 1),
    });
  }

  Deno.bench({
    name: `${name}: ${BATCH} clicks read, decoded, applied and committed`,
    group: "rounds on a log in memory",
    baseline: name === "base",
    n: 30,
    warmup: 3,
    fn: async (b) => {
      await using log = new MemoryLog();
      const topics = topicNames();
      await log.createTopics(topicSpecs(topics, 1));
      const records = Array.from({ length: 2 * BATCH }, (_, n) => {
        const event = click(n);
        return { topic: topics.events, key: event.user, value: encodeEvent(event), time: event.time };
      });
      await log.append(records);
      await using task = await Task.open(log, topics, 0, options, serving);
      await task.round({ rows: 64, events: BATCH });
      b.start();
      await task.round({ rows: 64, events: BATCH });
      b.end();
    },
  });
}
