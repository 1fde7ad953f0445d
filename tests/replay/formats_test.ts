import assert from "node:assert/strict";
import { learnerOptions } from "../../streams/config/config.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { LISTED, PROFILES } from "../../streams/replay/profiles.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { replay, type ReplayResult } from "../../streams/replay/replay.ts";
import { type Format, openSource } from "../../streams/sources/open.ts";

const DATA = Deno.env.get("MEANDER_DATA") ?? new URL("../../../shared/data", import.meta.url).pathname;
const LIMIT = 3000;

interface Case {
  readonly format: Format;
  /** Within the folder of the data. */
  readonly path: string;
  readonly check: (result: ReplayResult) => void;
}

const CASES: readonly Case[] = [
  {
    format: "ml-100k",
    path: "ml-100k",
    check: ({ task: { counters, users }, learning }) => {
      // Each rating is an impression and its outcome, and each person has a profile.
      assert.equal(counters.impressions, counters.interactions);
      assert.equal(counters.impressions * 2 + users.size + counters.otherActions, LIMIT);
      assert.equal(counters.samples, counters.impressions, "a rating settles its impression at once");
      assert.ok((learning.validation.rows.report().auc ?? 0) > 0.65);
    },
  },
  {
    format: "sparrow",
    path: "sparrowrecsys",
    check: ({ task: { counters }, learning }) => {
      assert.equal(counters.impressions, LIMIT / 2);
      assert.equal(counters.samples, LIMIT / 2);
      assert.ok((learning.validation.rows.report().auc ?? 0) > 0.6);
    },
  },
  ...["stream-2017-11-26.csv", "users-113.csv"].map((file): Case => ({
    format: "taobao",
    path: `taobao-userbehavior/${file}`,
    check: ({ task: { counters, catalogue }, learning }) => {
      assert.equal(counters.interactions, LIMIT);
      assert.equal(counters.behaviours + counters.otherActions, LIMIT);
      assert.equal(counters.samples, 0, "no lists were shown");
      assert.equal(learning.version, 1);
      assert.equal(counters.items, catalogue.size);
    },
  })),
  ...["bts", "random"].map((policy): Case => ({
    format: "open-bandit",
    path: `open-bandit/${policy}/men`,
    check: ({ task: { counters, users }, learning }) => {
      assert.ok(counters.impressions > 0.9 * LIMIT, `${counters.impressions} impressions`);
      assert.equal(
        counters.impressions + counters.interactions + users.size,
        LIMIT,
        "one profile per person",
      );
      assert.equal(counters.positives, counters.interactions, "every click finds its impression");
      assert.equal(counters.unmatchedOutcomes, 0);
      const { rows, constantLogLoss } = learning.validation.rows.report();
      assert.equal(rows, counters.rows);
      assert.ok((constantLogLoss ?? 1) < 0.1, "clicks are rare");
    },
  })),
];

for (const { format, path, check } of CASES) {
  const there = exists(`${DATA}/${path}`);
  const name = `replay() of ${format} runs over the real sample ${path}`;
  if (!there) {
    Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED "${name}": the data ${path} are missing\n`));
  }
  Deno.test({
    name,
    ignore: !there,
    fn: async () => {
      const run = (task: TaskOptions) =>
        replay(new MemoryLog(), openSource(format, `${DATA}/${path}`), {
          model: "base",
          modelConfig: {},
          task,
          learner: learnerOptions(task, {}, 0),
          limit: LIMIT,
          retain: false,
          manifest: "{}",
        });
      const task = PROFILES[format];
      const result = await run(task);
      assert.equal(result.events, LIMIT);
      assert.equal(result.task.counters.events, LIMIT);
      assert.deepEqual(result.rejections.groups, []);
      assert.equal(result.learning.failures, 0);
      assert.equal(result.learning.validation.rows.length, result.task.counters.rows);
      check(result);
      assert.ok(LISTED.has(format));
      const { digests } = await run({ ...task, retrieval: { ...task.retrieval, learn: false } });
      const { samples, parameters } = result.digests;
      assert.deepEqual(
        [digests.samples, digests.parameters],
        [samples, parameters],
        "retrieval is not asked",
      );
    },
  });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
