import assert from "node:assert/strict";
import { decodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { type Arrival, arrivals, type Fault, FAULTS, pageEvents } from "../../scripts/simulator/event_log.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { pageViews, Shop } from "../../scripts/simulator/shop.ts";
import { createWorld } from "../../scripts/simulator/world.ts";

const MINUTE = 60_000;

const world = createWorld({ seed: 8, users: 250, items: 200, days: 28 });
const views = [...pageViews(world, new Shop(world, createRandom(1)), createRandom(2))];
const lines = arrivals(views, world, createRandom(3));
const events = views.flatMap((view, number) => pageEvents(view, number, world));

function decode(line: string): Event | null {
  const decoded = decodeEvent(new TextEncoder().encode(line));
  return decoded.ok ? decoded.event : null;
}

function having(fault: Fault): readonly Arrival[] {
  return lines.filter((line) => line.fault === fault);
}

function nearShare(count: number, of: number, share: number): void {
  const sigma = Math.sqrt(of * share * (1 - share));
  assert.ok(Math.abs(count - of * share) < 4 * sigma, `${count} of ${of}, expected ${of * share}`);
}

Deno.test("arrivals() gives the same lines for the same seed", () => {
  assert.deepEqual(arrivals(views, world, createRandom(3)), lines);
});

Deno.test("arrivals() loses no event: without faults' lines, all are there once", () => {
  const sound = lines.filter(({ fault }) => fault !== "duplicate" && fault !== "malformed");
  const sorted = (texts: readonly string[]) => texts.toSorted();
  assert.deepEqual(
    sorted(sound.map(({ line }) => line)),
    sorted(events.map((event) => JSON.stringify(event))),
  );
});

Deno.test("arrivals() orders by arrival; what is not late arrives at its time", () => {
  let last = 0;
  for (const { time, line, fault } of lines) {
    assert.ok(time >= last);
    last = time;
    if (fault === "none") assert.equal(decode(line)?.time, time);
  }
});

Deno.test("arrivals() makes malformed lines that the decoder refuses, and no others", () => {
  for (const { line, fault } of lines) assert.equal(decode(line) === null, fault === "malformed", line);
  nearShare(having("malformed").length, events.length, FAULTS.malformed);
  assert.ok(new Set(having("malformed").map(({ line }) => refusal(line))).size >= 4, "several kinds");
});

Deno.test("arrivals() delivers duplicates after the first copy, within minutes of it", () => {
  const first = new Map<string, number>();
  for (const { time, line, fault } of lines) {
    if (fault === "duplicate") {
      const before = first.get(line);
      assert.ok(before !== undefined && time - before <= MINUTE, line);
    } else first.set(line, time);
  }
  nearShare(having("duplicate").length, events.length, FAULTS.duplicate);
});

Deno.test("arrivals() delivers late events within five minutes, a few after an hour, and never a request", () => {
  for (const { time, line, fault } of [...having("late"), ...having("very-late")]) {
    const event = decode(line);
    assert.ok(event !== null && event.type !== "request" && event.type !== "profile");
    const delay = time - event.time;
    if (fault === "late") assert.ok(delay >= 3000 && delay <= 5 * MINUTE);
    else assert.ok(delay > 60 * MINUTE && event.type === "interaction");
  }
  const eligible = events.filter(({ type }) => type === "impression" || type === "interaction").length;
  nearShare(having("late").length + having("very-late").length, eligible, FAULTS.late);
  assert.ok(having("very-late").length > 0);
});

Deno.test("pageEvents() tells the profile first, then the request, the list and the answers", () => {
  for (const [number, view] of views.entries()) {
    const page = pageEvents(view, number, world);
    const types = page.map(({ type }) => type);
    const shown = view.items === null ? [] : ["impression"];
    assert.deepEqual(types, [
      ...(view.newUser ? ["profile"] : []),
      "request",
      ...shown,
      ...view.answers.map(() => "interaction"),
    ]);
    assert.ok(page.every(({ user }) => user === view.user));
  }
});

Deno.test("pageEvents() gives every event an id of its own", () => {
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
});

function refusal(line: string): string {
  const decoded = decodeEvent(new TextEncoder().encode(line));
  return decoded.ok ? "none" : decoded.code;
}
