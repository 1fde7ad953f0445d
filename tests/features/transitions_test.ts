import assert from "node:assert/strict";
import fc from "fast-check";
import { JoinedKeys, type TransitionOptions, Transitions } from "../../src/features/transitions.ts";

const HOUR = 3_600_000;

Deno.test("Transitions.forEach() crosses the newest behaviours with the candidate, and gives their ages", () => {
  const history = {
    items: ["a", "b", "c"],
    categories: [["phones"], ["phones", "cases"], []],
    actions: ["purchase", "click", "click"],
    times: Float64Array.of(0, 62 * HOUR, 63 * HOUR),
    strengths: Float32Array.of(1, -0.5, 1),
  };
  const keys = new Map<string, number>();
  new Transitions(history, 63 * HOUR, { behaviours: 2, halfLifeMs: HOUR })
    .forEach(["phones", "x"], (key, value) => keys.set(key.text, value));
  assert.deepEqual(
    keys,
    new Map([
      ["click:phones>phones", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click:cases>phones", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click@2:phones", 0.5],
      ["click@2:*0", 0.5],
      ["purchase@12:phones", 0.5],
      ["purchase@12:*0", 0.5],
      ["click:phones>x", -0.5 * 0.5 * 0.5 / 2 / 2],
      ["click:cases>x", -0.5 * 0.5 * 0.5 / 2 / 2],
    ]),
  );
});

Deno.test("Transitions.forEach() counts a click and the actions that follow it as one step", () => {
  const history = {
    items: ["a", "a", "a", "b"],
    categories: [["x"], ["x"], ["x"], ["y"]],
    actions: ["click", "cart", "purchase", "click"],
    times: new Float64Array(4),
    strengths: Float32Array.of(1, 1, 1, 1),
  };
  const values = (options: TransitionOptions) => {
    const keys = new Map<string, number>();
    new Transitions(history, 0, options).forEach(["z"], (key, value) => keys.set(key.text, value));
    return ["click:y>z", "purchase:x>z", "cart:x>z", "click:x>z"].map((key) => keys.get(key));
  };
  assert.deepEqual(values({}), [1, 0.5, 0.5, 0.5]);
  assert.deepEqual(values({ follows: [] }), [1, 0.5, 0.25, 0.125]);
});

Deno.test("Transitions.forEach() has separate keys for behaviours from before a purchase in the category", () => {
  const history = {
    items: ["a", "a", "b"],
    categories: [["x", "d"], ["x", "d"], ["x"]],
    actions: ["click", "purchase", "click"],
    times: new Float64Array(3),
    strengths: Float32Array.of(1, 1, 1),
  };
  const keys = (category: string, options: TransitionOptions = {}) => {
    const found: string[] = [];
    new Transitions(history, 0, options).forEach([category], (key) => found.push(key.text));
    return found.filter((key) => key.includes(">"));
  };
  const after = ["click:x>x", "purchase:x>x", "purchase:d>x"];
  assert.deepEqual(keys("x"), [...after, "click:x>done:x", "click:d>done:x"]);
  assert.deepEqual(keys("x", { ends: [] }), [...after, "click:x>x", "click:d>x"]);
  // The purchase was of one thing in its department: the search among the others continues.
  assert.deepEqual(keys("d"), keys("d", { ends: [] }));
});

