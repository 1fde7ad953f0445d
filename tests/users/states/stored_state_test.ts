import assert from "node:assert/strict";
import fc from "fast-check";
import { createModel } from "../../../src/nn/models/registry.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { StoredState } from "../../../src/users/states/stored_state.ts";

const floats = (length: number) =>
  fc.array(fc.float({ noNaN: true, min: -60_000, max: 60_000 }), { minLength: length, maxLength: length });
const stored = fc.array(fc.nat(9), { maxLength: 5 }).chain((stretches) =>
  fc.record({
    stretches: fc.constant(stretches),
    state: floats(stretches.reduce((sum, length) => sum + length, 0)).map((x) => Float32Array.from(x)),
  })
);

Deno.test("StoredState.of() rounds alternate stretches to half precision, and rounding again changes nothing", () => {
  fc.assert(fc.property(stored, ({ stretches, state }) => {
    const once = StoredState.of(state, stretches);
    const again = StoredState.of(once.floats(), stretches);
    assert.deepEqual(again.bytes, once.bytes);
    assert.deepEqual(StoredState.from(once.bytes, stretches).floats(), once.floats());
    const halves = stretches.flatMap((length, i) => new Array<boolean>(length).fill(i % 2 === 0));
    const want = state.map((x, i) => halves[i] ? Math.f16round(x) : x);
    assert.deepEqual(once.floats(), want);
    assert.equal(once.size, state.length);
  }));
});

Deno.test("StoredState.from() throws a SyntaxError when bytes are missing or left over", () => {
  const { bytes } = StoredState.of(new Float32Array(8), [4, 4]);
  for (const stretches of [[4, 5], [4, 3], [], [8]]) {
    assert.throws(() => StoredState.from(bytes, stretches), SyntaxError);
  }
});

Deno.test("StoredState.of() does not round a state of another length", () => {
  const single = StoredState.of(Float32Array.of(0.1, 0.2), [4, 4]);
  assert.deepEqual(single.floats(), Float32Array.of(0.1, 0.2), "0.1 keeps single precision");
});

Deno.test("StoredState.of() takes 1,044 bytes for a MIMN state with four slots of width 32", () => {
  const sizes = { d: 32, user: 1, context: 1 };
  const model = createModel("mimn", sizes, { traces: [1, 0.98] }, mulberry32(1));
  const state = model.initState();
  const count = 4 * 32 + 32 + 32 + 4 + 32 + 4 * 32;
  state[count] = 100_003;
  const { stretches = [] } = model;
  const kept = StoredState.of(state, stretches);
  assert.equal(kept.bytes.length, 1044);
  assert.equal(kept.floats()[count], 100_003, "a count is exact");
});
