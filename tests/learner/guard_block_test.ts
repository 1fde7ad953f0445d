import assert from "node:assert/strict";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import {
  type Block,
  blockOf,
  chanceOf,
  column,
  type Figure,
  FIGURES,
  GAIN,
  meanOfBlocks,
  RATE,
  ROWS,
  TRIMMED,
  WHOLE,
} from "../../src/learner/guard/guard_block.ts";
import { correlatedVariance } from "../../src/learner/guard/series.ts";
import { type Row, Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { makeSamples } from "./batches.ts";

const [TEMPLATE] = makeSamples(1, 1, 1);

/** What a guard sees of a row. */
type Seen = Pick<Row, "label" | "prediction" | "offset">;

function list(user: string, rows: readonly Seen[]): Sample {
  const row = TEMPLATE!.rows.at(0);
  return { ...TEMPLATE!, user, rows: Rows.of(rows.map((seen) => ({ ...row, ...seen }))) };
}

/** Batches of lists of a few users, some without rows. */
function randomBatch(random: () => number, users: number): Sample[] {
  return Array.from({ length: 12 }, () => {
    const rows = Array.from({ length: Math.floor(4 * random()) }, (): Seen => ({
      label: random() < 0.4 ? 1 : 0,
      prediction: random(),
      offset: normal(random),
    }));
    return list(`u${Math.floor(users * random())}`, rows);
  });
}

function near(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) <= 1e-9 * Math.max(1, Math.abs(want)), `${what}: ${got}, not ${want}`);
}

Deno.test("blockOf() weights users equally, and its trimmed figures leave out the user with the highest", () => {
  const random = createRandom(1);
  for (let run = 0; run < 50; run++) {
    const batch = randomBatch(random, 1 + run % 5);
    const block = blockOf(batch, 0.5);
    const own = [...Map.groupBy(batch.filter(({ rows }) => rows.length > 0), ({ user }) => user).values()];
    const alone = own.map((lists) => blockOf(lists, 0));
    const of = (field: number) => alone.map((each) => each[field]!);
    const mean = (values: readonly number[]) =>
      values.length === 0 ? 0 : values.reduce((sum, x) => sum + x, 0) / values.length;
    assert.equal(block[ROWS], of(ROWS).reduce((sum, rows) => sum + rows, 0));
    assert.equal(block[WHOLE.users], own.length);
    assert.equal(block[TRIMMED.users], Math.max(0, own.length - 1));
    near(block[RATE]!, mean(of(RATE)), "rate");
    for (const name of FIGURES) {
      const figures = of(WHOLE[name]);
      near(block[WHOLE[name]]!, mean(figures), name);
      near(
        block[TRIMMED[name]]!,
        mean(figures.toSorted((a, b) => a - b).slice(0, -1)),
        `${name} without the highest`,
      );
    }
  }
});

Deno.test("blockOf() compares losses with the prior's and with their expectation, and predictions with the rate", () => {
  const random = createRandom(4);
  const rows = [1, 0, 0, 1, 0].map((label): Seen => ({
    label: label === 1 ? 1 : 0,
    prediction: random(),
    offset: normal(random),
  }));
  const block = blockOf([list("a", rows.slice(0, 2)), list("a", rows.slice(2))], 0.5);
  const mean = (of: (row: Seen) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const loss = (label: number, p: number) => -Math.log(label === 1 ? p : 1 - p);
  const own = ({ label, prediction }: Seen) => loss(label, prediction);
  const prior = ({ label, offset }: Seen) => loss(label, 1 / (1 + Math.exp(-offset)));
  const expected = ({ prediction: p }: Seen) => p * loss(1, p) + (1 - p) * loss(0, p);
  const [predicted, rate] = [mean(({ prediction }) => prediction), mean(({ label }) => label)];
  near(block[RATE]!, rate, "rate");
  near(block[GAIN]!, 0.5 - mean(own), "gain");
  near(block[WHOLE.excess]!, mean((row) => own(row) - prior(row)), "excess");
  near(block[WHOLE.surprise]!, mean((row) => own(row) - expected(row)), "surprise");
  near(block[WHOLE.over]!, predicted - 2 * rate, "over");
  near(block[WHOLE.under]!, rate / 2 - predicted, "under");
});

Deno.test("chanceOf() is the enumerated variance and skewness of a figure if the predictions are true", () => {
  const random = createRandom(2);
  const users = [["a", 2], ["b", 1], ["b", 1], ["c", 2]] as const;
  const rows = users.flatMap(([, count]) =>
    Array.from({ length: count }, () => ({ prediction: 0.02 + 0.9 * random() ** 2, offset: normal(random) }))
  );
  /** Two batches, of the first user and of the others. */
  const blocksFor = (labels: number): Block[] => {
    let n = 0;
    const lists = users.map(([user, count]) =>
      list(
        user,
        Array.from({ length: count }, () => ({ ...rows[n]!, label: labels >> n++ & 1 ? 1 as const : 0 })),
      )
    );
    return [blockOf(lists.slice(0, 1), 0), blockOf(lists.slice(1), 0)];
  };
  const outcomes = Array.from({ length: 2 ** rows.length }, (_, labels) => ({
    blocks: blocksFor(labels),
    chance: rows.reduce((p, { prediction }, n) => p * (labels >> n & 1 ? prediction : 1 - prediction), 1),
  }));
  const expected = (of: (blocks: readonly Block[]) => number) =>
    outcomes.reduce((sum, { blocks, chance }) => sum + chance * of(blocks), 0);
  const figureOf = (name: Figure) => (blocks: readonly Block[]) =>
    meanOfBlocks([blocks], WHOLE[name], WHOLE.users);
  for (const name of FIGURES) {
    const figure = figureOf(name);
    const mean = expected(figure);
    const moment = (power: number) => expected((blocks) => (figure(blocks) - mean) ** power);
    for (const { blocks } of [outcomes[0]!, outcomes.at(-1)!]) {
      const { variance, skewness } = chanceOf(blocks, name, WHOLE);
      near(variance, moment(2), name);
      near(skewness, moment(3) / moment(2) ** 1.5, name);
    }
  }
  near(expected(figureOf("surprise")), 0, "what predictions expect of themselves");
});

Deno.test("chanceOf(), column() and meanOfBlocks() ignore batches without users", () => {
  const one = blockOf([list("a", [{ label: 1, prediction: 0.3, offset: 0 }])], 0);
  for (const fields of [WHOLE, TRIMMED]) {
    const some = fields === WHOLE ? [one] : [];
    const empty = fields === WHOLE ? blockOf([], 0) : one;
    for (const name of FIGURES) {
      assert.deepEqual(chanceOf([empty, ...some], name, fields), chanceOf(some, name, fields), name);
      assert.deepEqual(
        column([empty, ...some], fields[name], fields.users),
        column(some, fields[name], fields.users),
      );
      assert.equal(meanOfBlocks([[empty], some], fields[name], fields.users), some[0]?.[fields[name]] ?? 0);
    }
  }
});

Deno.test("correlatedVariance() of independent values is the variance of weight 1, whatever the weights", () => {
  const random = createRandom(3);
  const weights = Float64Array.from({ length: 4000 }, () => 1 + Math.floor(9 * random()));
  const values = weights.map((weight) => 2 * normal(random) / Math.sqrt(weight));
  const variance = correlatedVariance({ values, weights });
  assert.ok(Math.abs(variance / 4 - 1) < 0.1, `${variance}`);
});
