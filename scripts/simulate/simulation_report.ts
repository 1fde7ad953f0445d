/**
 * The HTML report of a simulation: click rates between random and best lists, the verdict, regret.
 *
 * @module
 */

import { PARTS } from "../../fixtures/simulator/person.ts";
import { AXIS, BASE, type Chart } from "../../streams/report/chart.ts";
import { figure, renderDocument } from "../../streams/report/document.ts";
import { DASH, formatCount, formatPercent, formatSeconds } from "../../streams/report/format.ts";
import { escapeHtml, htmlTable, numbers } from "../../streams/report/html.ts";
import type { Figure } from "../../streams/report/report_data.ts";

/** One variant in a stretch of requests. */
export interface SimulationArm {
  /** Requests answered. */
  readonly requests: number;
  /** Clicks per shown item. */
  readonly ctr: Figure;
  /** Mean true probability of a click on what was shown. */
  readonly served: Figure;
  /** The same for the best lists for the same people at the same moments. */
  readonly best: Figure;
  /** The same for random lists. */
  readonly random: Figure;
}

/** What the experiment said at some moment. */
export interface SimulationLook {
  /** Requests by then. */
  readonly requests: number;
  readonly lift: Figure;
  readonly low: Figure;
  readonly high: Figure;
  readonly text: string;
}

/** Everything that the report shows. */
export interface SimulationData {
  readonly title: string;
  readonly command: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly started: number;
  readonly finished: number;
  /** Names of the variants, the control first. */
  readonly variants: readonly string[];
  readonly requests: number;
  /** Stretches of equal length in order; the arms in the order of `variants`. */
  readonly curve: readonly { readonly requests: number; readonly arms: readonly SimulationArm[] }[];
  /** The last stretch of `tailRequests` requests, and all of them. */
  readonly tail: readonly SimulationArm[];
  readonly tailRequests: number;
  readonly overall: readonly SimulationArm[];
  /** How much more the best lists of the last stretch add to the logit of a click, by variant and part. */
  readonly lacks: readonly (readonly number[])[];
  /** Clicks that each variant has missed by not serving the best lists, cumulative, by stretch. */
  readonly regret: readonly (readonly number[])[];
  readonly looks: readonly SimulationLook[];
  readonly notes: readonly string[];
}

const COLORS = ["--orange", "--blue", "--green"] as const;

/** How far from random to the best, as a share; `null` when it is not defined. */
export function wayToBest({ served, best, random }: SimulationArm): Figure {
  return served === null || best === null || random === null || best === random
    ? null
    : (served - random) / (best - random);
}

/** A simulation as one self-contained HTML page. */
export function renderSimulation(data: SimulationData): string {
  const charts = [rateChart(data), wayChart(data), liftChart(data), regretChart(data)];
  const last = data.looks.at(-1);
  return renderDocument({
    title: data.title,
    kind: "simulation",
    finished: data.finished,
    command: data.command,
    charts,
    tiles: [
      ...data.variants.flatMap((name, v) => [
        {
          value: formatPercent(data.tail[v]?.served ?? null),
          label: `click rate of ${name}, last ${formatCount(data.tailRequests)} requests`,
        },
        {
          value: formatPercent(data.tail[v] === undefined ? null : wayToBest(data.tail[v])),
          label: `${name}: of the way from random to the best`,
        },
      ]),
      {
        value: formatCount(data.requests),
        label: `requests in ${formatSeconds((data.finished - data.started) / 1000)}`,
      },
    ],
    main: `<section aria-labelledby="verdict"><h2 id="verdict">Verdict</h2>
<div class="card">${
      htmlTable({
        caption:
          "What the experiment said as requests came in; the intervals hold at all of these moments at once",
        columns: [...numbers("requests"), "verdict"],
        rows: [...data.looks.filter((_, at) =>
          (data.looks.length - 1 - at) % Math.ceil(data.looks.length / 8) === 0
        )]
          .reverse().map(({ requests, text }) => [formatCount(requests), text]),
      })
    }</div>
</section>
<section aria-labelledby="curves"><h2 id="curves">Over time</h2>
<div class="charts">
${charts.map(figure).join("\n")}
</div>
</section>
<section aria-labelledby="figures"><h2 id="figures">Figures</h2>
<div class="card">${htmlTable(armsTable(data))}</div>
</section>
<section aria-labelledby="lacks"><h2 id="lacks">What the regret is made of</h2>
<div class="card">${htmlTable(lacksTable(data))}</div>
</section>
${
      data.notes.length === 0
        ? ""
        : `<section aria-labelledby="notes"><h2 id="notes">Notes</h2><div class="card"><ul>${
          data.notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")
        }</ul></div></section>`
    }
<footer>${
      last === undefined ? "" : "The best and the random lists are for the same people at the same moments. "
    }${DASH} means not defined.</footer>`,
  });
}

interface Line {
  readonly name: string;
  readonly color: string;
  readonly dashed?: boolean;
  readonly values: readonly Figure[];
}

