import fc from "fast-check";
import assert from "node:assert/strict";
import { wilsonInterval } from "../../streams/report/calibration_chart.ts";
import { reportCharts } from "../../streams/report/charts.ts";
import { EXAMPLE, UNKNOWN } from "./example_report.ts";

interface Option {
  readonly series: readonly {
    readonly name: string;
    readonly data: readonly (readonly unknown[])[];
  }[];
}

function optionOf(id: string, data = EXAMPLE): Option | null {
  const chart = reportCharts(data).find((chart) => chart.id === id);
  assert.ok(chart, id);
  return chart.option as Option | null;
}

Deno.test("reportCharts() draws reference lines from the first row to the last", () => {
  for (const [id, ...names] of [["auc", "chance", "oracle"], ["log-loss", "constant", "oracle"]] as const) {
    const references = optionOf(id)?.series.slice(-2) ?? [];
    assert.deepEqual(references.map(({ name }) => name), names);
    for (const { data: [start, end] } of references) {
      assert.deepEqual([start?.[0], end?.[0]], [0, EXAMPLE.curve.at(-1)?.rows]);
      assert.equal(start?.[1], end?.[1]);
    }
  }
});

Deno.test("reportCharts() leaves a gap where a figure is not defined", () => {
  const [first, second] = optionOf("auc")?.series[0]?.data ?? [];
  assert.deepEqual(first, [2500, null]);
  assert.equal(typeof second?.[1], "number");
});

Deno.test("reportCharts() draws the predicted click rate as calibration times the observed rate", () => {
  const [, predicted] = optionOf("click-rate")?.series ?? [];
  const { ctr, calibration } = EXAMPLE.curve[20] ?? { ctr: null, calibration: null };
  assert.ok(ctr !== null && calibration !== null);
  assert.equal(predicted?.data[20]?.[1], Number((ctr * calibration).toPrecision(5)));
});

Deno.test("reportCharts() draws nothing for a run without figures", () => {
  const empty = { overall: UNKNOWN, tail: UNKNOWN, newUsers: UNKNOWN, returningUsers: UNKNOWN };
  for (const chart of reportCharts({ ...EXAMPLE, metrics: empty, curve: [], calibration: [] })) {
    assert.equal(chart.option, null, chart.id);
    assert.equal(chart.table.rows.length, 0, chart.id);
  }
});

Deno.test("reportCharts() copes with one point and with constant curves", () => {
  const [point] = EXAMPLE.curve.slice(5, 6);
  assert.ok(point);
  for (const curve of [[point], [point, { ...point, rows: point.rows + 1 }]]) {
    const option = optionOf("auxiliary-loss", { ...EXAMPLE, curve });
    assert.equal(option?.series[0]?.data.length, curve.length);
  }
});

Deno.test("reportCharts() has only finite numbers and nulls", () => {
  const broken = EXAMPLE.curve.map((point) => ({ ...point, auc: NaN, loss: Infinity }));
  for (const { option } of reportCharts({ ...EXAMPLE, curve: broken })) {
    JSON.stringify(option, (_, value) => {
      if (typeof value === "number") assert.ok(Number.isFinite(value));
      return value;
    });
  }
});

Deno.test("wilsonInterval() contains the proportion and stays within 0..1", () => {
  fc.assert(fc.property(fc.nat(100_000), fc.nat(100_000), (k, more) => {
    const n = k + more;
    const [low, high] = wilsonInterval(k, n);
    const share = n === 0 ? 0.5 : k / n;
    assert.ok(0 <= low && low <= share + 1e-12 && share - 1e-12 <= high && high <= 1);
  }));
});
