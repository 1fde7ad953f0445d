import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { type Arrival, EventClock } from "../../src/users/event_clock.ts";
import { DAY, HOUR, MINUTE } from "../engine/durations.ts";
import { START } from "../engine/streams.ts";
import { Story } from "../engine/story.ts";

const LATENESS = 5 * MINUTE;
const sure = (time: number): Arrival => ({ time, isSure: true });
const stamped = (time: number): Arrival => ({ time, isSure: false });

function copyOf(clock: EventClock): EventClock {
  const to = new ByteWriter();
  clock.encode(to);
  const copy = new EventClock(LATENESS);
  copy.decode(new ByteReader(to.toBytes()));
  return copy;
}

Deno.test("EventClock.update() follows the newest time, and never goes back to an older event's", () => {
  const clock = new EventClock(LATENESS);
  clock.update("a", START);
  clock.update("b", START - 100);
  clock.update("a", START + LATENESS);
  assert.equal(clock.time, START + LATENESS);
  clock.update("b", START, sure(START + LATENESS + 1));
  assert.equal(clock.time, START + LATENESS);
});

Deno.test("EventClock.update() dates an event that is ahead of its sure arrival to that arrival", () => {
  const clock = new EventClock(LATENESS);
  assert.equal(clock.update("c", START + 59 * MINUTE, sure(START)), START);
  assert.equal(clock.update("a", START - 3, sure(START + 1)), START - 3);
  assert.equal(clock.time, START);
  assert.equal(clock.update("c", START + 59 * MINUTE, sure(START + 2)), START + 2);
  assert.equal(clock.time, START + 2);
});

Deno.test("EventClock.update() dates no event later than its record, unless the clock has already passed that", () => {
  const clock = new EventClock(LATENESS);
  assert.equal(clock.update("a", START + 10 * MINUTE, stamped(START)), START);
  assert.equal(clock.update("b", START + MINUTE, stamped(START + MINUTE)), START + MINUTE);
  // Another producer's clock is behind; its events are not ahead of ours.
  assert.equal(clock.update("c", START + MINUTE - 5, stamped(START - HOUR)), START + MINUTE - 5);
});

Deno.test("EventClock.update() needs no confirmation of a long pause when arrivals are sure", () => {
  const clock = new EventClock(LATENESS);
  for (const time of [START, START + 5 * DAY, START + 400 * DAY]) {
    clock.update("a", time, sure(time));
    assert.equal(clock.time, time);
  }
});

Deno.test("EventClock.update() goes back to what a sure arrival allows when it is too far ahead", () => {
  const clock = new EventClock(LATENESS);
  for (let n = 0; n < 8; n++) clock.update(`u${n}`, START + HOUR);
  clock.update("a", START, sure(START));
  assert.equal(clock.time, START + LATENESS);
  clock.update("a", START + HOUR, sure(START + HOUR));
  clock.update("a", START + 2000, sure(START + HOUR + 1));
  assert.equal(clock.time, START + HOUR, "old events that arrive now do not move it");
});

Deno.test("EventClock.update() withholds a jump until eight events of several users confirm it", () => {
  const clock = new EventClock(LATENESS);
  for (let n = 0; n < 8; n++) clock.update(`u${n}`, START);
  for (let n = 0; n < 3; n++) {
    clock.update("c", START + HOUR);
    for (let k = 0; k < 6; k++) clock.update("d", START + HOUR + k);
    clock.update("a", START + n);
    assert.equal(clock.time, START + n, "seven events, then one of the present");
  }
  for (let k = 0; k < 7; k++) clock.update(k < 4 ? "d" : "c", START + 3 * DAY - k);
  clock.update("old", START - 9 * DAY);
  assert.equal(clock.time, START + 2);
  clock.update("c", START + 4 * DAY);
  assert.equal(clock.time, START + 3 * DAY - 6, "the smallest of the withheld times");
});

Deno.test("EventClock.update() accepts a jump of a single user after a hundred events", () => {
  const clock = new EventClock(LATENESS);
  clock.update("a", START);
  for (let i = 0; i < 99; i++) clock.update("a", START + 5 * DAY + i);
  assert.equal(clock.time, START);
  clock.update("a", START + 6 * DAY);
  assert.equal(clock.time, START + 5 * DAY);
});

Deno.test("EventClock.update() starts over when nobody confirms the first event", () => {
  const clock = new EventClock(LATENESS);
  clock.update("c", START + 70 * 365 * DAY);
  clock.update("c", START + 70 * 365 * DAY);
  clock.update("a", START);
  assert.equal(clock.time, START);
  for (let n = 0; n < 8; n++) clock.update(`u${n}`, START + n);
  clock.update("a", START - DAY);
  assert.equal(clock.time, START + 7, "a confirmed time stays");
});

Deno.test("EventClock.decode() continues as if uninterrupted, at any event", () => {
  const event = fc.record({
    user: fc.constantFrom("a", "b", "c"),
    at: fc.integer({ min: 0, max: 30 }),
    ahead: fc.constantFrom(0, 0, 0, -DAY, -2, 1, 9, 60),
    sure: fc.boolean(),
  });
  const events = fc.array(event, { maxLength: 60 });
  fc.assert(fc.property(events, fc.nat(), (events, cut) => {
    const one = new EventClock(LATENESS);
    let other = new EventClock(LATENESS);
    events.forEach(({ user, at, ahead, sure }, n) => {
      if (n === cut % (events.length + 1)) other = copyOf(other);
      const arrival = { time: START + at * MINUTE, isSure: sure };
      const time = START + (at + ahead) * MINUTE;
      assert.equal(one.update(user, time, arrival), other.update(user, time, arrival));
      assert.equal(one.time, other.time);
    });
    assert.deepEqual(copyOf(one), one);
  }));
});

Deno.test("EventClock.update() never lets one user's clock move the watermark past the present", () => {
  const events = fc.array(
    fc.record({ user: fc.integer({ min: 0, max: 9 }), wait: fc.integer({ min: 0, max: 4 * MINUTE }) }),
    { maxLength: 99 },
  );
  const skew = fc.integer({ min: 0, max: 100 * DAY });
  fc.assert(fc.property(events, skew, fc.boolean(), (events, skew, isSure) => {
    const clock = new EventClock(LATENESS);
    for (let n = 0; n < 8; n++) clock.update(`u${n}`, START);
    let now = START;
    for (const { user, wait } of events) {
      now += wait;
      const time = now + (user === 0 ? skew : 0);
      clock.update(`u${user}`, time, { time: isSure ? now : time, isSure });
      assert.ok(clock.time - LATENESS <= now, `${clock.time - now} ahead`);
    }
  }));
});

Deno.test("TaskState.apply() joins and answers as usual when one user's clock is years ahead", () => {
  const story = new Story();
  story.show(1000, ["a"], { request: "r" });
  story.click(70 * 365 * DAY, "b");
  assert.equal(story.samples.length, 0);
  assert.equal(story.click(1050, "a", { request: "r" }), null);
  const { items } = story.ask(1060, "q", { candidates: ["a", "b"] });
  assert.equal(items.length, 2);
  assert.deepEqual(story.labels(), { q: "b0 a0", r: "a1" });
  const q = story.samples.find(({ request }) => request === "q");
  assert.deepEqual(q?.history.items, ["a"], "future behaviours are no history");
});