function lineChart(
  spec: Pick<Chart, "id" | "title" | "caption">,
  requests: readonly number[],
  lines: readonly Line[],
  percent: boolean,
): Chart {
  const show = (value: Figure) =>
    value === null ? DASH : percent ? formatPercent(value, 2) : formatCount(Math.round(value));
  const summary = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    return `${name} goes from ${show(known[0] ?? null)} to ${show(known.at(-1) ?? null)}`;
  });
  return {
    ...spec,
    summary: `${spec.title}: ${summary.join("; ")}.`,
    option: requests.length === 0 ? null : {
      ...BASE,
      grid: { left: 8, right: 20, top: 36, bottom: 26, containLabel: true },
      tooltip: { ...BASE.tooltip, trigger: "axis" },
      xAxis: {
        type: "value",
        name: "requests",
        nameLocation: "middle",
        nameGap: 26,
        max: "dataMax",
        ...AXIS,
      },
      yAxis: {
        type: "value",
        ...AXIS,
        axisLabel: percent ? { ...AXIS.axisLabel, formatter: "{value} %" } : AXIS.axisLabel,
      },
      series: lines.map(({ name, color, dashed, values }) => ({
        name,
        type: "line",
        showSymbol: false,
        itemStyle: { color },
        lineStyle: { width: 2, color, type: dashed === true ? "dashed" : "solid" },
        data: values.map((
          value,
          at,
        ) => [requests[at], value === null ? null : Number((percent ? 100 * value : value).toPrecision(5))]),
      })),
    },
    table: {
      caption: spec.title,
      columns: numbers("requests", ...lines.map(({ name }) => name)),
      rows: requests.map((n, at) => [formatCount(n), ...lines.map(({ values }) => show(values[at] ?? null))]),
    },
  };
}

function rateChart({ variants, curve }: SimulationData): Chart {
  const mean = (of: "best" | "random") =>
    curve.map(({ arms }) => {
      const n = arms.reduce((sum, { requests }) => sum + requests, 0);
      return n === 0 ? null : arms.reduce((sum, arm) => sum + arm.requests * (arm[of] ?? 0), 0) / n;
    });
  return lineChart(
    {
      id: "rate",
      title: "Click rate",
      caption: "Mean true probability of a click on what was shown: the click rate without noise.",
    },
    curve.map(({ requests }) => requests),
    [
      { name: "best lists", color: "--green", dashed: true, values: mean("best") },
      ...variants.map((name, v) => ({
        name,
        color: COLORS[v] ?? "--text",
        values: curve.map(({ arms }) => arms[v]?.served ?? null),
      })),
      { name: "random lists", color: "--muted", dashed: true, values: mean("random") },
    ],
    true,
  );
}

function wayChart({ variants, curve }: SimulationData): Chart {
  return lineChart(
    {
      id: "way",
      title: "From random to the best",
      caption:
        "Where each variant stands between random lists (0 %) and the best ones (100 %) for its own people.",
    },
    curve.map(({ requests }) => requests),
    variants.map((name, v) => ({
      name,
      color: COLORS[v] ?? "--text",
      values: curve.map(({ arms }) => arms[v] === undefined ? null : wayToBest(arms[v])),
    })),
    true,
  );
}

function liftChart({ variants, looks }: SimulationData): Chart {
  const [control, variant] = variants;
  const cut = (value: Figure) => value === null ? null : Math.max(-1, Math.min(2, value));
  return lineChart(
    {
      id: "lift",
      title: `Lift of ${variant ?? "the variant"} over ${control ?? "the control"}`,
      caption:
        "Relative difference of the click rates, with the interval that holds at all times (cut at −100 % and +200 %).",
    },
    looks.map(({ requests }) => requests),
    [
      { name: "lift", color: "--blue", values: looks.map(({ lift }) => cut(lift)) },
      { name: "lower end", color: "--muted", dashed: true, values: looks.map(({ low }) => cut(low)) },
      { name: "upper end", color: "--muted", dashed: true, values: looks.map(({ high }) => cut(high)) },
    ],
    true,
  );
}

function regretChart({ variants, curve, regret }: SimulationData): Chart {
  return lineChart(
    {
      id: "regret",
      title: "Regret",
      caption: "Clicks missed so far by not serving the best lists, in expectation.",
    },
    curve.map(({ requests }) => requests),
    variants.map((name, v) => ({
      name,
      color: COLORS[v] ?? "--text",
      values: regret.map((of) => of[v] ?? null),
    })),
    false,
  );
}

/** The best lists against those served, in parts of the logit. */
function lacksTable({ variants, lacks, tailRequests }: SimulationData) {
  return {
    caption: `How much more the best lists have of each part of a click's logit, last ${
      formatCount(tailRequests)
    } requests`,
    columns: ["variant", ...numbers(...PARTS)],
    rows: variants.map((
      name,
      v,
    ) => [
      name,
      ...PARTS.map((_, p) => (lacks[v]?.[p] ?? 0).toFixed(2).replace("-0.00", "0.00").replace("-", "−")),
    ]),
  };
}

function armsTable({ variants, tail, overall, tailRequests, requests }: SimulationData) {
  const row = (name: string, arm: SimulationArm | undefined) =>
    arm === undefined ? [name] : [
      name,
      formatCount(arm.requests),
      formatPercent(arm.ctr, 2),
      formatPercent(arm.served, 2),
      formatPercent(arm.best, 2),
      formatPercent(arm.random, 2),
      formatPercent(wayToBest(arm), 1),
    ];
  return {
    caption: `All ${formatCount(requests)} requests and the last ${formatCount(tailRequests)}`,
    columns: [
      "variant",
      ...numbers("requests"),
      { title: "CTR", about: "observed clicks per shown item", kind: "number" as const },
      { title: "true rate", about: "mean true probability of what was shown", kind: "number" as const },
      { title: "best", kind: "number" as const },
      { title: "random", kind: "number" as const },
      { title: "way", about: "from random to the best", kind: "number" as const },
    ],
    rows: variants.flatMap((name, v) => [row(name, overall[v]), row(`${name}, last`, tail[v])]),
  };
}
