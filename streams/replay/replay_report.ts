/** Turns a finished replay into report data and the machine-readable result. */

import type { Inspection, Panel } from "../../src/nn/models/core/panel.ts";
import { auc, type Numbers } from "../../src/metrics/ranking.ts";
import { calibration, logLoss, normalizedEntropy } from "../../src/metrics/probability.ts";
import type { ProgressiveRows } from "../../src/metrics/progressive_rows.ts";
import type { TaskCounter, TaskCounters } from "../../src/engine/task_counters.ts";
import type { ReplayResult } from "./replay.ts";
import { formatCount } from "../report/format.ts";
import type { CalibrationBin, CurvePoint, ReportData } from "../report/report_data.ts";

/** Facts about a replay that are not part of its result. */
export interface ReplayFacts {
  readonly command: string;
  /** Backend that computed the model. */
  readonly kernels: string;
  /** Description of the source. */
  readonly dataSet: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly started: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly finished: number;
  /** First row included in the metrics. */
  readonly evalFrom: number;
  /** Length of the tail in rows; `null` = a third. */
  readonly tail: number | null;
  /** Measured throughput: rows evaluated and events per second. */
  readonly speeds: readonly { readonly rows: number; readonly eventsPerSecond: number }[];
  /** Notes on the run, one sentence each. */
  readonly notes: readonly string[];
}

const CURVE_POINTS = 100;
const CURVE_WINDOW_SHARE = 0.05;
const MIN_CURVE_WINDOW = 1000;
const CALIBRATION_BINS = 20;

export function reportData(result: ReplayResult, facts: ReplayFacts): ReportData {
  const { task, learning, rejections, digests } = result;
  const { rows } = learning.validation;
  const { counters } = task;
  const seconds = (facts.finished - facts.started) / 1000;
  const from = Math.min(facts.evalFrom, rows.length);
  const tailRows = facts.tail ?? Math.floor(rows.length / 3);
  const tables = [...learning.learner.tables.values()];
  return {
    command: facts.command,
    model: learning.learner.model.name,
    kernels: facts.kernels,
    dataSet: facts.dataSet,
    started: facts.started,
    finished: facts.finished,
    totals: {
      events: counters.events,
      requests: counters.requests,
      impressions: counters.impressions,
      rows: counters.rows,
      clicks: counters.positives,
      rejected: rejections.count,
      samples: counters.samples,
      versions: learning.version,
      seconds,
      eventsPerSecond: (result.events - result.resumedFrom) / Math.max(seconds, 1e-9),
    },
    evalFrom: from,
    metrics: {
      overall: rows.report(from),
      tail: rows.report(Math.max(0, rows.length - tailRows)),
      newUsers: rows.report(from, rows.length, "new"),
      returningUsers: rows.report(from, rows.length, "returning"),
    },
    curve: curve(result, facts),
    calibration: calibrationBins(rows, from),
    rejected: rejections.groups,
    parameters: {
      dense: learning.learner.model.parameters.values.length + learning.learner.head.values.length,
      tables: tables.map((table) => ({
        name: table.name,
        rows: table.size,
        width: table.width,
        bytes: table.bytes,
      })),
    },
    state: {
      users: result.users,
      behaviours: counters.behaviours,
      bytes: task.sequences.bytes,
    },
    inspection: inspectionAt(result, Infinity),
    digests,
    notes: facts.notes,
  };
}

/** The model's panels of the users' states after a number of rows, if it has any. */
function inspectionAt({ inspections }: ReplayResult, rows: number): Inspection | undefined {
  const mark = inspections.findLast((mark) => mark.rows <= rows);
  return mark && { users: mark.users, panels: mark.panels };
}

/** The panels as JSON: one value per panel, or a list. */
function inspectionJson({ users, panels }: Inspection): Record<string, unknown> {
  const value = ({ per, values }: Panel) => per === undefined ? values[0] ?? null : values;
  return { users, ...Object.fromEntries(panels.map((panel) => [panel.name, value(panel)])) };
}

