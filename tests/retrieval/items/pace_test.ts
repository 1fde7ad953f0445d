import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { Pace } from "../../../src/retrieval/items/pace.ts";

const MINUTE = 60_000, DAY = 86_400_000, START = 1_700_000_000_000;
/** A power of two in milliseconds, about 18.6 hours. */
const day = 2 ** 26;

/** A pace after signals at these times, each `gap` after the user's previous one. */
function paceOf(signals: readonly { readonly time: number; readonly gap?: number }[]): Pace {
  const pace = new Pace();
  for (const { time, gap } of signals) {
    pace.learn({ time, context: contextOf(gap === undefined ? [] : [{ item: 0, time: time - gap }]) });
  }
  return pace;
}

const everyMs = (ms: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ time: START + n * ms }));

Deno.test("Pace.at() is event time in a fast stream, during its pauses, and when days arrive at once", () => {
  const fast = everyMs(2 * MINUTE, 50_000);
  const end = fast.at(-1)!.time;
  assert.equal(paceOf(fast).at(end + DAY), end + DAY);
  const daily = Array.from({ length: 60_000 }, (_, n) => ({ time: START + DAY * Math.floor(n / 1000) }));
  assert.equal(paceOf(daily).at(START + 60 * DAY) - paceOf(daily).at(START + 59 * DAY), DAY);
});

Deno.test("Pace.at() advances by 2.5 minutes per signal in a slow stream, and not at all without signals", () => {
  const slow = everyMs(DAY, 1001);
  const pace = paceOf(slow);
  const end = slow.at(-1)!.time;
  assert.equal(pace.at(end) - START, 2.5 * MINUTE * 1001);
  assert.equal(pace.at(end + 1000 * DAY), pace.at(end));
});

const life = fc.array(
  fc.record({ step: fc.integer({ min: -MINUTE, max: 40 * DAY }), gap: fc.nat(DAY) }),
  { minLength: 1, maxLength: 60 },
).map((steps) => {
  let time = START;
  return steps.map(({ step, gap }) => ({ time: time += step, gap }));
});

Deno.test("Pace.at() never goes back, and never runs faster than event time", () => {
  fc.assert(fc.property(life, fc.nat(50 * DAY), (signals, more) => {
    const pace = new Pace();
    let [newest, before] = [-Infinity, -Infinity];
    for (const { time } of signals) {
      if (time > newest && newest > -Infinity) {
        assert.ok(pace.at(time) - pace.at(newest) <= time - newest);
      }
      newest = Math.max(newest, time);
      pace.learn({ time, context: contextOf([]) });
      assert.ok(pace.at(newest) >= before);
      before = pace.at(newest);
    }
    assert.ok(pace.at(newest + more) >= before && pace.at(newest + more) <= before + more);
  }));
});

Deno.test("Pace.farMs and nearMs are 64 and 2 median gaps, but at least an hour and a minute", () => {
  const gaps = (gap: number, count: number) => everyMs(MINUTE, count).map((signal) => ({ ...signal, gap }));
  assert.deepEqual([new Pace().farMs, new Pace().nearMs], [60 * MINUTE, MINUTE]);
  const slow = paceOf(gaps(day, 64));
  assert.deepEqual([slow.farMs, slow.nearMs], [64 * day, 2 * day]);
  const fast = paceOf(gaps(1024, 64));
  assert.deepEqual([fast.farMs, fast.nearMs], [60 * MINUTE, MINUTE]);
  const baskets = paceOf([...gaps(day, 20), ...gaps(0, 100)]);
  assert.deepEqual([baskets.farMs, baskets.nearMs], [64 * day, MINUTE]);
});

/** Signals of users who act again after each of these gaps. */
function* visitsOf(users: number, gaps: readonly number[]) {
  for (let user = 0; user < users; user++) {
    const done: { readonly item: number; readonly time: number }[] = [];
    let time = START;
    for (const gap of [0, ...gaps]) {
      time += gap;
      yield { time, context: contextOf(done.slice(0, 40)) };
      done.unshift({ item: 0, time });
    }
  }
}

const daily = () => [...visitsOf(20, Array.from({ length: 25 }, () => day))];

Deno.test("Pace.farMs and nearMs reflect all users, however much one of them does", () => {
  for (const gap of [0, 1, 2000, 2 * MINUTE]) {
    const pace = new Pace();
    const robot = visitsOf(1, Array.from({ length: 10_000 }, () => gap));
    for (const signal of [...daily(), ...robot]) pace.learn(signal);
    assert.deepEqual([pace.farMs, pace.nearMs], [64 * day, 2 * day], `${gap}`);
  }
});

Deno.test("Pace takes what a client sends item by item for one act, however many items there are", () => {
  const paces = [0, 30].map((gap) => {
    const pace = new Pace();
    const visit = [...Array.from({ length: 45 }, () => gap), day];
    for (const signal of visitsOf(20, Array.from({ length: 6 }, () => visit).flat())) pace.learn(signal);
    return [pace.farMs, pace.nearMs];
  });
  assert.deepEqual(paces, [[64 * day, MINUTE], [64 * day, MINUTE]]);
});

Deno.test("Pace.decode() continues as the original does", () => {
  fc.assert(fc.property(life, life, (before, after) => {
    const [whole, first, second] = [paceOf([...before, ...after]), paceOf(before), new Pace()];
    const to = new ByteWriter();
    first.encode(to);
    second.decode(new ByteReader(to.toBytes()));
    for (const { time, gap } of after) {
      second.learn({ time, context: contextOf([{ item: 0, time: time - gap }]) });
    }
    const bytes = [whole, second].map((pace) => {
      const to = new ByteWriter();
      pace.encode(to);
      return to.toBytes();
    });
    assert.deepEqual(bytes[0], bytes[1]);
  }));
});
