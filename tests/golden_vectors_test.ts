import assert from "node:assert/strict";
import { arraysOf, corruptions } from "./golden_corruptions.ts";
import { assertClose, readGolden } from "./golden_vectors.ts";

Deno.test("assertClose() refuses expected values that are not finite", () => {
  for (const x of [Infinity, -Infinity, NaN]) {
    assert.throws(() => assertClose([1, 2], [1, x], 1, "x"), `${x}`);
  }
  assert.throws(() => assertClose([NaN], [1], 1, "x"));
});

Deno.test("readGolden() fails when a file is missing, and says how to make it", () => {
  assert.throws(() => readGolden("none.json"), /Cannot read .*none\.json.*make\.py/);
});

Deno.test("corruptions() changes or removes one array at a time, by more than tests tolerate", () => {
  const text = JSON.stringify({
    params: { W: [[1, -2], [0, 0.5]] },
    inputs: { mask: [1, 1, 0], steps: [{ x: [0.25] }] },
    outputs: { a: { y: [1, 2.5], none: null } },
    grads: { a: { loss: "in words", params: { W: [[0.1, 0], [0, 0]] } } },
  });
  const arraysIn = (json: string) => JSON.parse(json);
  const paths = arraysOf(JSON.parse(text)).map((path) => path.join("."));
  const all = [
    "params.W",
    "inputs.mask",
    "inputs.steps.0.x",
    "outputs.a.y",
    "outputs.a.none",
    "grads.a.params.W",
  ];
  assert.deepEqual(paths, all);
  for (const { path, kind, corrupt } of corruptions(text)) {
    const got = corrupt(),
      at = (json: unknown, name: string) =>
        name.split(".").reduce((node, step) => (node as Record<string, unknown> | undefined)?.[step], json);
    for (const other of paths) {
      const before = at(arraysIn(text), other), after = at(arraysIn(got), other);
      if (other !== path) assert.deepEqual(after, before);
      else if (kind === "removed") assert.equal(after, undefined);
      else assert.notDeepEqual(after, before);
    }
  }
});
