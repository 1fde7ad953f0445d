import assert from "node:assert/strict";
import fc from "fast-check";
import { staleFiles } from "../../scripts/generate/schemas.ts";
import { checkEvent, checkItem, checkRecommendation } from "../../src/events/check.ts";
import { decodeEvent } from "../../src/events/codec.ts";
import { jsonSchemas } from "../../src/events/json_schema.ts";
import { rejectionOf } from "../../src/events/rejection.ts";
import type { RejectionCode } from "../../src/events/rejected.ts";
import { anyEvent, anyItem, anyRecommendation } from "./arbitraries.ts";
import { BREAKS, goodEvent, seeded } from "./broken_lines.ts";
import { matches } from "./schema_checker.ts";

const schemas = jsonSchemas();

Deno.test("docs/reference/schemas are what `deno run -A scripts/generate/schemas.ts` writes", async () => {
  assert.deepEqual(await staleFiles(), []);
});

Deno.test("jsonSchemas() takes every record that the validator takes", () => {
  fc.assert(fc.property(anyEvent, (event) => checkEvent(event).ok && matches(schemas.event, event)));
  fc.assert(fc.property(anyItem, (item) => checkItem(item).ok && matches(schemas.item, item)));
  fc.assert(
    fc.property(
      anyRecommendation,
      (answer) => checkRecommendation(answer).ok && matches(schemas.recommendation, answer),
    ),
  );
});

/** Codes of what JSON Schema has no words for, or sees only in part. */
const BEYOND: readonly RejectionCode[] = [
  "duplicate-key",
  "too-large",
  "too-deep",
  "not-finite",
  "lone-surrogate",
  "length-mismatch",
];

Deno.test("jsonSchemas() refuses what the validator refuses, as far as a schema can", () => {
  const random = seeded(3);
  let compared = 0;
  for (const { name, code, make } of BREAKS) {
    const text = new TextDecoder().decode(make(random));
    if (BEYOND.includes(code) || /json|utf8/.test(code)) continue;
    if (/257 bytes|constructor|prototype, escaped/.test(name)) continue; // it counts characters, and looks one level deep
    assert.equal(matches(schemas.event, JSON.parse(text)), false, name);
    compared++;
  }
  assert.ok(compared > 30);
  for (let i = 0; i < 50; i++) assert.ok(matches(schemas.event, goodEvent(random)));
});

Deno.test("jsonSchemas() and the validator agree on items and answers", () => {
  const item = { item: "i1", time: 1_700_000_000_000 };
  const good = [{}, { hidden: true }, { title: "" }, { categories: [] }, { color: null }];
  const bad = [{ time: 1 }, { item: "" }, { hidden: "no" }, { categories: [1] }, { expires: 1.5 }, {
    title: 5,
  }];
  for (const [i, fields] of [...good, ...bad].entries()) {
    const value = { ...item, ...fields };
    assert.equal(checkItem(value).ok, i < good.length, JSON.stringify(fields));
    assert.equal(matches(schemas.item, value), i < good.length, JSON.stringify(fields));
  }
  const shown = { item: "i1", score: 0.5, position: 0, propensity: 1, source: "given" };
  const answer = {
    request: "r",
    user: "u",
    model: "din",
    version: 1,
    stateVersion: 1,
    tookMicros: 10.5,
    items: [shown],
  };
  const changes = [{}, { items: [{ ...shown, propensity: 0 }] }, { items: [{ item: "i1" }] }, {
    version: -1,
  }];
  for (const [i, change] of changes.entries()) {
    const value = { ...answer, time: item.time, ...change };
    assert.equal(checkRecommendation(value).ok, i === 0);
    assert.equal(matches(schemas.recommendation, value), i === 0);
  }
});

Deno.test("jsonSchemas() describes rejections from the log and from files", () => {
  const bytes = new TextEncoder().encode("{");
  const decoded = decodeEvent(bytes);
  assert.ok(!decoded.ok);
  const onLog = rejectionOf({ topic: "events", partition: 0, offset: 5 }, decoded, bytes);
  const inFile = rejectionOf({ file: "events.jsonl", line: 5 }, decoded, bytes, 1e6);
  assert.ok(matches(schemas.rejected, onLog));
  assert.ok(matches(schemas.rejected, inFile));
  assert.ok(!matches(schemas.rejected, { ...onLog, code: "other" }));
  assert.ok(!matches(schemas.rejected, { ...onLog, ...inFile }));
});
