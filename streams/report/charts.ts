/**
 * Which charts a report has.
 *
 * @module
 */

import { calibrationChart } from "./calibration_chart.ts";
import type { Chart } from "./chart.ts";
import { curveChart, type CurveSpec } from "./curve_chart.ts";
import { formatCount, formatFixed, formatPercent } from "./format.ts";
import type { CurvePoint, Figure, ReportData } from "./report_data.ts";

/** The charts of a report, in the order in which they are shown. */
export function reportCharts(data: ReportData): Chart[] {
  const { overall } = data.metrics;
  const oracleNe = overall.oracleLogLoss && overall.constantLogLoss
    ? overall.oracleLogLoss / overall.constantLogLoss
    : null;
  const curves: CurveSpec[] = [
    {
      id: "auc",
      title: "Ranking quality",
      caption: "AUC of the frozen predictions in the window that ends at each point. 0.5 is chance.",
      lines: [{ name: "AUC", color: "--blue", value: (p) => p.auc, format: formatFixed }],
      references: [
        { name: "chance", value: 0.5 },
        { name: "oracle", value: overall.oracleAuc ?? null },
      ],
    },
    {
      id: "normalized-entropy",
      title: "Normalised entropy",
      caption: "Log loss of the window over that of its constant click rate: below 1, the model knows more.",
      lines: [{ name: "NE", color: "--blue", value: (p) => p.normalizedEntropy, format: formatFixed }],
      references: [{ name: "constant", value: 1 }, { name: "oracle", value: oracleNe }],
    },
    {
      id: "log-loss",
      title: "Log loss",
      caption: "Progressive log loss of the window, and the loss of the mini-batches it was trained on.",
      lines: [
        { name: "log loss", color: "--blue", value: (p) => p.logLoss, format: formatFixed },
        { name: "training loss", color: "--orange", value: (p) => p.loss, format: formatFixed },
      ],
      references: [
        { name: "constant", value: overall.constantLogLoss },
        { name: "oracle", value: overall.oracleLogLoss ?? null },
      ],
    },
    {
      id: "auxiliary-loss",
      title: "Auxiliary loss",
      caption: "Loss of telling the next behaviour from a sampled one: it trains the interest extractor.",
      lines: [
        { name: "auxiliary loss", color: "--green", value: (p) => p.auxLoss ?? null, format: formatFixed },
      ],
    },
    {
      id: "click-rate",
      title: "Click rate",
      caption: "Predicted against observed click rate of the window: the lines should lie on each other.",
      lines: [
        { name: "observed", color: "--blue", value: (p) => p.ctr, format: formatPercent },
        { name: "predicted", color: "--orange", value: predictedRate, format: formatPercent },
      ],
      fromZero: true,
    },
    {
      id: "throughput",
      title: "Throughput",
      caption: "Events per second of wall-clock time, everything included: state, answers and learning.",
      lines: [{
        name: "events/s",
        color: "--blue",
        value: (p) => p.eventsPerSecond,
        format: formatCount,
      }],
      fromZero: true,
    },
    ...memoryCurves(data),
  ];
  const trained = data.curve.length === 0 || data.curve.some(({ auxLoss }) => typeof auxLoss === "number");
  return [
    ...curves.filter(({ id }) => id !== "auxiliary-loss" || trained).map((spec) =>
      curveChart(spec, data.curve)
    ),
    calibrationChart(data.calibration),
  ];
}

/** The slots of a model with a memory; a model without one has no such charts. */
function memoryCurves({ slots }: ReportData): CurveSpec[] {
  if (slots === undefined) return [];
  const number = slots.usage.length;
  const share = (choose: (...shares: number[]) => number) => ({ slots }: CurvePoint) =>
    slots === undefined ? null : choose(...slots.usage);
  return [
    {
      id: "slot-cosine",
      title: "Likeness of the memory slots",
      caption:
        "Mean cosine of the pairs of slots, over the users who were active last. At 1 all slots hold the " +
        "same, and the memory is one vector: above 0.999 something is wrong.",
      lines: [{
        name: "cosine",
        color: "--blue",
        value: (p) => p.slots?.cosine ?? null,
        format: formatFixed,
      }],
      references: [{ name: "one slot", value: 1 }],
    },
    {
      id: "slot-usage",
      title: "Use of the memory slots",
      caption: `Share of what was written that the most and the least used of the ${number} slots have.`,
      lines: [
        { name: "most used", color: "--orange", value: share(Math.max), format: formatPercent },
        { name: "least used", color: "--blue", value: share(Math.min), format: formatPercent },
      ],
      references: [{ name: "even", value: 1 / number }],
      fromZero: true,
    },
    {
      id: "write-mass",
      title: "Write mass",
      caption: "Behaviours that a memory holds on average, each shrunk by the decay at every later one.",
      lines: [{ name: "mass", color: "--green", value: (p) => p.slots?.mass ?? null, format: formatCount }],
      fromZero: true,
    },
  ];
}

function predictedRate({ ctr, calibration }: CurvePoint): Figure {
  return ctr === null || calibration === null ? null : ctr * calibration;
}