Deno.test("Transitions.forEach() gives nothing without a history or without categories", () => {
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

Deno.test("Transitions.own() gives the age of the last of each action on the candidate itself", () => {
  const history = {
    items: ["a", "b", "a", "a"],
    categories: [[], [], [], []],
    actions: ["click", "click", "click", "purchase"],
    times: Float64Array.of(0, 0, 60 * HOUR, 63 * HOUR),
    strengths: Float32Array.of(1, 1, 1, 1),
  };
  const transitions = new Transitions(history, 63 * HOUR, {});
  assert.deepEqual(transitions.own("a"), [{ key: "purchase@0:=", value: 1 }, { key: "click@4:=", value: 1 }]);
  assert.deepEqual(transitions.own("b"), [{ key: "click@12:=", value: 1 }]);
  assert.deepEqual(transitions.own("c"), []);
});

Deno.test("Transitions.forEach() splits an age between its two neighbouring steps, linearly in its logarithm", () => {
  const history = {
    items: ["a"],
    categories: [["x"]],
    actions: ["purchase"],
    times: Float64Array.of(0),
    strengths: Float32Array.of(1),
  };
  for (const octaves of [0, 0.3, 1.25, 6.9]) {
    const transitions = new Transitions(history, (2 ** octaves - 1) * HOUR, {});
    let [sum, mean] = [0, 0];
    const add = (key: string, value: number) => {
      sum += value;
      mean += value * Number(key.slice("purchase@".length, key.indexOf(":")));
    };
    transitions.forEach(
      ["x"],
      (key, value, kind) => kind === "age" && key.text.endsWith(":x") && add(key.text, value),
    );
    assert.ok(Math.abs(sum - 1) < 1e-9 && Math.abs(mean - 2 * octaves) < 1e-6, `${octaves}: ${sum}, ${mean}`);
    assert.ok(transitions.own("a").every(({ value }) => value > 0 && value <= 1));
  }
});

Deno.test("Transitions.forEach() gives ages of earlier behaviours, unless a newer one has the same key", () => {
  const history = {
    items: ["a"],
    categories: [["x"]],
    actions: ["purchase"],
    times: Float64Array.of(63 * HOUR),
    strengths: Float32Array.of(1),
    earlier: {
      items: ["b", "c"],
      categories: [["y"], ["x"]],
      actions: ["purchase", "purchase"],
      times: Float64Array.of(0, 60 * HOUR),
    },
  };
  const transitions = new Transitions(history, 63 * HOUR, {});
  const keys = (category: string) => {
    const found: string[] = [];
    transitions.forEach([category], (key, _value, kind) => kind === "age" && found.push(key.text));
    return found;
  };
  assert.deepEqual(keys("x"), ["purchase@0:x", "purchase@0:*0"]);
  assert.deepEqual(keys("y"), ["purchase@12:y", "purchase@12:*0"]);
  assert.deepEqual(transitions.own("b"), [{ key: "purchase@12:=", value: 1 }]);
});

Deno.test("JoinedKeys.join() joins start and end, however many keys there have been", () => {
  const joined = new JoinedKeys();
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 10_000; n++) {
      const start = joined.start(`a${n % 7}`);
      assert.equal(joined.join(start, `b${n}`).text, `a${n % 7}b${n}`);
      assert.equal(joined.join(joined.join(start, "b"), `${n}`).text, `a${n % 7}b${n}`);
    }
  }
});

Deno.test("JoinedKeys.join() returns the same key object while it is remembered", () => {
  const joined = new JoinedKeys();
  assert.equal(joined.join(joined.start("a"), "b"), joined.join(joined.start("a"), "b"));
});

const name = fc.constantFrom("a", "b", "c");
const behaviour = fc.record({
  item: name,
  categories: fc.uniqueArray(name, { maxLength: 3 }),
  action: fc.constantFrom("click", "cart", "purchase"),
  time: fc.integer({ min: 0, max: 100 * HOUR }),
  strength: fc.float({ min: -2, max: 2, noNaN: true }),
});

Deno.test("Transitions.sum() and addOwn() equal sums over forEach() and own(), bit for bit", () => {
  fc.assert(
    fc.property(
      fc.array(behaviour, { maxLength: 8 }),
      fc.array(behaviour, { maxLength: 3 }),
      (of, before) => {
        const columns = (rows: typeof of) => ({
          items: rows.map(({ item }) => item),
          categories: rows.map(({ categories }) => categories),
          actions: rows.map(({ action }) => action),
          times: Float64Array.from(rows, ({ time }) => time),
          strengths: Float32Array.from(rows, ({ strength }) => strength),
        });
        const transitions = new Transitions({ ...columns(of), earlier: columns(before) }, 100 * HOUR, {});
        /** Different for each key, so that the order of summation matters. */
        const weights = new Map<string, number>();
        const weightOf = (key: string, kind: string) => {
          const weight = weights.get(kind + key) ?? 0.1 * 1.7 ** weights.size;
          weights.set(kind + key, weight);
          return weight;
        };
        for (const one of ["a", "b", "c", "d"]) {
          let [sum, own] = [0, 0.3];
          transitions.forEach([one], (key, value, kind) => sum += value * weightOf(key.text, kind));
          for (const { key, value } of transitions.own(one)) own += value * weightOf(key, "age");
          assert.equal(transitions.sum(one, ({ text }, kind) => weightOf(text, kind)), sum);
          assert.equal(transitions.addOwn(0.3, one, ({ text }, kind) => weightOf(text, kind)), own);
          assert.equal(transitions.has(one), transitions.own(one).length > 0);
        }
      },
    ),
  );
});
