/** The charts of a report. */

import { calibrationChart } from "./calibration_chart.ts";
import type { Chart } from "./chart.ts";
import { curveChart, type CurveSpec } from "./curve_chart.ts";
import { formatCount, formatFixed, formatPercent, PANEL_FORMATS } from "./format.ts";
import type { CurvePoint, Figure, ReportData } from "./report_data.ts";

/** The charts of a report in display order. */
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
      caption: "Log loss of the window over that of its constant click rate: below 1, the model is better.",
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
      caption: "Predicted against observed click rate of the window: the lines should coincide.",
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
    ...inspectionCurves(data),
  ];
  const trained = data.curve.length === 0 || data.curve.some(({ auxLoss }) => typeof auxLoss === "number");
  return [
    ...curves.filter(({ id }) => id !== "auxiliary-loss" || trained).map((spec) =>
      curveChart(spec, data.curve)
    ),
    calibrationChart(data.calibration),
  ];
}

/** Charts of the model's panels of user states, if it has any. */
function inspectionCurves({ inspection }: ReportData): CurveSpec[] {
  return (inspection?.panels ?? []).map(({ name, title, about, unit, per, reference, values }) => {
    const format = PANEL_FORMATS[unit];
    const line = (label: string, color: string, choose: (...values: number[]) => number) => ({
      name: label,
      color,
      format,
      value: ({ inspection }: CurvePoint) => {
        const known = inspection?.panels.find((panel) => panel.name === name)?.values
          .filter((value) => value !== null);
        return known === undefined || known.length === 0 ? null : choose(...known);
      },
    });
    const means = "Means over the most recently active users";
    return {
      id: name.replaceAll("_", "-"),
      title,
      caption: per === undefined
        ? `${about} ${means}.`
        : `${about} ${means}: the most and the least of ${values.length}.`,
      lines: per === undefined
        ? [line(name.replaceAll("_", " "), "--blue", (value) => value)]
        : [line("most", "--orange", Math.max), line("least", "--blue", Math.min)],
      references: reference === undefined ? [] : [reference],
      fromZero: unit !== "number",
    };
  });
}

function predictedRate({ ctr, calibration }: CurvePoint): Figure {
  return ctr === null || calibration === null ? null : ctr * calibration;
}
