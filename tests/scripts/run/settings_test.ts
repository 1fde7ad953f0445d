import assert from "node:assert/strict";
import { TASK_OPTIONS } from "../../../src/engine/task_options.ts";
import { settleAll } from "../../../src/options/option.ts";
import { blueprintOf } from "../../../streams/config/blueprint.ts";
import { parseConfig } from "../../../streams/config/config.ts";
import { topicNames } from "../../../streams/topics/topics.ts";
import type { Flags } from "../../../scripts/run/flags.ts";
import { rebuildOptions } from "../../../scripts/rebuild/choice.ts";
import { generationOptions, memoryOf, serviceOptions } from "../../../scripts/run/service_options.ts";
import { readSettings } from "../../../scripts/run/settings.ts";

const FLAGS: Flags = {
  log: "sqlite",
  prefix: "meander.",
  model: "base",
  seed: 0,
  snapshotInterval: 30,
  members: ".data/members",
  config: "fixtures/shop/meander.json",
};

Deno.test("readSettings() rejects flags that contradict each other before anything is opened", async () => {
  const cases: readonly (readonly [Partial<Flags>, RegExp])[] = [
    [{ rebuild: true, roles: ["task"] }, /Cannot rebuild in this process/],
    [{ snapshots: "there" }, /Cannot keep snapshots with a SQLite log/],
  ];
  for (const [flags, message] of cases) {
    await assert.rejects(readSettings({ ...FLAGS, ...flags }), message, JSON.stringify(flags));
  }
});

Deno.test("memoryOf() divides --memory between a generation that serves and one that is built", async () => {
  const memory = 1 << 30;
  const flags = { ...FLAGS, memory };
  const config = parseConfig("{}", "meander.json");
  const made = { config, model: "base", seed: 0, partitions: 1, variants: [] } as const;
  const settings = await readSettings(flags);
  const bytesOf = (of: 1 | 2) => {
    const own = memoryOf(flags, of);
    const parts = { memory: own, outputs: undefined, metrics: undefined as never };
    const { stateBytes = 0, learner } = serviceOptions(made, settings, parts);
    const built = rebuildOptions(config, { ...made, memory: own }, topicNames());
    // The learner's tables, and the scorer's copy of them.
    const serves = stateBytes + 2 * (learner.tableBytes ?? Infinity);
    const builds = (built.stateBytes ?? 0) + 2 * (built.spec.learner.tableBytes ?? Infinity);
    return { serves, builds };
  };
  assert.equal(bytesOf(1).serves, memory);
  assert.deepEqual(bytesOf(2), { serves: memory / 2, builds: memory / 2 });
});

Deno.test("generationOptions() has the options that a blueprint records, all defaults of a service included", () => {
  const setup = { config: {}, model: "base", variants: [], partitions: 1, seed: 0 } as const;
  const { options } = blueprintOf(setup.config, setup);
  const task: Record<string, unknown> = settleAll(TASK_OPTIONS, generationOptions(setup, undefined).task);
  for (const [name, value] of Object.entries(task)) {
    assert.deepEqual(value ?? null, options[name] ?? null, name);
  }
});
