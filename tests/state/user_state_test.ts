import assert from "node:assert/strict";
import fc from "fast-check";
import { Catalogue } from "../../src/state/catalogue.ts";
import { SequenceSlab } from "../../src/state/sequence.ts";
import { decodeUser, encodeUser } from "../../src/state/user_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, run, SMALL } from "./streams.ts";

Deno.test("decodeUser() gives a user of the same bytes when users come from any stream", () => {
  fc.assert(fc.property(anyStream, fc.boolean(), (steps, lifelong) => {
    const { task } = run(steps, SMALL, new FakeServing(3, lifelong));
    const sequences = new SequenceSlab(SMALL.sequence);
    const catalogue = new Catalogue(SMALL.schema);
    for (const user of task.users.values()) {
      const bytes = encodeUser(user, task.sequences, task.catalogue);
      const copy = decodeUser(user.id, bytes, sequences, catalogue);
      assert.deepEqual(encodeUser(copy, sequences, catalogue), bytes);
      assert.deepEqual({ ...copy, row: 0, pending: null }, { ...user, row: 0, pending: null });
      assert.deepEqual([...copy.pending.keys()], [...user.pending.keys()]);
    }
  }));
});

Deno.test("decodeUser() throws a SyntaxError when the record is cut anywhere or goes on", () => {
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
  const whole = encodeUser(user, task.sequences, task.catalogue);
  const decode = (bytes: Uint8Array) =>
    decodeUser("u", bytes, new SequenceSlab(SMALL.sequence), new Catalogue(SMALL.schema));
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length)), SyntaxError);
  }
  assert.throws(() => decode(Uint8Array.of(...whole, 0)), SyntaxError);
  assert.throws(() => decode(Uint8Array.of(99, ...whole.subarray(1))), /format is 99/);
});
