import assert from "node:assert/strict";
import fc from "fast-check";
import type { Event } from "../../src/events/event.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { UserCodec } from "../../src/users/user_codec.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, outputs, run, SMALL, type Step, take } from "./streams.ts";

Deno.test("UserCodec.decode() gives a user of the same bytes when users come from any stream", () => {
  fc.assert(fc.property(anyStream, fc.boolean(), (steps, lifelong) => {
    const remembering = { ...SMALL, frequency: { most: 3, withinMs: 1000, remembered: 5 } };
    const { task } = run(steps, remembering, new FakeServing(3, lifelong));
    const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
    for (const user of task.users.values()) {
      const bytes = task.record(user);
      const copy = codec.decode(user.id, bytes);
      assert.deepEqual(codec.encode(copy), bytes);
      assert.deepEqual(copy.shown.map(({ time }) => time), user.shown.map(({ time }) => time));
      const plain = { row: 0, bytes: 0, pending: null, shown: null };
      assert.deepEqual({ ...copy, ...plain }, { ...user, ...plain });
      assert.deepEqual([...copy.pending.keys()], [...user.pending.keys()]);
    }
  }));
});

Deno.test("UserCodec.decode() throws a SyntaxError when the record is cut anywhere or goes on", () => {
  const clicks = Array.from({ length: 3 }, (_, n) => ({
    kind: "event" as const,
    event: { type: "interaction", user: "u", item: `i${n}`, action: "click", time: n, id: `e${n}` } as const,
  }));
  const { task } = run([...clicks, {
    kind: "event",
    event: { type: "impression", user: "u", items: ["a", "b"], time: 4 },
  }]);
  const [user] = task.users.values();
  assert.ok(user !== undefined && user.pending.size === 1);
  const whole = task.record(user);
  const decode = (bytes: Uint8Array) =>
    new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema)).decode("u", bytes);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length)), SyntaxError);
  }
  assert.throws(() => decode(Uint8Array.of(...whole, 0)), SyntaxError);
  assert.throws(() => decode(Uint8Array.of(99, ...whole.subarray(1))), /format is 99/);
});

/** Records of {@linkcode HISTORY} that older versions wrote. */
const FORMAT_1 =
  "AQ4FAmkxBWNsaWNrBnJhdGluZwJpMgJpMwUGWyIzMCJdEFsiMjIiLG51bGwsbnVsbF0GWyJjMSJdAltdBltudWxsXe4FAwMA" +
  "gKCr/vliAQAAgD8ABAIAAAAAAwICAABAwAIBKjtMXW5/sL8CAAAAAAAAHEAAAAAAAAAIwDQzMzMzM+O/AAAAAAAAAEAcx3Ec" +
  "x3HMvwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMLY2F0ZWdvcnkAYzEBAAAAAAAA4D+amZmZmZmpPwEAAAAAAAAAAA5jcm9z" +
  "czpicmFuZABiMAEAAAAAAADgPwAAAAAAAAAAAAAAAAAAAAAADGNyb3NzOmJyYW5kAAHHcRzHcRznvwAAAAAAAAAAAAAAAAAA" +
  "AAAADHsiYWdlIjoiMzAifQMCZTECZTILAHNldHRsZWQ6cjEDVDWFvWJpZL/Npxa/AAABAmR7InR5cGUiOiJpbnRlcmFjdGlv" +
  "biIsInVzZXIiOiJhbm4iLCJ0aW1lIjoxNzAwMDAwMDAwMDA1LCJpdGVtIjoiaTQiLCJhY3Rpb24iOiJjbGljayIsInJlcXVl" +
  "c3QiOiJyMyJ9AQJyMgEAQIBW/rx4QgDAvlb+vHhCAQAAAAEDAAIBCAAAgD8AAgIEAAAAAAMDAgIAAEDAAQQDBBIAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAABUn4w/c/uDvQAAAAAAAAAAIQgCvQAAAAAAAAAAmpkZvxhysT8Zz4s3AAAAAL6E9r0AAAAAAAAA" +
  "AAAAAMBHj+6/AgAAAAAAAADwPwAAAAAAAPh/";
