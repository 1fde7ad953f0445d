/**
 * How well the statistics of experiments keep their promises, by simulation; the figures of docs/explanation/experiments.md.
 *
 * ```sh
 * deno run -A tests/bench/experiments.ts            # all, about ten minutes
 * deno run -A tests/bench/experiments.ts loss split # some: split, loss, interleaving, fairness, coverage, assignment
 * ```
 *
 * @module
 */

import { Experiments } from "../../src/assignment/assignment.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import { InterleavingTotals, listPicker, teamDraft } from "../../src/assignment/interleaving.ts";
import { type EstimatorName, evaluatePolicy } from "../../src/experiments/off_policy.ts";
import { ExposureLoss } from "../../src/experiments/exposure_loss.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { Moments } from "../../src/experiments/user_metrics.ts";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { normalCdf, normalQuantile } from "../../src/metrics/normal.ts";
import { createRandom, normal, type Random } from "../../src/draws/random_source.ts";
import { creditsOf, PAIRS, READERS, wins } from "../assignment/drafts.ts";
import { banditContexts, drawLog } from "./bandit.ts";
import { drawPages, type Page } from "./pages.ts";

const CLICKS = METRIC_FIELDS.indexOf("clicks");
const ROWS = METRIC_FIELDS.indexOf("rows");

const print = (line = "") => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

function split(): void {
  print("\n## Split: 50:50, a share of one arm is lost, before 50,000 users, 1,000 runs");
  print("| lost | best possible test, looked at once | SampleRatio, looked at always | median alarm |");
  print("| --- | --- | --- | --- |");
  for (const lost of [0, 0.01, 0.02, 0.03, 0.04, 0.05]) {
    const alarms: number[] = [];
    for (let run = 0; run < 1000; run++) {
      const random = createRandom(run, 3);
      const ratio = new SampleRatio([0.5, 0.5]);
      let n = 0;
      while (n < 50_000 && !ratio.mismatch) {
        const arm = random() < 0.5 ? 0 : 1;
        if (arm === 1 && random() < lost) continue;
        ratio.update(arm);
        n++;
      }
      alarms.push(ratio.mismatch ? n : Infinity);
    }
    const shift = (0.5 - (1 - lost) / (2 - lost)) * Math.sqrt(50_000) / 0.5;
    const best = normalCdf(shift - normalQuantile(0.995)) + normalCdf(-shift - normalQuantile(0.995));
    const caught = alarms.filter(Number.isFinite).length / 1000;
    print(`| ${percent(lost, 0)} | ${percent(best)} | ${percent(caught)} | ${median(alarms)} |`);
  }
}

