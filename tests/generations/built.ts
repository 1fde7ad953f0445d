/**
 * A deployment that has served a small shop, and generations that are built alongside it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { answersOn, OPTIONS, recordsOf, shopEvents, untilCommitted } from "../service/deployment.ts";

/** Topics of the first generation. */
export const topics = topicNames();
/** Topics of the second one. */
export const built = generationTopics(topics, 2);

/** Has a service answer the requests of a small shop. */
export async function serve(log: Log, { views = 120, partitions = 1 } = {}): Promise<void> {
  await log.createTopics(topicSpecs(topics, partitions));
  await log.append(recordsOf(shopEvents(views, 12)));
  const [value, time] = [new TextEncoder().encode('{"type": "interaction"}'), Date.UTC(2026, 0, 1)];
  await log.append([{ topic: topics.events, key: "u1", value, time }]);
  await using _service = await Service.start(log, { ...OPTIONS, partitions });
  await untilCommitted(log);
}

/** Options of a generation with another model and another feature. */
export async function rebuildOptions(log: Log, over: Partial<RebuildOptions> = {}): Promise<RebuildOptions> {
  const partitions = (await log.topics(topics.events)).get(topics.events)?.partitions ?? 0;
  const schema = { ...OPTIONS.task.schema, itemFields: ["band", "brand"], transitions: {} };
  const until: number[] = [];
  for (let p = 0; p < partitions; p++) until.push((await log.bounds(topics.events, p)).end);
  return {
    spec: {
      model: "dien",
      modelConfig: { hidden: 4, widths: [4], auxiliaryWidths: [4] } as never,
      schema,
      learner: { ...OPTIONS.learner, schema },
      learning: OPTIONS.learning ?? {},
      topics: built,
    },
    task: { ...OPTIONS.task, schema },
    until,
    roundEvents: 40,
    ...over,
  };
}

/** Options of a generation that has one more feature than the first one and starts from its weights. */
export async function carryingOptions(log: Log): Promise<RebuildOptions> {
  const { model, modelConfig, task, learner, learning = {} } = OPTIONS;
  const schema = { ...task.schema, itemFields: [...task.schema.itemFields, "brand"] };
  const first = { model, modelConfig, schema: task.schema, learner, learning, topics };
  return {
    ...await rebuildOptions(log),
    spec: { ...first, schema, learner: { ...learner, schema }, topics: built },
    task: { ...task, schema },
    carries: first,
  };
}

/** Builds to the end. */
export async function build(log: Log, options: RebuildOptions): Promise<void> {
  await using rebuild = await Rebuild.open(log, options);
  while (await rebuild.step());
}

/** Whether every record of a topic counts, in order, rather than only the newest of each key. */
function isKept(name: string): boolean {
  return name === "samples" || name === "signals" || name === "parameters";
}

/** SHA-256 of what a generation holds: its states, samples in their order, and its learner. */
export async function digestOf(log: Log, of = built): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const name of ["state", "statistics", "samples", "signals", "parameters", "checkpoints"] as const) {
    const hash = createHash("sha256");
    const { partitions } = (await log.topics(of[name])).get(of[name])!;
    for (let partition = 0; partition < partitions; partition++) {
      const newest = new Map<string, Uint8Array | null>();
      let n = 0;
      for await (const { key, value } of readAll(log, of[name], partition)) {
        newest.set(isKept(name) ? `${n++}` : key ?? "", value);
      }
      for (const [key, value] of [...newest].sort(([a], [b]) => (a < b ? -1 : 1))) {
        hash.update(key).update(value ?? "gone");
      }
    }
    digests[name] = hash.digest("hex");
  }
  return digests;
}

/** The events of a deployment with one partition, each request replaced by the impression of its answer. */
export async function eventsAsShown(log: Log): Promise<Event[]> {
  const answers = new Map((await answersOn(log)).map((answer) => [answer.request, answer]));
  const decoder = new TextDecoder();
  const events: Event[] = [];
  for await (const { value } of readAll(log, topics.events, 0)) {
    const event: Event = JSON.parse(decoder.decode(value ?? new Uint8Array(0)));
    if (event.user === undefined) continue; // the rejected one
    events.push(event.type === "request" ? shownAs(event, answers.get(event.request)!) : event);
  }
  return events;
}

function shownAs(
  { user, time, request, context, surface }: Event & { readonly type: "request" },
  { items }: Recommendation,
): Event {
  const event = {
    type: "impression",
    user,
    time,
    request,
    context,
    surface,
    items: items.map(({ item }) => item),
    positions: items.map(({ position }) => position),
    propensities: items.map(({ propensity }) => propensity),
  } as const;
  return JSON.parse(new TextDecoder().decode(encodeEvent(JSON.parse(JSON.stringify(event)))));
}
