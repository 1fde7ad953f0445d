/**
 * Processor time of encoding and decoding the record of a user with many open lists, as a task does at each commit and
 * when it restores the user. The items are those of the shop.
 *
 * ```sh
 * deno run -A tests/bench/open_lists.ts                  # 100 lists of 5 items, 100 behaviours
 * deno run -A tests/bench/open_lists.ts --lists 2
 * ```
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { Event } from "../../src/events/event.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { modelConfig, taskOptions } from "../../streams/config/config.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openSource } from "../../streams/sources/open.ts";

const { values } = parseArgs({ options: { lists: { type: "string", default: "100" } } });
const LIST = 5;
const BEHAVIOURS = 100;
/** Lists between two behaviours. */
const LISTS_PER_CLICK = 3;
const ROUNDS = 12;
const REPEATS = 200;
const START = Date.UTC(2025, 0, 1);

const options = { ...taskOptions(PROFILES.meander, {}, "base"), seed: 0 };
const model = createModel("base", modelSizes(options.schema, 16), modelConfig("base", {}), mulberry32(0));
const task = new TaskState(options, new ServingModel(model, options.schema, 16));
const items: string[] = [];
for await (const record of openSource("meander", "fixtures/shop")) {
  if (record.kind !== "item") continue;
  task.applyItem(record.item);
  items.push(record.item.item);
}
const random = mulberry32(1);
const someItem = () => items[Math.floor(items.length * random())]!;
const events: Event[] = Array.from({ length: BEHAVIOURS }, click);
for (let n = 0; n < Number(values.lists); n++) {
  const shown = [...new Set(Array.from({ length: LIST }, someItem))];
  const time = START + BEHAVIOURS + n;
  events.push({ type: "impression", user: "busy", request: `request-${n}`, items: shown, time });
  if (n % LISTS_PER_CLICK === 0) events.push(click(0, BEHAVIOURS + n));
}
for (const [offset, event] of events.entries()) {
  task.apply(event, offset, { recommendations: [], samples: [], forgotten: [] });
}
const user = task.users.get("busy")!;
const record = task.memory.record(user);
const encoding = leastMicros(() => task.memory.record(user));
const decoding = leastMicros(() => task.memory.view("busy", record, () => {}));
const line = `${user.pending.size} open lists, ${record.length} bytes: ` +
  `${encoding.toFixed(0)} µs to encode, ${decoding.toFixed(0)} µs to decode\n`;
Deno.stdout.writeSync(new TextEncoder().encode(line));

function click(_: unknown, ms: number): Event {
  return { type: "interaction", user: "busy", action: "click", item: someItem(), time: START + ms };
}

/** Processor time per call, in the best of some rounds. */
function leastMicros(call: () => void): number {
  const micros = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let n = 0; n < REPEATS; n++) call();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / REPEATS;
  });
  return Math.min(...micros);
}
