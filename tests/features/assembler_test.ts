import assert from "node:assert/strict";
import fc from "fast-check";
import { hashString } from "../../src/embeddings/hash.ts";
import { Assembler, createHead } from "../../src/features/rows/assembler.ts";
import { behaviourVector } from "../../src/features/rows/behaviour_list.ts";
import { type Row, Rows } from "../../src/samples/rows.ts";
import type { ListFeatures } from "../../src/samples/sample.ts";
import type { FieldTable, TrainableTable } from "../../src/features/field_table.ts";
import { fieldSpecs, MAX_POSITION } from "../../src/features/fields.ts";
import { type FeatureSchema, numericNames } from "../../src/features/schema.ts";
import type { ModelInput } from "../../src/nn/models/core/model.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const K = 2;
const HOUR = 3_600_000;
const SCHEMA: FeatureSchema = {
  userFields: ["age", "city"],
  itemFields: ["brand"],
  contextFields: ["hour", "surface"],
  crosses: ["brand"],
  pairs: true,
};
const N = numericNames(SCHEMA).length;

/** Rows by key, each with a gradient; a new row gets random values. */
class MapTable implements TrainableTable {
  readonly width: number;
  readonly keys: string[] = [];
  readonly rows: Float32Array[] = [];
  readonly gradients: Float32Array[] = [];
  readonly #random: () => number;

  constructor(width: number, random: () => number) {
    this.width = width;
    this.#random = random;
  }

