import assert from "node:assert/strict";
import { decodeExperiment, encodeExperiment, parseExperiment } from "../../streams/experiments/record.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";

const WITHOUT = [{ name: "a" }, { name: "b", retrieval: { without: ["closest"] } }];

Deno.test("decodeExperiment() accepts a source that is gone; parseExperiment() does not", () => {
  const draft = JSON.stringify({ name: "e", variants: WITHOUT });
  assert.throws(() => parseExperiment(draft, "e.json"), /variants\.1\.retrieval\.without\.0/);
  const record = {
    ...{ name: "e", hypothesis: "", layer: "l", salt: "s", mode: "split", traffic: 1, metric: "ctr" },
    ...{ variants: WITHOUT, guardRails: [], stopRule: {}, overrides: {}, unit: "user", status: "running" },
    ...{ spans: [], variantSpans: [[], []], revision: 1 },
  } as unknown as Experiment;
  assert.deepEqual(decodeExperiment(encodeExperiment(record)), record);
});
