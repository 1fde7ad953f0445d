import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { EventClock } from "../../src/state/event_clock.ts";
import { Story } from "./story.ts";

const DAY = 86_400_000;

Deno.test("EventClock.update() follows the newest time, and does not go back", () => {
  const clock = new EventClock();
  clock.update("a", 1000);
  clock.update("b", 900);
  clock.update("a", 1000 + DAY);
  assert.equal(clock.time, 1000 + DAY);
});

Deno.test("EventClock.update() holds a jump back until a second user confirms it", () => {
  const clock = new EventClock();
  clock.update("a", 1000);
  clock.update("c", 70 * 365 * DAY);
  clock.update("a", 2000);
  clock.update("c", 70 * 365 * DAY + 1);
  clock.update("b", 3000);
  assert.equal(clock.time, 3000, "one wrong clock moves nothing");
  clock.update("c", 70 * 365 * DAY);
  clock.update("b", 3 * DAY);
  assert.equal(clock.time, 3 * DAY, "the smallest of the times that were held back");
});

Deno.test("EventClock.update() takes a jump of one user alone after a hundred events", () => {
  const clock = new EventClock();
  clock.update("a", 1000);
  for (let i = 0; i < 99; i++) clock.update("a", 5 * DAY + i);
  assert.equal(clock.time, 1000);
  clock.update("a", 6 * DAY);
  assert.equal(clock.time, 5 * DAY);
});

Deno.test("EventClock.decode() goes on in the middle of a jump", () => {
  const clock = new EventClock();
  clock.update("a", 1000);
  clock.update("a", 5 * DAY);
  const to = new ByteWriter();
  clock.encode(to);
  const copy = new EventClock();
  copy.decode(new ByteReader(to.toBytes()));
  copy.update("b", 5 * DAY + 7);
  assert.equal(copy.time, 5 * DAY);
});

Deno.test("TaskState.apply() goes on when one user's clock is years ahead", () => {
  const story = new Story();
  story.show(1000, ["a"], { request: "r" });
  story.click(70 * 365 * DAY, "b");
  assert.equal(story.samples.length, 0);
  assert.equal(story.click(1050, "a", { request: "r" }), null);
  const { items } = story.ask(1060, "q", { candidates: ["a", "b"] });
  assert.equal(items.length, 2);
  assert.deepEqual(story.labels(), { q: "b0 a0", r: "a1" });
  const q = story.samples.find(({ request }) => request === "q");
  assert.deepEqual(q?.history.items, ["a"], "what is to come is no history");
});
