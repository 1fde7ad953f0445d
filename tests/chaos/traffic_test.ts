import assert from "node:assert/strict";
import { decodeEvent } from "../../src/events/codec.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { catalogue, traffic } from "./traffic.ts";

const topics = topicNames();
const options = { seed: 3, events: 5000, users: 400, partitions: 4 };

Deno.test("traffic() repeats its stream for the same seed, and varies it with the seed", () => {
  assert.deepEqual([...traffic(topics, options)], [...traffic(topics, options)]);
  assert.notDeepEqual([...traffic(topics, { ...options, seed: 4 })], [...traffic(topics, options)]);
  assert.equal([...catalogue(topics, options)].length, 300);
});

Deno.test("traffic() repeats, reorders and corrupts events, and leaves the last partition empty", () => {
  const records = [...traffic(topics, options)];
  assert.ok(records.length >= 5000);
  assert.ok(records.every(({ key }) => partitionOf(key ?? "", 4) < 3));
  assert.equal(new Set(records.map(({ key }) => partitionOf(key ?? "", 4))).size, 3);
  const decoded = records.map(({ value }) => decodeEvent(value ?? new Uint8Array(0)));
  const events = decoded.flatMap((one) => one.ok ? [one.event] : []);
  assert.ok(events.length < decoded.length, "some are broken");
  const ids = events.flatMap(({ id }) => id ?? []);
  assert.ok(new Set(ids).size < ids.length, "some are there twice");
  const asked = new Set<string>();
  let early = 0;
  for (const event of events) {
    if (event.type === "request") asked.add(event.request);
    if (event.type === "interaction" && event.request !== undefined && !asked.has(event.request)) early++;
  }
  assert.ok(early > 10, `${early} interactions come before their request`);
  assert.ok(asked.size > 1000);
  for (const type of ["interaction", "request", "profile", "forget"]) {
    assert.ok(events.some((event) => event.type === type), type);
  }
});