  rowOf(key: string): number {
    const known = this.keys.indexOf(key);
    if (known >= 0) return known;
    this.keys.push(key);
    this.rows.push(Float32Array.from({ length: this.width }, () => 2 * this.#random() - 1));
    this.gradients.push(new Float32Array(this.width));
    return this.keys.length - 1;
  }

  values(key: string): Float32Array {
    return this.rows[this.rowOf(key)] ?? new Float32Array();
  }

  addRow(row: number, scale: number, out: Float32Array, offset: number): void {
    this.rows[row]?.forEach((x, i) => out[offset + i]! += scale * x);
  }

  accumulate(row: number, scale: number, gradient: Float32Array, offset: number): void {
    const sum = this.gradients[row] ?? new Float32Array();
    for (let i = 0; i < sum.length; i++) sum[i]! += scale * gradient[offset + i]!;
  }
}

/** Everything that an impression is gathered from. */
class Setting {
  readonly random: () => number;
  readonly tables: ReadonlyMap<string, MapTable>;
  readonly head = createHead(SCHEMA);
  readonly standardisation;
  readonly assembler: Assembler;

  constructor(seed: number, schema: FeatureSchema = SCHEMA) {
    this.assembler = new Assembler(schema, K);
    this.random = mulberry32(seed);
    this.tables = new Map(
      fieldSpecs(SCHEMA, K).map(({ name, width }) => [name, new MapTable(width, this.random)]),
    );
    this.head.values.set(this.floats(N + 1));
    this.standardisation = { mean: this.floats(N), inverseDeviation: this.floats(N).map((x) => 3 + 2 * x) };
  }

  floats(length: number): Float32Array {
    return Float32Array.from({ length }, () => 2 * this.random() - 1);
  }

  table(name: string): MapTable {
    const table = this.tables.get(name);
    assert.ok(table !== undefined, name);
    return table;
  }

  /** A copy of what `gather` returns. */
  gather(list: ListFeatures): { readonly input: ModelInput; readonly wide: Float32Array } {
    return structuredClone(this.assembler.gather(list, this.tables, this.head, this.standardisation));
  }
}

const categories = fc.uniqueArray(fc.constantFrom("c0", "c1", "c2"), { maxLength: 3 });
const action = fc.constantFrom("click", "purchase");
const item = fc.constantFrom("i0", "i1", "i2", "i3");
const value = fc.option(fc.constantFrom("v0", "v1"));
const number = fc.float({ min: -2, max: 2, noNaN: true });
const row = fc.record({
  item,
  categories,
  fields: fc.tuple(value),
  numerics: fc.float32Array({ min: -2, max: 2, noNaN: true, minLength: N, maxLength: N }),
  offset: number,
  position: fc.constantFrom(-1, 0, 1, MAX_POSITION, MAX_POSITION + 1, 9999),
}, { noNullPrototype: true });
const list: fc.Arbitrary<ListFeatures> = fc.record({
  user: fc.constantFrom("u0", "u1"),
  userFields: fc.tuple(value, value),
  contextFields: fc.tuple(value, value),
  time: fc.integer({ min: 90 * HOUR, max: 100 * HOUR }),
  history: fc.array(fc.tuple(item, categories, action, fc.nat(95 * HOUR), number), {
    size: "max",
    maxLength: 10,
  }).map((behaviours) => ({
    items: behaviours.map(([item]) => item),
    categories: behaviours.map(([, categories]) => categories),
    actions: behaviours.map(([, , action]) => action),
    times: Float64Array.from(behaviours, ([, , , time]) => time).sort(),
    strengths: Float32Array.from(behaviours, ([, , , , strength]) => strength),
    ...(behaviours.length < 5 ? {} : {
      earlier: {
        items: ["i0", "i3"],
        categories: [["c1", "c2"], ["c0"]],
        actions: ["purchase", "purchase"],
        times: Float64Array.of(-100 * HOUR, -50 * HOUR),
      },
    }),
  })),
  rows: fc.array(row, { minLength: 1, maxLength: 4 }).map((rows) => Rows.of(rows)),
}, { noNullPrototype: true });

function assertClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(got.length, want.length, what);
  for (let i = 0; i < want.length; i++) {
    const gap = Math.abs((got[i] ?? NaN) - (want[i] ?? NaN));
    assert.ok(
      gap <= tolerance * Math.max(1, Math.abs(want[i] ?? NaN)),
      `${what}[${i}]: got ${got[i]}, want ${want[i]}`,
    );
  }
}

/** The formulas of the module's doc, over plain arrays. */
function naive(
  setting: Setting,
  list: ListFeatures,
): { readonly input: ModelInput; readonly wide: number[] } {
  const row = (name: string, key: string) => [...setting.table(name).values(key)];
  const scaled = (vector: readonly number[], scale: number) => vector.map((x) => scale * x);
  const sum = (vectors: readonly (readonly number[])[], width: number) =>
    vectors.reduce(
      (total, vector) => total.map((x, i) => x + (vector[i] ?? NaN)),
      new Array<number>(width).fill(0),
    );
  const vector = (item: string, categories: readonly string[]) => [
    ...row("item", item),
    ...sum(categories.map((name) => scaled(row("category", name), 1 / categories.length)), K),
  ];
  const field = (name: string, value: string | null | undefined) =>
    value === null || value === undefined ? new Array<number>(4).fill(0) : row(name, value);
  const first = (name: string, value: string | null | undefined) =>
    value === null || value === undefined ? 0 : row(`first:${name}`, value)[0] ?? NaN;
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x / values.length, 0);

  const { history, rows, user, userFields, contextFields } = list;
  const e = history.items.flatMap((item, t) =>
    scaled(vector(item, history.categories[t] ?? []), history.strengths[t] ?? NaN)
  );
  const q = rows.map((row) => vector(row.item, row.categories));
  const userVector = row("user", user);
  const standardised = rows.map(({ numerics }) =>
    [...numerics].map((x, n) => {
      const { mean, inverseDeviation } = setting.standardisation;
      return Math.max(-5, Math.min(5, (x - (mean[n] ?? NaN)) * (inverseDeviation[n] ?? NaN)));
    })
  );
  const [bias = NaN, ...linear] = setting.head.values;
  const named = (prefix: string, names: readonly string[], values: readonly (string | null)[]) =>
    names.map((name, f) => [`${prefix}:${name}`, values[f]] as const);
  const ofUser = named("user", SCHEMA.userFields, userFields);
  const ofContext = named("context", SCHEMA.contextFields, contextFields);
  const wide = rows.map((row, c) => {
    const ofItem = named("item", SCHEMA.itemFields, row.fields);
    const fields = [...ofUser, ...ofContext, ...ofItem].reduce(
      (sum, [name, value]) => sum + first(name, value),
      0,
    );
    return bias + row.offset + fields + first("user", user) + first("item", row.item) +
      mean(row.categories.map((name) => first("category", name))) +
      mean(row.categories.map((name) => transitions(list, name, first))) +
      own(list, row.item, (key) => first("age", key)) +
      pairs(list, row, (key) => first("pair", key)) +
      (row.position < 0 ? 0 : first("position", String(Math.min(MAX_POSITION, row.position)))) +
      linear.reduce((sum, weight, n) => sum + weight * (standardised[c]?.[n] ?? NaN), 0) +
      userVector.reduce((sum, x, j) => sum + x * (q[c]?.[j] ?? NaN), 0);
  });
  return {
    input: {
      T: history.items.length,
      K: rows.length,
      e: Float32Array.from(e),
      q: Float32Array.from(q.flat()),
      xu: Float32Array.from([...userVector, ...ofUser.flatMap(([name, value]) => field(name, value))]),
      xc: Float32Array.from([...rows].flatMap((row, c) => [
        ...standardised[c] ?? [],
        ...ofContext.flatMap(([name, value]) => field(name, value)),
        ...named("item", SCHEMA.itemFields, row.fields).flatMap(([name, value]) => field(name, value)),
      ])),
    },
    wide,
  };
}

