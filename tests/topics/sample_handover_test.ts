import assert from "node:assert/strict";
import { historySample } from "../../src/samples/sample.ts";
import { SampleHandover } from "../../streams/topics/sample_handover.ts";

const history = {
  items: [],
  categories: [],
  actions: [],
  times: new Float64Array(0),
  strengths: new Float32Array(0),
};

Deno.test("SampleHandover() hands over each sample once, and forgets the oldest beyond 4096", () => {
  const handover = new SampleHandover();
  const samples = Array.from({ length: 5000 }, (_, n) => historySample(`u${n}`, n, history));
  samples.forEach((sample, n) => handover.put(2 * n, sample));
  assert.equal(handover.take(2 * 903), undefined);
  assert.equal(handover.take(2 * 904), samples[904]);
  assert.equal(handover.take(2 * 904), undefined);
  assert.equal(handover.take(2 * 4999), samples[4999]);
  assert.equal(handover.take(1), undefined);
});