const FORMAT_3 =
  "Aw4FAmkxBWNsaWNrBnJhdGluZwJpMgJpMwUGWyIzMCJdEFsiMjIiLG51bGwsbnVsbF0GWyJjMSJdAltdBltudWxsXQEA+QUD" +
  "AwCAoKv++WIBAACAPwAEAgAAAAADAgIAAEDAAgEqO0xdbn+wvwIAAAAAAAAcQAAAAAAAAAjANDMzMzMz478AAAAAAAAAQBzH" +
  "cRzHccy/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwtjYXRlZ29yeQBjMQEAAAAAAADgP5qZmZmZmak/AQAAAAAAAAAADmNy" +
  "b3NzOmJyYW5kAGIwAQAAAAAAAOA/AAAAAAAAAAAAAAAAAAAAAAAMY3Jvc3M6YnJhbmQAAcdxHMdxHOe/AAAAAAAAAAAAAAAA" +
  "AAAAAAAMeyJhZ2UiOiIzMCJ9AwJlMQJlMgsAc2V0dGxlZDpyMQNUNYW9Ymlkv82nFr8AAAECZHsidHlwZSI6ImludGVyYWN0" +
  "aW9uIiwidXNlciI6ImFubiIsInRpbWUiOjE3MDAwMDAwMDAwMDUsIml0ZW0iOiJpNCIsImFjdGlvbiI6ImNsaWNrIiwicmVx" +
  "dWVzdCI6InIzIn0BAnIyAQBAgFb+vHhCAMC+Vv68eEIBAAAAAQMAAgEIAACAPwACAgQAAAAAAwMCAgAAQMAAAQQDBBIAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAABUn4w/c/uDvQAAAAAAAAAAIQgCvQAAAAAAAAAAmpkZvxhysT8Zz4s3AAAAAL6E9r0AAAAA" +
  "AAAAAAAAAMBHj+6/AgAAAAAAAADwPwAAAAAAAPh/AAAAAAAAAAAAAA==";
const FORMAT_5 =
  "BQ4DAmkxAmkyAmkzBAVjbGljawZyYXRpbmcCaTECaTIFBlsiMzAiXRBbIjIyIixudWxsLG51bGxdBlsiYzEiXQJbXQZbbnVsbF0B" +
  "AP8DAwMDAAAAgD8BAAAAAAEAAEDAAICgq/75YgAABAEBAgIPAgEqO0xdbn+wvwIAAAAAAAAcQAAAAAAAAAjANDMzMzMz478BAhzH" +
  "cRzHccy/AwtjYXRlZ29yeQBjMQEAAAAAAADgP5qZmZmZmak/AQAAAAAAAAAADmNyb3NzOmJyYW5kAGIwAQAAAAAAAOA/AAAAAAAA" +
  "AAAADGNyb3NzOmJyYW5kAAHHcRzHcRznvwAAAAAAAAAAAAx7ImFnZSI6IjMwIn0DBYbOqRXSN0NFQIBRsgI1Q88zs4Di6z5DA1Q1" +
  "hb1iaWS/zacWvwAAAQJkeyJ0eXBlIjoiaW50ZXJhY3Rpb24iLCJ1c2VyIjoiYW5uIiwidGltZSI6MTcwMDAwMDAwMDAwNSwiaXRl" +
  "bSI6Imk0IiwiYWN0aW9uIjoiY2xpY2siLCJyZXF1ZXN0IjoicjMifQECcjIBAECAVv68eEIAwL5W/rx4QgEAAAABAwICAAgAAIA/" +
  "AgIBBAAAAAADAwECAABAwAABAgMEEgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFSfjD9z+4O9AAAAAAAAAAAhCAK9AAAAAAAAAACa" +
  "mRm/GHKxPxnPizcAAAAAvoT2vQAAAAAAAAAAAAAAwEeP7r8CAAAAAAAAAPA/AAAAAAAA+H8AAAAAAAAAAAAAAA==";