/** The sum of the cross features of a history and a category of a candidate, each times its weight. */
function transitions(
  { history, time }: ListFeatures,
  to: string,
  weight: (table: string, key: string) => number,
): number {
  const behaviours = history.items.map((_, t) => ({
    action: history.actions[t] ?? "",
    categories: history.categories[t] ?? [],
    strength: history.strengths[t] ?? NaN,
    age: Math.max(0, time - (history.times[t] ?? NaN)),
  })).reverse();
  const all = [...behaviours, ...earlier(history, time)];
  const ended = behaviours.findIndex((other) => other.action === "purchase" && other.categories[0] === to);
  let sum = 0;
  behaviours.slice(0, 12).forEach(({ action, categories, strength, age }, t) => {
    const rank = behaviours.slice(0, t).filter((newer) => newer.action === "click").length;
    const target = ended >= 0 && t > ended ? `done:${to}` : to;
    for (const from of categories) {
      const value = strength * 0.5 ** rank * 2 ** (-age / (132 * HOUR)) / categories.length;
      sum += value * weight("transition", `${action}:${from}>${target}`);
    }
  });
  for (const action of ["click", "purchase"]) {
    const newest = all.find((other) => other.action === action && other.categories.includes(to));
    if (newest === undefined) continue;
    for (const what of [to, `*${newest.categories.indexOf(to)}`]) {
      sum += aged(newest.age, (step) => weight("age", `${action}@${step}:${what}`));
    }
  }
  return sum;
}

/** The behaviours that models do not read, newest first. */
function earlier(history: ListFeatures["history"], time: number) {
  const { items, categories, actions, times } = history.earlier ??
    { items: [], categories: [], actions: [], times: [] };
  return items.map((item, t) => ({
    item,
    action: actions[t] ?? "",
    categories: categories[t] ?? [],
    age: Math.max(0, time - (times[t] ?? NaN)),
  })).reverse();
}

/** The weight of an age: linear between those of half octaves. */
function aged(age: number, weight: (step: number) => number): number {
  const steps = 2 * Math.log2(1 + age / HOUR);
  const step = Math.floor(steps);
  return (step + 1 - steps) * weight(step) + (steps > step ? (steps - step) * weight(step + 1) : 0);
}

/** The weights of how long ago the user acted on the candidate itself. */
function own({ history, time }: ListFeatures, item: string, weight: (key: string) => number): number {
  return ["click", "purchase"].reduce((sum, action) => {
    const at = history.items.findLastIndex((other, t) => other === item && history.actions[t] === action);
    const age = at >= 0
      ? Math.max(0, time - (history.times[at] ?? NaN))
      : earlier(history, time).find((other) => other.item === item && other.action === action)?.age;
    return age === undefined ? sum : sum + aged(age, (step) => weight(`${action}@${step}:=`));
  }, 0);
}

