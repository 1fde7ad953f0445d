import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { joinedList } from "../../src/samples/joined_list.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { compileSource, take } from "../../streams/mapping/record_source.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { blocks, readPage } from "./pages.ts";

const topics = topicNames();
const HOUR = 3_600_000;

Deno.test("docs/how-to/map-your-topics.md: a play and a skip label their list, and a login hands both to the user", async () => {
  const page = await readPage("docs/how-to/map-your-topics.md");
  const [records = ""] = blocks(page, "text"), [config = ""] = blocks(page, "json");
  const { sources = {} } = parseConfig(config, "meander.json");
  const events = records.trim().split("\n").map((line): Event => {
    const [, name = "", record = ""] = /^(\w+) +(.*)$/.exec(line) ?? [];
    const taken = take(compileSource(name, sources[name] ?? {}), new TextEncoder().encode(record), {});
    assert.ok(taken.ok, JSON.stringify(taken));
    const [own] = taken.records;
    assert.ok(own?.kind === "event");
    return own.event;
  });
  const last = events.at(-1)?.time ?? 0;
  const later = [0, 1].flatMap((day) =>
    Array.from({ length: 8 }, (_, n): Event => {
      return {
        type: "interaction",
        user: `u${n}`,
        item: "2",
        action: "view",
        time: last + (1 + 24 * day) * HOUR,
      };
    })
  );
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append([...events, ...later].map((event) => ({
    topic: topics.events,
    key: event.user,
    value: encodeEvent(event),
    time: event.time,
  })));
  const options = { schema: SCHEMA, impressions: "logged" as const };
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  await using task = await Task.open({ log, topics, partition: 0, options, serving });
  do await task.commit(); while (await task.step({ now: () => 0 }) > 0);
  const behaviours = (user: string) => {
    const { sequences, users, catalogue } = task.state;
    const own = users.get(user);
    return own === undefined ? [] : sequences.behaviours(own.row)
      .map(({ item, strength }) => [catalogue.at(item).id, Math.sign(strength)]);
  };
  assert.deepEqual(behaviours("ann"), [["4", 1], ["9", -1], ["2", 1]]);
  assert.deepEqual(behaviours("d7"), []);
  const samples = await Array.fromAsync(readAll(log, topics.samples, 0));
  const lists = samples.flatMap(({ value }) => value === null ? [] : joinedList(decodeSample(value)) ?? []);
  assert.deepEqual(
    lists.map(({ request, items }) => [request, items.map(({ item, label }) => [item, label])]),
    [["l1", [["9", 0], ["4", 1]]]],
  );
});