/** Two rankers that know the truth up to noise; the second has less of it. */
function interleaving(): void {
  print("\n## Interleaving against A/B: users until the better ranker is known, alpha 5 %, 200 runs");
  const pages = drawPages(3000, 1);
  const experiment = startExperiment({
    name: "e",
    variants: [{ name: "A" }, { name: "B" }],
    stopRule: { maxUsers: 10_000 },
  }, { records: new Map(), models: [] });
  print(
    "| CTR of the rankers | A/B, median users | interleaving, median users | ratio | wrong, A/B | wrong, interleaving |",
  );
  print("| --- | --- | --- | --- | --- | --- |");
  for (const [worse, better] of [[1, 0.7], [1, 0.85], [0.6, 0.5]] as const) {
    const rank = (page: Page, noise: number, random: Random) =>
      page.logits.map((logit, index) => ({ index, score: logit + noise * normal(random) }))
        .sort((a, b) => b.score - a.score).map(({ index }) => index);
    const clicked = (page: Page, index: number, position: number, random: Random) =>
      random() < 1 / (1 + Math.exp(-page.logits[index]!)) / (1 + 0.04 * position) ? 1 : 0;
    const rates = [0, 0];
    let shown = 0;
    const [ab, drafted]: [number[], number[]] = [[], []];
    let [wrongAb, wrongDraft] = [0, 0];
    const cap = 200_000;
    for (let run = 0; run < 200; run++) {
      const random = createRandom(run, 4);
      const draw = () => pages[Math.floor(random() * pages.length)]!;
      const arms = [new Moments(), new Moments()] as const;
      const figures = { experiment, moments: (variant: number) => arms[variant]! };
      let n = 0;
      for (; n < cap; n++) {
        const arm = random() < 0.5 ? 0 : 1;
        const page = draw();
        const sums = new Float64Array(METRIC_FIELDS.length);
        sums[0] = 1;
        rank(page, arm === 0 ? worse : better, random).slice(0, 10).forEach((index, position) => {
          const click = clicked(page, index, position, random);
          sums[ROWS]!++;
          sums[CLICKS]! += click;
          rates[arm]! += click;
        });
        shown += 5;
        arms[arm].update(sums, undefined);
        if (n % 20 !== 19 || n < 200) continue;
        const { interval: { low, high } } = compareVariant(figures, 1, "ctr");
        if (low > 0 || high < 0) {
          wrongAb += Number(high < 0);
          break;
        }
      }
      ab.push(n + 1);
      const totals = new InterleavingTotals();
      const [coin, drawn] = [createRandom(run, 5), createRandom(run, 7)];
      for (n = 0; n < cap; n++) {
        const page = pages[Math.floor(drawn() * pages.length)]!;
        const clicks: [number, number] = [0, 0];
        const pickers = [
          listPicker(rank(page, worse, drawn)),
          listPicker(rank(page, better, drawn)),
        ] as const;
        teamDraft(pickers, 10, coin)
          .forEach(({ item, team }, position) => {
            const click = clicked(page, item, position, drawn);
            if (team !== null) clicks[team] += click;
          });
        totals.update(`u${n}`, clicks);
        if (n % 10 !== 9) continue;
        const { interval } = totals.get(0.05);
        if (interval.low > 0 || interval.high < 0) {
          wrongDraft += Number(interval.high < 0);
          break;
        }
      }
      drafted.push(n + 1);
    }
    const [a, d] = [median(ab), median(drafted)];
    const ctr = rates.map((clicks) => percent(clicks / shown, 2)).join(" and ");
    print(`| ${ctr} | ${a} | ${d} | ${(a / d).toFixed(1)} | ${wrongAb} | ${wrongDraft} |`);
  }
}

/** People who click at random, and each pair of variants: 200 runs per pair. */
function fairness(): void {
  print(
    "\n## Interleaving: runs of 3,000 users in which a variant is preferred for nothing, alpha 5 %, 200 runs",
  );
  print(
    `| the second variant, or both | ${Object.keys(READERS).map((name) => `clicks ${name}`).join(" | ")} |`,
  );
  print(`| --- | ${Object.keys(READERS).map(() => "---").join(" | ")} |`);
  for (const [at, [name, pickers]] of Object.entries(PAIRS).entries()) {
    const lists = creditsOf(pickers);
    const cells = Object.values(READERS).map((reader) =>
      wins(lists, reader, { runs: 200, alpha: 0.05, seed: 100 + at })
        .map((won) => percent(won / 200)).join(" and ")
    );
    print(`| ${name} | ${cells.join(" | ")} |`);
  }
}

function assignment(): void {
  print("\n## Assignment, one core, best of 5");
  const none = { records: new Map(), models: ["base"] };
  const policy = { name: "epsilon", epsilon: 0.1 } as const;
  const a = startExperiment({ name: "a", variants: [{ name: "A" }, { name: "B", policy }] }, none);
  const b = startExperiment({
    name: "b",
    layer: "m",
    variants: [{ name: "A" }, { name: "B", model: "base" }],
  }, none);
  const users = Array.from({ length: 1_000_000 }, (_, u) => `user-${u}`);
  for (const records of [[], [a], [a, b]]) {
    const experiments = new Experiments(records);
    let best = Infinity;
    let exposures = 0;
    for (let run = 0; run < 5; run++) {
      const start = performance.now();
      for (const user of users) exposures += experiments.assign(user).exposures.length;
      best = Math.min(best, performance.now() - start);
    }
    if (exposures !== 5 * records.length * users.length) throw new Error("users were left out");
    print(`${records.length} experiments: ${(1000 / best).toFixed(2)} million users/s`);
  }
}