/** Singular and plural. */
const COUNTER_NOTES: readonly (readonly [counter: TaskCounter, one: string, more: string])[] = [
  ["duplicates", "event arrived twice and was skipped", "events arrived twice and were skipped"],
  [
    "otherActions",
    "interaction has an action that is not configured: it changed nothing",
    "interactions have an action that is not configured: they changed nothing",
  ],
  [
    "late",
    "behaviour arrived late and was sorted in",
    "behaviours arrived late and were sorted in",
  ],
  [
    "parked",
    "interaction arrived before the impression that it names and waited for it",
    "interactions arrived before the impression that they name and waited for it",
  ],
  [
    "lateOutcomes",
    "outcome arrived after the window of its impression: the label stayed 0",
    "outcomes arrived after the window of their impression: the label stayed 0",
  ],
  [
    "unmatchedOutcomes",
    "outcome names an impression that never arrived or does not show the item",
    "outcomes name an impression that never arrived or does not show the item",
  ],
  [
    "unshown",
    "answer was not confirmed as shown: it made no sample",
    "answers were not confirmed as shown: they made no sample",
  ],
  [
    "crowdedOut",
    "impression was settled early, because its user had too many open",
    "impressions were settled early, because their user had too many open",
  ],
  ["forgotten", "user was erased", "users were erased"],
];

/** Notes on the task's counters, for people. */
export function counterNotes(counters: TaskCounters): string[] {
  return COUNTER_NOTES.filter(([name]) => counters[name] > 0)
    .map(([name, one, more]) => `${formatCount(counters[name])} ${counters[name] === 1 ? one : more}.`);
}

/** The machine-readable result of `--json`. */
export function replayJson(data: ReportData): Record<string, unknown> {
  return {
    command: data.command,
    model: data.model,
    kernels: data.kernels,
    events: data.totals.events,
    requests: data.totals.requests,
    impressions: data.totals.impressions,
    rejected: data.totals.rejected,
    seconds: data.totals.seconds,
    metrics: data.metrics.overall,
    tail: data.metrics.tail,
    newUsers: data.metrics.newUsers,
    returningUsers: data.metrics.returningUsers,
    versions: data.totals.versions,
    rejectedByCode: Object.fromEntries(data.rejected.map(({ code, count }) => [code, count])),
    inspection: data.inspection && inspectionJson(data.inspection),
    digests: data.digests,
  };
}

function curve(result: ReplayResult, facts: ReplayFacts): CurvePoint[] {
  const { rows, marks } = result.learning.validation;
  const window = Math.max(MIN_CURVE_WINDOW, Math.floor(rows.length * CURVE_WINDOW_SHARE));
  const points: CurvePoint[] = [];
  const every = Math.max(1, Math.floor(marks.length / CURVE_POINTS));
  for (let at = every - 1; at < marks.length; at += every) {
    const mark = marks[at]!;
    const start = Math.max(0, mark.rows - window);
    const labels = rows.labels.subarray(start, mark.rows);
    const predictions = rows.predictions.subarray(start, mark.rows);
    const recent = marks.slice(0, at + 1).filter(({ rows }) => rows > start);
    points.push({
      rows: mark.rows,
      time: mark.time,
      auc: auc(labels, predictions),
      logLoss: logLoss(labels, predictions),
      normalizedEntropy: normalizedEntropy(labels, predictions),
      ctr: mean(labels),
      calibration: calibration(labels, predictions),
      eventsPerSecond: speedAt(facts, mark.rows),
      // A failed batch has a non-finite loss.
      loss: mean(recent.map(({ loss }) => loss).filter(Number.isFinite)),
      // 0 means that the objective was not trained and has no curve.
      auxLoss: mean(recent.map(({ aux }) => aux).filter((aux) => Number.isFinite(aux) && aux !== 0)),
      versions: mark.version,
      inspection: inspectionAt(result, mark.rows),
    });
  }
  return points;
}

function speedAt(facts: ReplayFacts, rows: number): number | null {
  return facts.speeds.find((speed) => speed.rows >= rows)?.eventsPerSecond ?? null;
}

/** Bins with equal numbers of rows, ascending by prediction. */
function calibrationBins(rows: ProgressiveRows, from: number): CalibrationBin[] {
  const labels = rows.labels.subarray(from, rows.length);
  const predictions = rows.predictions.subarray(from, rows.length);
  const order = Uint32Array.from(labels, (_, i) => i).sort((a, b) => predictions[a]! - predictions[b]!);
  const bins: CalibrationBin[] = [];
  for (let b = 0; b < CALIBRATION_BINS; b++) {
    const part = order.subarray(
      Math.floor(b * order.length / CALIBRATION_BINS),
      Math.floor((b + 1) * order.length / CALIBRATION_BINS),
    );
    if (part.length === 0) continue;
    bins.push({
      predicted: mean(Array.from(part, (i) => predictions[i]!))!,
      observed: mean(Array.from(part, (i) => labels[i]!))!,
      rows: part.length,
    });
  }
  return bins;
}

function mean(values: Numbers): number | null {
  if (values.length === 0) return null;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