/** A record of a whole life of twelve clicks, with a list that is open. */
const FORMAT_7 =
  "BxgFAmkyAmkzAmk0AmkwAmkxBgVjbGljawJpNAJpMAJpMQJpMgJpMwMGW251bGxdEFsiMjIiLG51bGwsbnVsbF0CW10BA1DrY79q" +
  "2hu/0wBLPp0CDAoBAAAAgD8AhKCr/vliAAECAAICAAMCAAQCAAACAAECAAICAAMCAAQCAAAAAAPsYxu/n35Iv6oDgrwACAwAAQFy" +
  "AQDAgFb+vHhCAEC/Vv68eEIAAAAAAQgBAgAQAACAPwICAA4AAIA/AwIADAAAgD8EAgAKAACAPwUCAAgAAIA/AQIABgAAgD8CAgAE" +
  "AACAPwMCAAIAAIA/AQQBBAIAEgAAAAAAAAAAAAAAAAAAAAD3DU02AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "VJ8MQBnPizdUn4w/AAAAAAAAAAAAAAAAAAAAQIXxvj8CAAAAAAAAAPA/AAAAAAAA+H8AAAAAAAAAAAAAAAEEmKCr/vli";

/** A record with two open lists, of which one has been answered, and an end of a search before their windows. */
const FORMAT_10 =
  "CiIBAWkFAQIDBAYJBnJhdGluZwVjbGljawdkaXNsaWtlCGNhdGVnb3J5AmkwAmkxAmkyAmkzAmk1BQZbbnVsbF0QWyIyMiIsbnVs" +
  "bCxudWxsXQxbImMwIiwiYWxsIl0MWyJjMSIsImFsbCJdBlsiYjAiXQEA/gULCwMAAAAAAAEAAIA/AgAAgL8AgNCV/7wxAQECAQMB" +
  "AAEBAQIBAwEAAQICBAEQEREREQIKAQAAAAAAABBAAAAAAAAAAAAAAAAAAAAAAAIDAmMwAQAAAQAAAAADA2FsbAEAAAEAAAAAAAAD" +
  "CSBgv5DEUr9XFXW/AAYLAAICcjEBAJCAVv68eEIAEL9W/rx4QgAAAAABBQQCAQoAAIA/BQMBCAAAgD8GAgEGAACAPwcDAQQAAIA/" +
  "BAIBAgAAgD8AAwEDBBIAAAAAAAAAAAAAAAAAAAAAn8UnNgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAGBY5T8Z" +
  "z4s3GHIxPwAAAAAAAAAAAAAAAAAAAACvGt8/AgAAAAAAAADgP5qZmZmZmbk/AAAAAAAAAAAAAgIEEgAAAAAAAAAAAAAAAAAAAACf" +
  "xSc2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAYFjlPxnPizcYcjE/AAAAAAAAAAAAAAAAAAAAIPt04T8BAQAA" +
  "AAAAANA/mpmZmZmZyT8AAAAAAAAcQAAEAwQSAAAAAAAAAAAAAAAAAAAAAJ/FJzYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAABgWOU/Gc+LNwAAAAAAAAAAAAAAAAAAAAAAAAAQvnv0vwQEAAAAAAAA8D8zMzMzMzPTPwAAAAAAAAAAAAAAAAEEAgAS" +
  "AnIyAQDAgFb+vHhCAEC/Vv68eEIBAAAAAQUGAgEMAACAPwcDAQoAAIA/BAIBCAAAgD8GAgEEAACAPwgDAgIAAIC/AAEDAwQSAAAA" +
  "AAAAAAAAAAAAAAAAACOyXzYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABgWOU/Gc+LNxhyMT8AAAAAAAAAAAAA" +
  "AAAAAADg4/7vPwIAAAAAAAAA8D8AAAAAAAD4fwAAAAAAAAAAAAAAAAEEAgAYBAGSoKv++WICAAQAAwYA";

