import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Room } from "../../src/items/room.ts";

const HOUR = 3_600_000;
const START = 472_222 * HOUR;

/** A room of which so many places are taken as soon as possible. */
function flooded(places: number, ids: number): { readonly room: Room; readonly taken: number } {
  const room = new Room(places);
  room.moveTo(START);
  let taken = 0;
  for (let n = 0; n < ids; n++) if (takes(room, `made-up${n}`, `u${n % 7}`)) taken++;
  return { room, taken };
}

function takes(room: Room, id: string, user: string): boolean {
  if (!room.admits([id], user)) return false;
  room.use();
  room.take();
  return true;
}

function copyOf(room: Room, places: number, used: number): Room {
  const to = new ByteWriter();
  room.encode(to);
  const copy = new Room(places), from = new ByteReader(to.toBytes());
  for (let n = 0; n < used; n++) copy.use();
  copy.decode(from);
  assert.ok(from.done);
  return copy;
}

Deno.test("Room.admits() reserves half of the places for ids that two users name", () => {
  const { room, taken } = flooded(10_000, 20_000);
  assert.equal(taken, 5000);
  assert.deepEqual([room.open, room.left], [0, 5000]);
  assert.ok(!takes(room, "new", "ann"));
  assert.ok(!takes(room, "new", "ann"), "the same user again");
  assert.ok(takes(room, "new", "bob"));
  assert.ok(!takes(room, "rare", "ann"));
  for (let n = 0; n < 20_000; n++) assert.ok(!takes(room, `late${n}`, "robot"));
  assert.ok(!takes(room, "rare", "bob"), "too many other ids came in between");
});

Deno.test("Room.admits() is never closed for good, neither by pairs of users nor by a flood", () => {
  const { room } = flooded(10_000, 20_000);
  const pairs = (from: number) => {
    let taken = 0;
    for (let n = from; n < from + 10_000; n++) {
      if (takes(room, `pair${n}`, "ann") || takes(room, `pair${n}`, "bob")) taken++;
    }
    return taken;
  };
  assert.equal(pairs(0), 2500);
  for (let hour = 1; hour <= 24 * 7; hour++) {
    room.moveTo(START + hour * HOUR);
    assert.ok(pairs(10_000 * hour) > 0, `hour ${hour} of a flood that never ends`);
  }
  assert.ok(room.left > 1000, `${room.left}`);
  room.moveTo(START + 24 * 30 * HOUR);
  assert.ok(room.open > 300, `${room.open}`);
});

Deno.test("Room.open becomes all that is left once nothing was taken for long", () => {
  const { room } = flooded(3, 10);
  assert.deepEqual([room.left, room.open], [1, 0]);
  room.moveTo(START + 2 * HOUR);
  assert.equal(room.open, 1);
  assert.ok(takes(room, "last", "ann"));
  room.moveTo(START + 1000 * HOUR);
  assert.ok(!takes(room, "one more", "ann") && !takes(room, "one more", "bob"));
});

Deno.test("Room.admits() admits all new ids of an event or none", () => {
  const room = new Room(10);
  assert.ok(room.admits(["a", "b", "c", "d", "e"], "ann"));
  const six = ["a", "b", "c", "d", "e", "f"];
  assert.ok(!room.admits(six, "ann"));
  assert.ok(room.admits(six, "bob"));
  const nine = [...six, "g", "h", "i"];
  assert.ok(!room.admits(nine, "ann") && !room.admits(nine, "bob"));
});

Deno.test("Room.encode() writes who named ids only while few places are open", () => {
  const size = (room: Room) => {
    const to = new ByteWriter();
    room.encode(to);
    return to.toBytes().length;
  };
  const { room } = flooded(100, 50);
  assert.ok(size(room) < 20);
  assert.ok(!takes(room, "new", "ann"));
  assert.ok(size(room) > 4096);
  room.moveTo(START + 1000 * HOUR);
  assert.ok(size(room) < 20);
});

Deno.test("Room.decode() continues like the encoded room", () => {
  const step = fc.tuple(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ max: 30 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.infiniteStream(fc.boolean()), (steps, crashes) => {
      const want = new Room(20);
      let got = new Room(20), time = START, used = 0;
      for (const [id, user, hours] of steps) {
        time += hours * HOUR;
        want.moveTo(time);
        got.moveTo(time);
        const isTaken = takes(want, `i${id}`, `u${user}`);
        assert.equal(takes(got, `i${id}`, `u${user}`), isTaken);
        if (isTaken) used++;
        if (crashes.next().value) got = copyOf(got, 20, used);
        assert.deepEqual([got.left, got.open], [want.left, want.open]);
      }
    }),
  );
});
