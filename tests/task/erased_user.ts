/**
 * A process that answers a user, forgets them, answers another, and writes heap snapshots before and after:
 * `erased_user.ts <folder> <words>`. Words are given backwards so that the arguments do not contain them.
 *
 * @module
 */

import { writeHeapSnapshot } from "node:v8";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { FeatureSchema } from "../../src/features/schema.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log } from "../../streams/log/log.ts";
import { RemoteLog } from "../../streams/log/threads/remote_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { WIDTH } from "../learner/batches.ts";

const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const SCHEMA: FeatureSchema = {
  userFields: ["city"],
  itemFields: ["band"],
  contextFields: ["page"],
  crosses: ["band"],
  transitions: {},
  pairs: true,
};

const [folder = "", ...backwards] = Deno.args;
const forwards = (word: string) => [...word].reverse().join("");

function serving(): ServingModel {
  const sizes = modelSizes(SCHEMA, WIDTH);
  return new ServingModel(createModel("din", sizes, {}, mulberry32(0)), SCHEMA, WIDTH);
}

/** Events of a user, with requests that are answered. */
function life(
  [user = "", city = "", page = "", request = "", note = ""]: readonly string[],
  time: number,
): Event[] {
  const items = ["i1", "i2", "i3"];
  return [
    { type: "profile", user, time, attributes: { city, note } },
    ...items.map((item): Event => ({ type: "interaction", user, item, action: "click", time })),
    { type: "request", user, request, time, count: 2, candidates: items, context: { page } },
    { type: "interaction", user, item: "i1", action: "click", time, request },
    { type: "request", user, request: `${request} again`, time: time + 1, count: 2, context: { page } },
  ];
}

const topics = topicNames();
// The log runs in another thread, so that its records are not on this heap.
const thread = new Worker(new URL("./served_log.ts", import.meta.url), { type: "module" });
using _thread = { [Symbol.dispose]: () => thread.terminate() };
const { port1, port2 } = new MessageChannel();
thread.postMessage({ path: `${folder}/log.sqlite`, port: port2 }, [port2]);
await using log = new RemoteLog({ port: port1, hasLatest: true }) as unknown as Log & AsyncDisposable; // no groups
await log.createTopics(topicSpecs(topics, 1));
const append = (events: readonly Event[]) =>
  log.append(events.map((event) => ({
    topic: topics.events,
    partition: 0,
    key: event.user,
    time: event.time,
    value: encodeEvent(event),
  })));
await log.append(["i1", "i2", "i3"].map((item) => ({
  topic: topics.items,
  key: item,
  time: START,
  value: new TextEncoder().encode(
    JSON.stringify({ item, time: START, category: "c", attributes: { band: "b" } }),
  ),
})));
await using task = await Task.open({
  log,
  topics,
  partition: 0,
  options: { schema: SCHEMA },
  serving: serving(),
});
const run = async () => {
  while (await task.step({ now: () => 0 }) > 0);
  await task.commit();
};
const forget = (user: string, time: number): Event => ({ type: "forget", user, time });

await append(life(backwards.map(forwards), START));
await run();
// By then the outcomes of what was shown are final.
await append(life(["somebody", "Oslo", "home", "r1", "none"], START + 2 * HOUR));
await run();
writeHeapSnapshot(`${folder}/before.heapsnapshot`);
await append([forget(forwards(backwards[0] ?? ""), START + 2 * HOUR)]);
await run();
await append(life(["else", "Bergen", "home", "r2", "none"], START + 4 * HOUR));
await run();
writeHeapSnapshot(`${folder}/after.heapsnapshot`);