/** Single choices and lists of three in the shop, logged by one policy and evaluated for another, 500 times. */
function coverage(): void {
  print("\n## Off-policy evaluation: 500 logs, 95 % intervals");
  print(
    "| list | lists a log | ESS | estimator | bias | coverage, normal | coverage, bootstrap | mean half width |",
  );
  print("| --- | --- | --- | --- | --- | --- | --- | --- |");
  const [logging, target] = [{ name: "boltzmann", temperature: 1.5 }, {
    name: "boltzmann",
    temperature: 0.7,
  }] as const;
  for (const length of [1, 3]) {
    const { contexts, truth } = banditContexts(200, length, target);
    const seen = new Map<
      EstimatorName,
      { error: number; normal: number; bootstrap: number; width: number }
    >();
    let effective = 0;
    for (let run = 0; run < 500; run++) {
      const log = drawLog(contexts, { lists: 2000, length, logging, target, random: createRandom(run, 5) });
      const { estimates, overlap } = evaluatePolicy(log, { resamples: 200, seed: run });
      effective += overlap.effective / 500;
      for (const { estimator, value, normal, bootstrap } of estimates) {
        const sums = seen.get(estimator) ?? { error: 0, normal: 0, bootstrap: 0, width: 0 };
        seen.set(estimator, sums);
        const holds = ({ low, high }: { low: number; high: number }) => Number(low <= truth && truth <= high);
        sums.error += value - truth;
        sums.normal += holds(normal);
        sums.bootstrap += holds(bootstrap!);
        sums.width += (normal.high - normal.low) / 2;
      }
    }
    for (const [estimator, { error, normal, bootstrap, width }] of seen) {
      print(
        `| ${length} | 2000 | ${effective.toFixed(0)} | ${estimator} | ${
          percent(error / 500 / truth, 2)
        } | ` +
          `${percent(normal / 500)} | ${percent(bootstrap / 500)} | ${(width / 500).toFixed(4)} |`,
      );
    }
  }
}

/** Users who are lost between answer and sample, identified by name. */
function loss(): void {
  print("\n## Loss: 1 % of both arms is lost, and more of one, 1,000 runs of 50,000 users");
  print("| of one arm | more lost | empty lists | alarm | median users until it | 95 % caught before |");
  print("| --- | --- | --- | --- | --- | --- |");
  for (const [lost, empty] of [[0, 0], [0, 0.2], [0.01, 0], [0.02, 0]] as const) {
    const alarms: number[] = [];
    for (let run = 0; run < 1000; run++) {
      const random = createRandom(run, 6);
      const loss = new ExposureLoss([0.5, 0.5], 0);
      let n = 0;
      for (; n < 50_000 && !loss.ratio.mismatch; n++) {
        const arm = random() < 0.5 ? 0 : 1;
        if (arm === 1 && random() < empty) continue;
        loss.recommended(`${n}`, arm, n);
        if (random() >= 0.01 + (arm === 1 ? lost : 0)) loss.seen(`${n}`);
        loss.advance(n);
      }
      alarms.push(loss.ratio.mismatch ? n : Infinity);
    }
    alarms.sort((a, b) => a - b);
    const caught = alarms.filter(Number.isFinite).length / 1000;
    print(
      `| | ${percent(lost, 0)} | ${percent(empty, 0)} | ${percent(caught)} | ${median(alarms)} | ${
        alarms[949]
      } |`,
    );
  }
}

const PARTS = { split, loss, interleaving, fairness, coverage, assignment };
for (const [name, part] of Object.entries(PARTS)) {
  if (Deno.args.length === 0 || Deno.args.includes(name)) part();
}