/** The weights of pairs of the user and the user's fields with categories and brand. */
function pairs(
  { user, userFields }: ListFeatures,
  { categories, fields }: Row,
  weight: (key: string) => number,
): number {
  const brand = SCHEMA.itemFields.indexOf("brand");
  const values = [
    ...categories.map((name) => `c${name}`),
    ...(typeof fields[brand] === "string" ? [`a${brand}=${fields[brand]}`] : []),
  ];
  const whose = [
    `u${user}`,
    ...userFields.flatMap((value, f) => value === null ? [] : [`f${f}=${value}`]),
  ];
  return whose.flatMap((prefix) => values.map((value) => weight(`${prefix}\0${value}`)))
    .reduce((sum, x) => sum + x, 0);
}

Deno.test("Assembler.gather() equals its formulas, also with reused workspaces", () => {
  fc.assert(fc.property(fc.array(list, { minLength: 1, maxLength: 4 }), fc.nat(), (lists, seed) => {
    const setting = new Setting(seed);
    for (const list of lists) {
      const got = setting.gather(list);
      const want = naive(setting, list);
      assert.deepEqual([got.input.T, got.input.K], [want.input.T, want.input.K]);
      for (const name of ["e", "q", "xu", "xc"] as const) {
        assertClose(got.input[name], want.input[name], 1e-5, name);
      }
      assertClose(got.wide, want.wide, 1e-5, "wide");
    }
  }));
});

Deno.test("Assembler.gather() gives the same bits from still tables as from others, even after they change", () => {
  fc.assert(fc.property(fc.array(list, { minLength: 1, maxLength: 4 }), fc.nat(), (lists, seed) => {
    const setting = new Setting(seed);
    const { assembler, tables, head, standardisation } = setting;
    const still: ReadonlyMap<string, FieldTable> = new Map(
      [...tables].map(([name, table]) => [name, {
        width: table.width,
        isStill: true,
        rowOf: (key) => table.rowOf(key),
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
      }]),
    );
    for (let round = 0; round < 2; round++) {
      // The same rows again: as they are, and with other categories and fields.
      for (const list of [...lists, ...lists.map(otherwise), ...lists]) {
        const want = setting.gather(list);
        const got = assembler.gather(list, still, head, standardisation);
        assert.deepEqual(structuredClone(got), want);
      }
      for (const table of tables.values()) for (const row of table.rows) row.set(setting.floats(row.length));
      assembler.forget(still);
    }
  }));
});

/** The same items with other categories and fields. */
function otherwise(list: ListFeatures): ListFeatures {
  const rows = list.rows.map((row) => ({
    ...row,
    categories: [...row.categories, "c3"],
    fields: row.fields.map((value) => value === null ? "v2" : null),
  }));
  return { ...list, rows: Rows.of(rows) };
}

