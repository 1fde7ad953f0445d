/** Options say how far a change reaches, and those that need no rebuild can be changed on a log with a past. */

import assert from "node:assert/strict";
import { TASK_OPTIONS } from "../../src/engine/task_options.ts";
import { LEARNER_OPTIONS } from "../../src/learner/learner_options.ts";
import type { Declared, Option, OptionKind } from "../../src/options/option.ts";
import { blueprintChanges, blueprintOf } from "../../streams/config/blueprint.ts";
import {
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { reachesOf } from "../../streams/config/reach.ts";
import { changeText } from "../../streams/generations/changes.ts";
import { LEARNING_OPTIONS } from "../../streams/learning/options.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { replay } from "../../streams/replay/replay.ts";
import { openSource } from "../../streams/sources/open.ts";

const FLAGS = { model: "dien", variants: [], partitions: 2, seed: 0 } as const;

Deno.test("reachesOf() has the reach of every option of the configuration", () => {
  const reaches = reachesOf();
  const parts = new Set([...reaches.keys()].map((path) => path.split(".").slice(0, -1).join(".")));
  const silent = [...reaches].filter(([path, reach]) => reach === undefined && !parts.has(path));
  assert.deepEqual(silent, [], "say in the declaration how far a change reaches: reaches() or allReach()");
  assert.equal(reaches.get("features.itemFields"), "rebuild");
  assert.equal(reaches.get("models.dien.hidden"), "rebuild");
  assert.equal(reaches.get("http.keys"), "process");
  assert.ok(reaches.size > 100);
});

Deno.test("blueprintChanges() names each changed option and how far the change reaches", () => {
  const before = blueprintOf({}, FLAGS);
  assert.deepEqual(blueprintChanges(before, before), []);
  const config = {
    features: { itemFields: ["brand"] },
    actions: { share: { positive: true, strength: 1 } },
    policy: { name: "epsilon", epsilon: 0.1 },
    guard: null,
    retrieval: { head: false },
  } as const;
  const found = blueprintChanges(before, blueprintOf(config, { ...FLAGS, partitions: 6 }));
  assert.deepEqual(found.map(({ name, reach }) => [name, reach]), [
    ["actions.share", "onward"],
    ["features.itemFields", "rebuild"],
    ["guard", "at-once"],
    ["policy.epsilon", "at-once"],
    ["policy.name", "at-once"],
    ["retrieval.head", "onward"],
    ["partitions", "rebuild"],
  ]);
  assert.equal(
    changeText(found[1]!),
    'features.itemFields was [], is ["brand"]: needs a rebuild: records on the log were made with the old value',
  );
  const seeded = blueprintChanges(before, blueprintOf({}, { ...FLAGS, seed: 5 }));
  assert.deepEqual(
    seeded.map(({ name, reach }) => [name, reach]),
    [["seed", "rebuild"]],
    "a checkpoint has it",
  );
  const other = blueprintChanges(before, blueprintOf({}, { ...FLAGS, model: "base" }));
  assert.deepEqual(other.map(({ name }) => name), ["model", "features.transitions"]);
});

Deno.test("blueprintChanges() ignores options that only one release has, unless they differ from the default", () => {
  const now = blueprintOf({}, FLAGS);
  const { batchRows: _, ...options } = now.options;
  const before = { ...now, options: { ...options, gone: 3 } };
  assert.deepEqual(blueprintChanges(before, now), []);
  const changed = blueprintChanges(before, blueprintOf({ batchRows: 32 }, FLAGS));
  assert.deepEqual(changed.map(({ name, before, now }) => [name, before, now]), [[
    "batchRows",
    undefined,
    32,
  ]]);
});

/** Another valid value of an option; `undefined` if this knows of none. */
function otherValue({ kind, value, isNullable }: Option<unknown>): unknown {
  if (isNullable && value !== null) return null;
  return another(kind, value);
}

function another(kind: OptionKind, value: unknown): unknown {
  switch (kind.kind) {
    case "number": {
      const { minimum = 0, maximum = Infinity, above = -Infinity, below = Infinity } = kind.bounds;
      const finite = typeof value === "number" && Number.isFinite(value) ? value : 1;
      const fits = (n: number) => n !== value && n >= minimum && n <= maximum && n > above && n < below;
      return [finite * 2, finite / 2, 1, 0.5].map((n) => kind.isInteger ? Math.floor(n) : n).find(fits);
    }
    case "flag":
      return !value;
    case "choice":
      return kind.of.find((word) => word !== value);
    case "switch":
      return !value;
    default:
      return undefined;
  }
}

/** Options that need no rebuild, also of groups, each with a value that is not its default. */
function others(declared: Declared, path: readonly string[]): (readonly [readonly string[], unknown])[] {
  return Object.entries(declared).flatMap(([name, option]) => {
    if (option.reach === "rebuild") return [];
    const own = otherValue(option), { kind } = option;
    const inner = kind.kind === "group" ? others(kind.of, [...path, name]) : [];
    return [...(own === undefined ? [] : [[[...path, name], own] as const]), ...inner];
  });
}

const CHANGED = [
  ...others(TASK_OPTIONS, []),
  ...others(LEARNING_OPTIONS, []),
  ...others(LEARNER_OPTIONS, ["learner"]),
];

/** A configuration with other values of options. */
function configWith(options: typeof CHANGED): string {
  const config = { learner: { embeddingWidth: 2 }, models: { base: { widths: [2] } } };
  for (const [path, value] of options) {
    let at: Record<string, unknown> = config;
    for (const part of path.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[path.at(-1)!] = value;
  }
  return JSON.stringify(config);
}

async function runOn(path: string, options: typeof CHANGED, limit: number): Promise<void> {
  const config = parseConfig(configWith(options), "meander.json");
  const task = taskOptions({ ...PROFILES.meander, maxUnlistedItems: 1e6 }, config, "base");
  await using log = await SqliteLog.open(path);
  const { events } = await replay(log, openSource("meander", "fixtures/shop"), {
    model: "base",
    modelConfig: modelConfig("base", config),
    task,
    learner: learnerOptions(task, config, 0),
    learning: learningOptions(config),
    manifest: "{}",
    limit,
  });
  assert.equal(events, limit);
}

Deno.test("options that need no rebuild can be changed on a log with a past", async () => {
  assert.ok(CHANGED.length > 50, `${CHANGED.length} options`);
  const folder = await Deno.makeTempDir({ prefix: "meander-reach-" });
  await runOn(`${folder}/before`, [], 300);
  const change = async (name: string, options: typeof CHANGED) => {
    for (const end of ["", "-end"]) await Deno.copyFile(`${folder}/before${end}`, `${folder}/${name}${end}`);
    await runOn(`${folder}/${name}`, options, 360);
  };
  // Parts turned off or on hide their options, so they go apart; the rest in two halves, so that few hide others.
  const isWhole = ([, value]: typeof CHANGED[number]) => value === null || typeof value === "boolean";
  const values = CHANGED.filter((one) => !isWhole(one));
  const halves = [0, 1].map((half) => values.filter((_, n) => n % 2 === half));
  for (const [n, some] of [CHANGED.filter(isWhole), ...halves].entries()) {
    try {
      await change(`${n}`, some);
    } catch (cause) {
      for (const one of some) {
        await change(`${n}-${one[0].join(".")}`, [one]).catch((cause) => {
          throw new Error(`${one[0].join(".")} = ${JSON.stringify(one[1])}: it does need a rebuild`, {
            cause,
          });
        });
      }
      throw cause;
    }
  }
  await Deno.remove(folder, { recursive: true });
});
