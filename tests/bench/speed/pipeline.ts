/**
 * Whole rounds on a log in memory: events read, decoded, applied and committed; with requests answered and learnt from,
 * too. As in a service, a commit is due after so many events, not rows to learn; its cost, the records of all users
 * since the last one, is shared by its events.
 *
 * @module
 */

import { modelSizes } from "../../../src/features/rows/assembler.ts";
import { encodeEvent } from "../../../src/events/codec.ts";
import type { Event } from "../../../src/events/event.ts";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { Learner } from "../../../src/learner/learner.ts";
import { createKernels, resolveKernels } from "../../../src/nn/kernels/choose.ts";
import { createModel, type ModelName } from "../../../src/nn/models/registry.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { Learning } from "../../../streams/learning/learning.ts";
import type { NewRecord } from "../../../streams/log/log.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { ParameterSubscriber } from "../../../streams/topics/parameters.ts";
import { SampleHandover } from "../../../streams/topics/sample_handover.ts";
import { Task } from "../../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../../streams/topics/topics.ts";
import type { Work } from "./works.ts";

const EVENTS = 40_000;
const USERS = 500;
const ITEMS = 2000;
const START = Date.UTC(2026, 0, 1);
const WIDTH = 16;
const topics = topicNames();
const schema = DEFAULT_SCHEMA;

/** Clicks of users in turn; optionally, each tenth event is a request with 100 candidates instead. */
function records(requests: boolean): NewRecord[] {
  const random = mulberry32(1);
  const item = () => `item-${Math.floor(ITEMS * random() ** 2)}`;
  const shown = new Map<string, { readonly request: string; readonly item: string }>();
  return Array.from({ length: EVENTS }, (_, n): NewRecord => {
    const user = `user-${Math.floor(USERS * random())}`;
    const time = START + 1000 * n;
    const asked = shown.get(user);
    let event: Event;
    if (requests && n % 10 === 9) {
      const candidates = [...new Set(Array.from({ length: 140 }, item))].slice(0, 100);
      shown.set(user, { request: `r${n}`, item: candidates[0] ?? "item-0" });
      event = { type: "request", user, time, request: `r${n}`, count: 10, candidates };
    } else if (asked !== undefined && random() < 0.3) {
      shown.delete(user);
      event = { type: "interaction", user, time, action: "click", ...asked };
    } else event = { type: "interaction", user, time, action: "click", item: item() };
    return { topic: topics.events, key: user, value: encodeEvent(event), time };
  });
}

/** How a stream is processed. */
interface Conditions {
  /** Most events between commits. */
  readonly events: number;
  /** Whether retrieval learns. */
  readonly retrieval: boolean;
  /** Whether the learner learns. */
  readonly learns: boolean;
}

function makeModel(name: ModelName) {
  const sizes = modelSizes(schema, WIDTH);
  return createModel(
    name,
    sizes,
    {},
    mulberry32(1),
    createKernels(resolveKernels("auto")),
  );
}

async function run(
  name: ModelName,
  stream: readonly NewRecord[],
  { events, retrieval, learns }: Conditions,
): Promise<void> {
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(stream);
  const serving = new ServingModel(makeModel(name), schema, WIDTH);
  const learner = new Learner(makeModel(name), { schema, embeddingWidth: WIDTH });
  const handover = new SampleHandover();
  await using learning = await Learning.open(log, topics, learner, {
    trimSamples: true,
    keepRows: 10_000,
    handover,
  });
  const versions = new ParameterSubscriber(log, topics.parameters, serving);
  await versions.update();
  const options = { schema, retrieval: { learn: retrieval } };
  await using task = await Task.open({ log, topics, partition: 0, options, serving, handover });
  for (;;) {
    const { complete } = await task.round({ rows: Infinity, events });
    if (!complete) break;
    if (!learns) continue;
    await learning.drain();
    await versions.update();
  }
  await task.commit();
}

/** State alone, under several conditions; DIEN that answers and learns. */
export function pipeline(): Work[] {
  const work = (words: string, name: ModelName, conditions: Conditions): Work => ({
    work: words,
    by: name,
    pieces: EVENTS,
    prepare() {
      const stream = records(conditions.learns);
      return () => run(name, stream, conditions);
    },
  });
  const state = [[10_000, false], [1000, false], [1000, true]] as const;
  return [
    ...state.flatMap(([events, retrieval]) =>
      (["base", "dien"] as const).map((name) =>
        work(
          `an event into state, a commit each ${events}, retrieval ${retrieval ? "on" : "off"}`,
          name,
          { events, retrieval, learns: false },
        )
      )
    ),
    ...[false, true].map((retrieval) =>
      work(
        `an event, 10 % requests of 100 candidates, learner on, retrieval ${retrieval ? "on" : "off"}`,
        "dien",
        { events: 1000, retrieval, learns: true },
      )
    ),
  ];
}