Deno.test("Assembler.scatter() equals central differences for every row and weight", () => {
  fc.assert(
    fc.property(list, fc.nat(), (list, seed) => {
      const setting = new Setting(seed);
      const { input, wide } = setting.gather(list);
      // The loss is a random linear functional of everything gathered.
      const of = { e: input.e, q: input.q, xu: input.xu, xc: input.xc, z: wide };
      const names = ["e", "q", "xu", "xc", "z"] as const;
      const weights = Object.fromEntries(
        names.map((name) => [name, setting.floats(of[name].length)]),
      ) as typeof of;
      const loss = () => {
        const { input, wide } = setting.gather(list);
        const at = { ...input, z: wide };
        return names.reduce(
          (sum, name) => sum + at[name].reduce((s, x, i) => s + x * weights[name][i]!, 0),
          0,
        );
      };

      const headGradients = new Float32Array(N + 1);
      const gradients = {
        ...structuredClone(weights),
        loss: 0,
        aux: 0,
        logits: new Float32Array(),
        negatives: new Float32Array(),
      };
      setting.assembler.scatter(list, setting.tables, gradients, setting.head, headGradients);

      const parameters = [
        ["head", setting.head.values, headGradients] as const,
        ...[...setting.tables].flatMap(([name, { keys, rows, gradients }]) =>
          keys.map((key, r) =>
            [`${name} ${key}`, rows[r] ?? headGradients, gradients[r] ?? headGradients] as const
          )
        ),
      ];
      // The loss is at most a product of two parameters, so a wide step is exact up to rounding.
      const STEP = 0.5;
      for (const [name, values, gradient] of parameters) {
        for (let i = 0; i < values.length; i++) {
          const value = values[i]!;
          values[i] = value + STEP;
          const above = loss();
          values[i] = value - STEP;
          const below = loss();
          values[i] = value;
          assertClose([gradient[i]!], [(above - below) / (2 * STEP)], 2e-4, `${name} ${i}`);
        }
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("Assembler with userIds: false neither depends on the user's id nor learns anything of it", () => {
  fc.assert(fc.property(list, fc.nat(), (list, seed) => {
    const setting = new Setting(seed, { ...SCHEMA, userIds: false });
    const got = setting.gather(list);
    assert.deepEqual(setting.gather({ ...list, user: "somebody else" }), got);
    const gradients = {
      e: got.input.e,
      q: got.input.q,
      xu: got.input.xu,
      xc: got.input.xc,
      z: got.wide,
      loss: 0,
      aux: 0,
      logits: new Float32Array(),
      negatives: new Float32Array(),
    };
    setting.assembler.scatter(list, setting.tables, gradients, setting.head, new Float32Array(N + 1));
    assert.deepEqual([setting.table("user").keys, setting.table("first:user").keys], [[], []]);
    assert.ok(setting.table("first:pair").keys.every((key) => key.startsWith("f")));
  }));
});

Deno.test("Assembler.scatter() gives gradients to the rows that keys have by now, of the last gathered list only", () => {
  fc.assert(fc.property(list, (list) => {
    const setting = new Setting(1);
    const [head, headGradients] = [setting.head, new Float32Array(N + 1)];
    // A key gets a row at its second look-up; after a gather() without rows, scatter() must look up all of them.
    const ownRow = (name: string, key: string) => 2 + hashString(`${name}/${key}`, 0) % 2 ** 31;
    const givenAfter = (sights: "some" | "none") => {
      const given: [row: number, scale: number][] = [];
      const sighted = new Set<number>();
      const isNew = (row: number) => sighted.size < sighted.add(row).size;
      const tables = new Map([...setting.tables].map(([name, { width }]) => [name, {
        width,
        rowOf: (key: string) => sights === "none" || isNew(ownRow(name, key)) ? 1 : ownRow(name, key),
        addRow: () => {},
      }]));
      const trained = new Map([...setting.tables].map(([name, { width }]) => [name, {
        width,
        rowOf: (key: string) => ownRow(name, key),
        addRow: () => {},
        accumulate: (row: number, scale: number) => void given.push([row, scale]),
      }]));
      const { input, wide } = setting.assembler.gather(list, tables, head, setting.standardisation);
      const gradients = {
        e: input.e,
        q: input.q,
        xu: input.xu,
        xc: input.xc,
        z: wide.fill(1),
        loss: 0,
        aux: 0,
        logits: new Float32Array(),
        negatives: new Float32Array(),
      };
      setting.assembler.scatter(list, trained, gradients, head, headGradients);
      assert.throws(() =>
        setting.assembler.scatter(
          { ...list, history: { ...list.history } },
          trained,
          gradients,
          head,
          headGradients,
        )
      );
      return given;
    };
    assert.deepEqual(givenAfter("some"), givenAfter("none"));
  }));
});

Deno.test("behaviourVector() equals what gather() makes of the behaviour", () => {
  fc.assert(fc.property(list, fc.nat(), (list, seed) => {
    const setting = new Setting(seed);
    const { input: { e } } = setting.gather(list);
    const { items, categories, strengths } = list.history;
    const out = new Float32Array(2 * K).fill(9);
    items.forEach((item, t) => {
      behaviourVector(setting.tables, item, categories[t] ?? [], strengths[t]!, out);
      assert.deepEqual(out, e.slice(t * 2 * K, (t + 1) * 2 * K));
    });
  }));
});

Deno.test("Assembler.gather() throws a RangeError when a table is missing", () => {
  const setting = new Setting(1);
  const tables = new Map([...setting.tables].filter(([name]) => name !== "user"));
  const list = {
    user: "u",
    userFields: [null, null],
    contextFields: [null, null],
    time: 0,
    history: {
      items: [],
      categories: [],
      actions: [],
      times: new Float64Array(),
      strengths: new Float32Array(),
    },
    rows: Rows.of([]),
  };
  assert.throws(
    () => setting.assembler.gather(list, tables, setting.head, setting.standardisation),
    RangeError,
  );
});
