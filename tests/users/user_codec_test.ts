import assert from "node:assert/strict";
import fc from "fast-check";
import type { Event } from "../../src/events/event.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { SequenceSlab } from "../../src/users/states/sequence.ts";
import { UserCodec } from "../../src/users/user_codec.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { anyStream, run, SMALL } from "../engine/streams.ts";

Deno.test("UserCodec.decode() restores users of any stream, who encode to the same bytes", () => {
  fc.assert(fc.property(anyStream, fc.boolean(), (steps, lifelong) => {
    const remembering = { ...SMALL, frequency: { most: 3, withinMs: 1000, remembered: 5 } };
    const { task } = run(steps, remembering, new FakeServing(3, lifelong));
    const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
    for (const user of task.users.values()) {
      const bytes = task.memory.record(user);
      const copy = codec.decode(user.id, bytes);
      assert.deepEqual(codec.encode(copy), bytes);
      assert.deepEqual(copy.shown.map(({ time }) => time), user.shown.map(({ time }) => time));
      const plain = { row: 0, bytes: 0, pending: null, shown: null };
      assert.deepEqual({ ...copy, ...plain }, { ...user, ...plain });
      assert.deepEqual([...copy.pending.keys()], [...user.pending.keys()]);
      assert.deepEqual(historiesOf(copy), historiesOf(user));
    }
  }));
});

Deno.test("UserCodec.decode() throws a SyntaxError at truncated records, trailing bytes and other formats", () => {
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
  const whole = task.memory.record(user);
  const decode = (bytes: Uint8Array) =>
    new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema)).decode("u", bytes);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length)), SyntaxError);
  }
  assert.throws(() => decode(Uint8Array.of(...whole, 0)), SyntaxError);
  for (const format of [0, 10, 17, 99]) {
    const message = new RegExp(`state of user u: format is ${format}, this release reads 11 to 16`);
    assert.throws(() => decode(Uint8Array.of(format, ...whole.subarray(1))), message);
  }
});

function historiesOf({ pending }: UserState) {
  return [...pending.values()].map(({ history }) => history);
}

const START = 1_700_000_000_000;
const at = (ms: number) => ({ user: "ann", time: START + ms } as const);
Deno.test("UserCodec.encode() gives the same bytes after decode() if a list's history predates kept behaviours", () => {
  const events: Event[] = [
    ...Array.from(
      { length: 6 },
      (_, n) => ({ type: "interaction", ...at(n), item: `i${n}`, action: "click" } as const),
    ),
    { type: "impression", ...at(6), request: "r1", items: ["i1"] },
    { type: "impression", ...at(7), request: "r2", items: ["i1"] },
    ...Array.from(
      { length: 9 },
      (_, n) => ({ type: "interaction", ...at(8 + n), item: "i7", action: "click" } as const),
    ),
  ];
  const whole = run(events.slice(0, 8).map((event) => ({ kind: "event", event } as const)));
  const { task } = run(events.map((event) => ({ kind: "event", event } as const)));
  const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (const state of [whole.task, task]) {
    const bytes = state.memory.record(state.users.get("ann")!);
    const copy = codec.decode("ann", bytes);
    assert.equal(copy.pending.size, 2);
    assert.deepEqual(historiesOf(copy), historiesOf(state.users.get("ann")!));
    assert.deepEqual(codec.encode(copy), bytes);
  }
});

Deno.test("UserCodec.encode() writes format 12 only for users who had more than is kept; decode() reads both", () => {
  const { capacity } = new SequenceSlab(SMALL.sequence);
  const events = (count: number) =>
    Array.from({ length: count }, (_, n): Event => ({
      type: "interaction",
      ...at(n),
      item: `i${n}`,
      action: "click",
    }));
  for (const [count, format] of [[capacity, 11], [capacity + 3, 12]] as const) {
    const { task } = run(events(count).map((event) => ({ kind: "event", event } as const)));
    const bytes = task.memory.record(task.users.get("ann")!);
    assert.equal(bytes[0], format);
    const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
    const copy = codec.decode("ann", bytes);
    assert.deepEqual(codec.encode(copy), bytes);
    for (let n = 0; n < count; n++) assert.equal(copy.former?.has(`i${n}`) ?? false, n < count - capacity);
  }
});

Deno.test("UserCodec.encode() writes format 13 for users who are given lists", () => {
  const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (const count of [1, 30]) {
    const clicks = Array.from({ length: count }, (_, n) => ({
      kind: "event" as const,
      event: { type: "interaction", ...at(n), item: `i${n}`, action: "click" } as const,
    }));
    const { task } = run(clicks, { ...SMALL, userLists: { everyMs: 10 } });
    const user = task.users.get("ann")!;
    const bytes = task.memory.record(user);
    assert.equal(bytes[0], 13);
    const copy = codec.decode("ann", bytes);
    assert.deepEqual(copy.listed, user.listed);
    assert.equal(copy.former === null, count === 1);
    assert.deepEqual(codec.encode(copy), bytes);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => codec.decode("ann", bytes.subarray(0, length)), SyntaxError);
    }
  }
});

Deno.test("UserCodec.decode() keeps the histories of lists when fewer behaviours are kept than were written", () => {
  const click = (n: number): Event => ({ type: "interaction", ...at(n), item: `i${n}`, action: "click" });
  const events = [
    ...Array.from({ length: 7 }, (_, n) => click(n)),
    { type: "impression", ...at(7), request: "r1", items: ["i1"] } as const,
    ...[8, 9, 10].map(click),
  ];
  const { task } = run(events.map((event) => ({ kind: "event", event } as const)));
  const user = task.users.get("ann")!;
  const bytes = task.memory.record(user);
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

Deno.test("UserCodec.decode() shares a history between lists without behaviours between them", () => {
  const clicks = (from: number): Event[] =>
    [0, 1, 2].map((n) => ({ type: "interaction", ...at(from + n), item: `i${n}`, action: "click" }));
  const list = (request: string, ms: number): Event => ({
    type: "impression",
    ...at(ms),
    request,
    items: ["i5", "i6"],
  });
  const events = [...clicks(0), list("a", 4), list("b", 5), ...clicks(6), list("c", 9), list("d", 10)];
  const { task } = run(events.map((event) => ({ kind: "event", event } as const)));
  const user = task.users.get("ann")!;
  const codec = new UserCodec(new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  const [a, b, c, d] = [...codec.decode("ann", task.memory.record(user)).pending.values()].map((list) =>
    list.history
  );
  assert.equal(a, b);
  assert.equal(c, d);
  assert.notDeepEqual(b, c);
  assert.deepEqual([a, c], ["a", "c"].map((request) => user.pending.get(request)!.history));
});
