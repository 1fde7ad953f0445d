import assert from "node:assert/strict";
import { decodeExperiment, encodeExperiment, parseExperiment } from "../../streams/experiments/record.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";

const WITHOUT = [{ name: "a" }, { name: "b", retrieval: { without: ["closest"] } }];

function recordOf(name: string, variants: readonly unknown[]): Experiment {
  return {
    name,
    hypothesis: "",
    layer: "l",
    salt: "s",
    mode: "split",
    traffic: 1,
    metric: "ctr",
    variants,
    guardRails: [],
    stopRule: {},
    overrides: {},
    unit: "user",
    status: "running",
    spans: [],
    variantSpans: [[], []],
    revision: 1,
  } as unknown as Experiment;
}

Deno.test("decodeExperiment() accepts a source that is gone; parseExperiment() does not", () => {
  const draft = JSON.stringify({ name: "e", variants: WITHOUT });
  assert.throws(() => parseExperiment(draft, "e.json"), /variants\.1\.retrieval\.without\.0/);
  const record = recordOf("e", WITHOUT);
  assert.deepEqual(decodeExperiment(encodeExperiment(record)), record);
});

Deno.test("parseExperiment() refuses a name that no path of the API can have; decodeExperiment() reads what has it", () => {
  const variants = [{ name: "a" }, { name: "b", model: "prior" }];
  const parse = (name: string) => parseExperiment(JSON.stringify({ name, variants }), "e.json");
  for (const name of [".", ".."]) {
    assert.throws(() => parse(name), /name: must not be '\.' or '\.\.'/);
    const record = recordOf(name, variants);
    assert.deepEqual(decodeExperiment(encodeExperiment(record)), record);
  }
  for (const name of ["...", ".a", "..a", "a..", "a.b"]) {
    assert.equal(parse(name).name, name);
    assert.ok(new URL(`http://h/v1/experiments/${name}/stop`).pathname.includes(`/${name}/`));
  }
});
