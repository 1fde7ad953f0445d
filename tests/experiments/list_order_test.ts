import assert from "node:assert/strict";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";

const topics = topicNames();
const START = Date.UTC(2026, 0, 1);
const [SECOND, MINUTE] = [1000, 60_000];
const OPTIONS = { schema: DEFAULT_SCHEMA, outcomeWindowMs: 15 * MINUTE, allowedLatenessMs: 5 * MINUTE };
const ITEM = "tent";

/**
 * Users get a list of one item every ten seconds, and some rate it. A robot gets lists so often that its oldest, whose
 * window has ended but which may have late outcomes, has to make room.
 */
function eventsOf(minutes: number) {
  const random = createRandom(3);
  const events: Event[] = [];
  const ask = (user: string, time: number, request: string) =>
    events.push({ type: "request", user, time, request, count: 1, candidates: [ITEM] });
  for (let at = 0; at < minutes * MINUTE; at += 10 * SECOND) {
    const [time, user, request] = [START + at, `u${at}`, `u${at}`];
    ask("robot", time, `robot-${at}`);
    ask(user, time + 1, request);
    if (random() > 0.3) continue;
    const rated = time + 2 + Math.floor(random() * MINUTE);
    events.push({ type: "interaction", user, time: rated, request, item: ITEM, action: "rating", value: 5 });
  }
  return events.sort((a, b) => a.time - b.time);
}

Deno.test("ExperimentMonitor counts no list before older ones are final, even when a robot crowds out its own", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const [item, time, partition] = [ITEM, START, 0];
  await log.append([{ topic: topics.items, partition, key: item, value: encodeItem({ item, time }), time }]);
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => START });
  await registry.start({ name: "e", variants: [{ name: "A" }, { name: "B", maxCandidates: 5 }] });
  await using task = await Task.open({
    log,
    topics,
    partition,
    options: OPTIONS,
    serving: new FakeServing(),
  });
  let monitor: ExperimentMonitor | undefined;
  /** Times of the first lists of all users. */
  const shown = new Map<string, number>();
  /** Users whose list is rated. */
  const rated = new Set<string>();
  let most = 0;
  for (const event of eventsOf(40)) {
    const record = {
      topic: topics.events,
      partition,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    };
    await log.append([record]);
    await task.round({ rows: 1e9, events: 1e9 });
    await task.commit();
    if (event.type === "request" && !shown.has(event.user)) shown.set(event.user, event.time);
    if (event.type === "interaction") rated.add(event.user);
    monitor ??= await ExperimentMonitor.open(log, topics, registry, { readOnly: true });
    await monitor.update();
    const { totals } = monitor.status()[0]!;
    const counted = totals.moments(0).users + totals.moments(1).users;
    const settled = event.time - OPTIONS.outcomeWindowMs - OPTIONS.allowedLatenessMs;
    const isFinal = ([user, time]: readonly [string, number]) =>
      user === "robot" || rated.has(user) || time < settled;
    const final = [...shown].findIndex((one) => !isFinal(one));
    assert.ok(
      counted <= (final < 0 ? shown.size : final),
      `${counted} users are counted, ${final} first lists are final`,
    );
    most = Math.max(most, counted);
  }
  assert.ok(most > 100, `${most} users are counted in the end`);
});