const START = 1_700_000_000_000;
const at = (ms: number) => ({ user: "ann", time: START + ms } as const);
const rating = { type: "interaction", action: "rating", request: "r1" } as const;
const HISTORY: readonly Event[] = [
  { type: "profile", ...at(0), attributes: { age: "30" } },
  { type: "interaction", ...at(0), item: "i1", action: "click", id: "e1" },
  { type: "impression", ...at(1), request: "r1", items: ["i1", "i2"] },
  { ...rating, ...at(2), item: "i1", value: 5 },
  { ...rating, ...at(3), item: "i2", value: 2, id: "e2" },
  { type: "impression", ...at(4), request: "r2", items: ["i3"] },
  { type: "interaction", ...at(5), item: "i4", action: "click", request: "r3" },
];

/** A task after a stream, in which a value was usual before it: older versions believed the first one as well. */
function runRated(value: number, steps: readonly Step[], options = SMALL): TaskState {
  const task = new TaskState(options, new FakeServing());
  for (let n = 0; n < 2; n++) task.statistics.overall.values.learn(value);
  steps.forEach((step, offset) => take(task, new FakeServing(), step, offset, outputs()));
  return task;
}

Deno.test("UserCodec.decode() reads the records of older formats", () => {
  const item = { item: "i1", time: START, categories: ["c1"], attributes: { brand: "b0" } };
  const events = HISTORY.map((event) => ({ kind: "event", event } as const));
  // The older formats do not know which behaviours samples have, nor what was shown.
  const task = runRated(5, [{ kind: "item", record: item }, ...events], {
    ...SMALL,
    learnHistories: false,
    frequency: { most: 3, withinMs: 2000 },
  });
  const [ann] = task.users.values();
  assert.ok(ann);
  const today = task.record(ann);
  for (const text of [FORMAT_1, FORMAT_3, FORMAT_5]) {
    const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
    const user = codec.decode("ann", Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
    assert.deepEqual(codec.encode(user).length, today.length);
    assert.deepEqual({ ...user, row: 0, bytes: 0 }, { ...ann, row: 0, bytes: 0, pending: user.pending });
    assert.deepEqual([...user.pending.keys()], ["r2"]);
  }
});

Deno.test("UserCodec.decode() reads the anchor of a life from a record of format 7, whose state of then is dropped", () => {
  const options = { ...SMALL, sequence: { capacity: 10, window: 8, hop: 2, recent: 4 } };
  const serving = new FakeServing(3, true);
  const clicks = Array.from({ length: 12 }, (_, n) => ({
    kind: "event" as const,
    event: { type: "interaction", ...at(n), item: `i${n % 5}`, action: "click" } as const,
  }));
  const shown = { type: "impression", ...at(12), request: "r", items: ["i1"] } as const;
  const { task } = run([...clicks, { kind: "event", event: shown }], options, serving);
  const [want] = task.users.values();
  assert.ok(want?.anchor);
  const old = new TaskState(options, serving);
  old.restoreUser("ann", Uint8Array.from(atob(FORMAT_7), (letter) => letter.charCodeAt(0)));
  const [user] = old.users.values();
  assert.ok(user);
  assert.deepEqual(user.anchor?.floats(), want.anchor.floats());
  assert.equal(user.pending.get("r")?.state?.stored, user.anchor, "shared, as it was");
  assert.deepEqual(old.recurrentState(user), task.recurrentState(want));
  const next = { type: "interaction", ...at(13), item: "i2", action: "click" } as const;
  old.apply(next, 13, { recommendations: [], samples: [], forgotten: [] });
  assert.equal(user.hidden.length, 0);
  assert.equal(user.hiddenStart, want.hiddenStart);
});

Deno.test("UserCodec.decode() reads open lists of format 10, whose histories are written out, as they are today", () => {
  const behaviours = Array.from({ length: 9 }, (_, n) => ({ ...at(n), item: `i${n % 4}` }));
  const shown = { type: "impression", request: "r1", items: ["i1", "i2", "i5"], ...at(9) } as const;
  const chances = { positions: [0, 1, 4], propensities: [0.5, 0.25, 1], oracle: [0.1, 0.2, 0.3] };
  const events: Event[] = [
    ...behaviours.map((event, n) =>
      n === 0
        ? { type: "interaction", ...event, action: "rating", value: 4 } as const
        : { type: "interaction", ...event, action: "click" } as const
    ),
    { ...shown, ...chances },
    { type: "interaction", ...at(10), item: "i2", action: "click", request: "r1", value: 7 },
    { type: "interaction", ...at(11), item: "i5", action: "dislike", request: "r1" },
    { type: "impression", ...at(12), request: "r2", items: ["i3"] },
  ];
  const items = [0, 1, 2, 3, 5].map((n) => ({
    kind: "item" as const,
    record: { item: `i${n}`, time: START, categories: [`c${n % 2}`, "all"], attributes: { brand: "b0" } },
  }));
  const task = runRated(4, [...items, ...events.map((event) => ({ kind: "event", event } as const))]);
  const today = task.record(task.users.get("ann")!);
  const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  const old = Uint8Array.from(atob(FORMAT_10), (letter) => letter.charCodeAt(0));
  assert.deepEqual(codec.encode(codec.decode("ann", old)), today);
  assert.ok(today.length < 0.85 * old.length, `${today.length} bytes in place of ${old.length}`);
});

Deno.test("UserCodec.encode() gives the same bytes when a history has left the behaviours that are kept, and was read back", () => {
  const events: Event[] = [
    ...Array.from(
      { length: 6 },
      (_, n) => ({ type: "interaction", ...at(n), item: `i${n}`, action: "click" } as const),
    ),
    { type: "impression", ...at(6), request: "r1", items: ["i1"] },
    ...Array.from(
      { length: 9 },
      (_, n) => ({ type: "interaction", ...at(7 + n), item: "i7", action: "click" } as const),
    ),
  ];
  const whole = run(events.slice(0, 7).map((event) => ({ kind: "event", event } as const)));
  const { task } = run(events.map((event) => ({ kind: "event", event } as const)));
  const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (const state of [whole.task, task]) {
    const bytes = state.record(state.users.get("ann")!);
    const copy = codec.decode("ann", bytes);
    assert.deepEqual(copy.pending.get("r1")?.history, state.users.get("ann")!.pending.get("r1")!.history);
    assert.deepEqual(codec.encode(copy), bytes);
  }
});

Deno.test("UserCodec.decode() gives histories as they were when fewer behaviours are kept than were written", () => {
  const click = (n: number): Event => ({ type: "interaction", ...at(n), item: `i${n}`, action: "click" });
  const events = [
    ...Array.from({ length: 7 }, (_, n) => click(n)),
    { type: "impression", ...at(7), request: "r1", items: ["i1"] } as const,
    ...[8, 9, 10].map(click),
  ];
  const { task } = run(events.map((event) => ({ kind: "event", event } as const)));
  const user = task.users.get("ann")!;
  const bytes = task.record(user);
  for (const capacity of [9, 8, 6]) {
    const codec = new UserCodec(
      new SequenceSlab({ ...SMALL.sequence, capacity }),
      new Catalogue(SMALL.schema),
    );
    const copy = codec.decode("ann", bytes);
    assert.deepEqual(copy.pending.get("r1")?.history, user.pending.get("r1")!.history);
    assert.deepEqual(codec.encode(codec.decode("ann", codec.encode(copy))), codec.encode(copy));
  }
});
