import assert from "node:assert/strict";
import { parseConfig } from "../../streams/config/config.ts";

const folder = new URL("./what_earns/", import.meta.url);

async function config(name: string) {
  return parseConfig(await Deno.readTextFile(new URL(`${name}.json`, folder)), name);
}

Deno.test("the configurations of what_earns differ exactly as their names say", async () => {
  const base = parseConfig(await Deno.readTextFile("fixtures/shop/meander.json"), "meander.json");
  const expected = [
    ["ids", false, null, true],
    ["pairs", true, null, true],
    ["crosses", false, {}, true],
    ["net", true, {}, false],
  ] as const;
  for (const [name, pairs, transitions, linear] of expected) {
    const { features, learner, models, sequence } = await config(name);
    assert.deepEqual(features, { ...base.features, pooled: false, pairs, transitions }, name);
    assert.deepEqual(sequence, base.sequence);
    const off = { embeddingWidth: 1, embeddingScale: 0, embeddingLearningRate: 1e-12 };
    assert.deepEqual(learner, { ...base.learner, ...(linear ? off : {}) }, name);
    assert.deepEqual(models?.base, linear ? { widths: [], dotHead: false } : {}, name);
  }
});
