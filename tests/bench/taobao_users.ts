/**
 * Long histories of real people: 114 users of Taobao over ten days, 88 events each, ranked as in P3
 * (docs/reference/protocols.md): DIEN over the newest 50 and 100 behaviours, MIMN over all.
 *
 * ```sh
 * deno run -A tests/bench/taobao_users.ts --data ../shared/data/taobao-userbehavior/users-113.csv --seeds 3
 * ```
 *
 * One pass, progressive; the second half of the tasks counts, and of these, those with more than 50 and more than
 * 100 behaviours before them by themselves. MIMN reads its whole history in each sample: mode R.
 *
 * @module
 */

import { Command } from "commander";
import { auc } from "../../src/metrics/ranking.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { taskFigures } from "../../scripts/research/protocols/figures.ts";
import { PROTOCOLS } from "../../scripts/research/protocols/protocols.ts";
import { TAOBAO_SCHEMA, taobaoSamples } from "../../scripts/research/protocols/taobao.ts";
import { readBehaviors, TASK_SIZE } from "../../scripts/research/protocols/taobao_tasks.ts";
import { type Judged, judgedFrom, Trial } from "../../scripts/research/protocols/trial.ts";
import { integer, print, runCommand } from "../../scripts/flags/command_line.ts";

interface Flags {
  readonly data: string;
  readonly seeds: number;
}

const VARIANTS: readonly (readonly [name: string, model: ModelName, history: number])[] = [
  ["base, T 50", "base", 50],
  ["dien, T 50", "dien", 50],
  ["dien, T 100", "dien", 100],
  ["mimn, whole life", "mimn", Infinity],
];

const program = new Command("taobao_users.ts")
  .option("--data <file>", "the users' events", "../shared/data/taobao-userbehavior/users-113.csv")
  .option("--seeds <n>", "seeds of each", integer, 3);

async function main({ data, seeds }: Flags): Promise<number> {
  // The file is sorted within users only.
  const behaviors = (await readBehaviors(data)).toSorted((a, b) => a.time - b.time);
  const lengths = taobaoSamples(behaviors, Infinity).map(({ history }) => history.items.length);
  const half = Math.floor(lengths.length / 2);
  for (let seed = 0; seed < seeds; seed++) {
    for (const [name, model, history] of VARIANTS) {
      const samples = taobaoSamples(behaviors, history);
      const { config } = PROTOCOLS.p3;
      const trial = new Trial({ schema: TAOBAO_SCHEMA, model, config, seed });
      const judged = judgedFrom(trial.progress(samples), samples, half);
      const figures = taskFigures(judged, TASK_SIZE);
      const parts = [0, 50, 100].map((least) => longer(judged, lengths.slice(half), least));
      const text = [
        ...["auc", "gauc", "mrr"].map((figure) => `${figure} ${figures[figure]?.toFixed(4) ?? "–"}`),
        ...parts,
      ];
      print(Deno.stdout, `${name}, seed ${seed}: ${text.join("  ")}\n`);
    }
  }
  return 0;
}

/** AUC of the tasks with more behaviours before them than `least`. */
function longer(judged: Judged, lengths: readonly number[], least: number): string {
  const rows = Array.from(judged.labels, (_, row) => row)
    .filter((row) => (lengths[Math.floor(row / TASK_SIZE)] ?? 0) > least);
  const value = auc(rows.map((row) => judged.labels[row]!), rows.map((row) => judged.predictions[row]!));
  return `> ${least}: ${value?.toFixed(4) ?? "–"} of ${rows.length / TASK_SIZE}`;
}

program.parse(Deno.args, { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
