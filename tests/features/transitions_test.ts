import assert from "node:assert/strict";
import { Transitions } from "../../src/features/transitions.ts";

const HOUR = 3_600_000;

Deno.test("Transitions.forEach() crosses the newest behaviours with the candidate and tells how long ago they were", () => {
  const history = {
    items: ["a", "b", "c"],
    categories: [["phones"], ["phones", "cases"], []],
    actions: ["purchase", "click", "click"],
    times: Float64Array.of(0, 62 * HOUR, 63 * HOUR),
    strengths: Float32Array.of(1, -0.5, 1),
  };
  const keys = new Map<string, number>();
  new Transitions(history, 63 * HOUR, { behaviours: 2, decay: 0.5, halfLifeMs: HOUR })
    .forEach(["phones", "x"], (key, value) => keys.set(key, value));
  assert.deepEqual(
    keys,
    new Map([
      ["click:phones>phones", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click:cases>phones", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click@1:phones", 0.5],
      ["purchase@6:phones", 0.5],
      ["click:phones>x", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click:cases>x", -0.5 * 0.5 * 0.5 / 2 / 2],
    ]),
  );
});

Deno.test("Transitions.forEach() gives nothing when there is no history or no category", () => {
  const empty = {
    items: [],
    categories: [],
    actions: [],
    times: new Float64Array(),
    strengths: new Float32Array(),
  };
  new Transitions(empty, 0, {}).forEach(["x"], () => assert.fail());
  const one = { ...empty, items: ["a"], categories: [["x"]], actions: ["click"], times: Float64Array.of(0) };
  new Transitions({ ...one, strengths: Float32Array.of(1) }, 0, {}).forEach([], () => assert.fail());
});

Deno.test("Transitions.own() says how long ago each action on the candidate itself was last", () => {
  const history = {
    items: ["a", "b", "a", "a"],
    categories: [[], [], [], []],
    actions: ["click", "click", "click", "purchase"],
    times: Float64Array.of(0, 0, 60 * HOUR, 63 * HOUR),
    strengths: Float32Array.of(1, 1, 1, 1),
  };
  const transitions = new Transitions(history, 63 * HOUR, {});
  assert.deepEqual(transitions.own("a"), ["purchase@0:=", "click@4:="]);
  assert.deepEqual(transitions.own("b"), ["click@12:="]);
  assert.deepEqual(transitions.own("c"), []);
});
