import assert from "node:assert/strict";
import type { AttributeValue } from "../../src/events/event.ts";
import { fieldSpecs } from "../../src/features/fields.ts";
import { itemField } from "../../src/features/item_field.ts";
import { Assembler, createHead, modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA, numericNames } from "../../src/features/schema.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { Learner } from "../../src/learner/learner.ts";
import { Rows } from "../../src/samples/rows.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { batches } from "../learner/batches.ts";

const SCHEMA = { ...DEFAULT_SCHEMA, itemFields: ["brand", "taste[3]", "size"], transitions: null };

/** What a field adds to an array of zeros. */
function read(declared: string, text: string): number[] {
  const field = itemField(declared);
  const out = new Float32Array(field.width);
  assert.equal(field.add(text, [], out, 0), 0, "it has no first-order weight");
  return [...out];
}

Deno.test("itemField() of a vector reads lists of the declared length, clipped to ±5, and nothing else", () => {
  const { textOf, width, tables, attribute } = itemField("taste[3]");
  assert.deepEqual([attribute, width, tables], ["taste", 3, []]);
  assert.deepEqual(read("taste[3]", textOf([0.5, -1, 0])!), [0.5, -1, 0]);
  assert.deepEqual(read("taste[3]", textOf([1e300, -7, 5e-324])!), [5, -5, 0]);
  const others: (AttributeValue | undefined)[] = [
    [1, 2],
    [1, 2, 3, 4],
    ["a", "b", "c"],
    [],
    "0.5",
    3,
    true,
    undefined,
  ];
  for (const value of others) assert.equal(textOf(value), null, JSON.stringify(value));
});

Deno.test("itemField() of a vector reads nothing from another field's text", () => {
  for (
    const text of [
      "",
      "red",
      "x".repeat(17),
      "16 characters ok",
      "=".repeat(16),
      itemField("taste[4]").textOf([1, 2, 3, 4])!,
    ]
  ) {
    assert.deepEqual(read("taste[3]", text), [0, 0, 0], text);
  }
});

Deno.test("itemField() takes a name with other brackets as an attribute's name", () => {
  for (const name of ["brand", "price[eur]", "[3]", "a[0]", "a[1001]", "a[3] "]) {
    assert.equal(itemField(name).attribute, name);
  }
});

Deno.test("fieldSpecs() has no tables for a vector, and modelSizes() has as many inputs as it has numbers", () => {
  const names = fieldSpecs(SCHEMA, 4).map(({ name }) => name);
  assert.deepEqual(names.filter((name) => name.includes("item:")), [
    "item:brand",
    "item:size",
    "first:item:brand",
    "first:item:size",
  ]);
  const without = modelSizes({ ...SCHEMA, itemFields: ["brand", "size"] }, 4);
  assert.equal(modelSizes(SCHEMA, 4).context, without.context + 3);
});

Deno.test("Assembler.gather() puts a vector between its neighbours, and scatter() drops its gradient", () => {
  const assembler = new Assembler(SCHEMA, 2), head = createHead(SCHEMA);
  const given: string[] = [];
  const tables = new Map(
    fieldSpecs(SCHEMA, 2).map(({ name, width }) => [name, {
      width,
      rowOf: () => 2,
      addRow: (_row: number, scale: number, out: Float32Array, offset: number) => {
        for (let i = 0; i < width; i++) out[offset + i]! += scale * 7;
      },
      accumulate: () => void given.push(name),
    }]),
  );
  const list = {
    user: "u",
    userFields: [],
    contextFields: [null, null],
    time: 0,
    history: {
      items: [],
      categories: [],
      actions: [],
      times: new Float64Array(0),
      strengths: new Float32Array(0),
    },
    rows: Rows.of([{
      item: "i",
      fields: ["red", itemField("taste[3]").textOf([1, 2, 3])!, null],
      numerics: new Float32Array(numericNames(SCHEMA).length),
    }]),
  };
  const { input } = assembler.gather(list, tables, head, {
    mean: new Float32Array(numericNames(SCHEMA).length),
    inverseDeviation: new Float32Array(numericNames(SCHEMA).length),
  });
  assert.deepEqual([...input.xc].slice(-11), [7, 7, 7, 7, 1, 2, 3, 0, 0, 0, 0]);
  const gradients = {
    loss: 0,
    aux: 0,
    logits: new Float32Array(1),
    z: Float32Array.of(1),
    e: new Float32Array(0),
    q: new Float32Array(4),
    xu: new Float32Array(4),
    xc: new Float32Array(input.xc.length).fill(1),
    negatives: new Float32Array(0),
  };
  assembler.scatter(list, tables, gradients, head, new Float32Array(head.values.length));
  assert.deepEqual(given.filter((name) => name.includes("item:")), ["item:brand", "first:item:brand"]);
});

Deno.test("Catalogue.check() says what is wrong with a vector, and accepts a missing one", () => {
  const catalogue = new Catalogue(SCHEMA);
  const check = (attributes: Readonly<Record<string, AttributeValue>>) =>
    catalogue.check({ item: "tent", time: 1, attributes })?.reason;
  assert.equal(check({ taste: [1, 2, 3], brand: "x" }), undefined);
  assert.equal(check({}), undefined);
  assert.equal(
    check({ taste: [1, 2] }),
    "Cannot take attributes.taste of the item as a list of 3 numbers: current value is a list of 2",
  );
  assert.match(check({ taste: "red" })!, /as a list of 3 numbers: current value is "red"$/);
});

Deno.test("Learner.learn() learns tastes from the vectors of items that it sees only once", () => {
  const random = mulberry32(3);
  const samples = (itemFields: readonly string[]): Sample[] =>
    Array.from({ length: 700 }, (_, s) => ({
      request: `r${s}`,
      user: `u${s % 20}`,
      time: s,
      closedTime: s,
      version: 1,
      newUser: true,
      history: {
        items: [],
        categories: [],
        actions: [],
        times: new Float64Array(0),
        strengths: new Float32Array(0),
      },
      userFields: [],
      contextFields: [null, null],
      rows: Rows.of(Array.from({ length: 4 }, (_, c) => {
        const taste = [2 * random() - 1, 2 * random() - 1, 2 * random() - 1];
        return {
          item: `i${s}-${c}`,
          fields: itemFields.map((declared) => itemField(declared).textOf(taste)),
          numerics: new Float32Array(numericNames(DEFAULT_SCHEMA).length),
          label: random() < 1 / (1 + Math.exp(-4 * taste[0]!)) ? 1 as const : 0 as const,
        };
      })),
    }));
  const judged = (itemFields: readonly string[]) => {
    const schema = { ...DEFAULT_SCHEMA, transitions: null, itemFields };
    const learner = new Learner(createModel("base", modelSizes(schema, 4), {}, mulberry32(1)), {
      schema,
      embeddingWidth: 4,
    });
    const samplesOnLog = samples(itemFields).map((sample) => decodeSample(encodeSample(sample)));
    const losses = batches(samplesOnLog).map((batch) => learner.learn(batch).logLoss).slice(60);
    return losses.reduce((sum, loss) => sum + loss / losses.length, 0);
  };
  // The true probabilities lower the loss from 0.69 to 0.41.
  assert.ok(judged(["taste[3]"]) < 0.5);
  assert.ok(judged([]) > 0.66);
});
