/**
 * The data of a replay report, shared by the HTML report, the terminal tables and `--json`.
 *
 * Unknown numbers are `null`, never 0: the AUC of rows that were all clicked, the oracle of real data. Reports show
 * `null` as a dash.
 */

import type { MetricsReport } from "../../src/metrics/progressive_rows.ts";
import type { Inspection } from "../../src/nn/models/core/panel.ts";

/** A figure, or `null` where undefined. */
export type Figure = number | null;

/** The segments of a report. */
export interface ReportMetrics {
  /** Rows from {@linkcode ReportData.evalFrom} on. */
  readonly overall: MetricsReport;
  /** The last rows: the model at its most experienced. */
  readonly tail: MetricsReport;
  /** Rows of users without a behaviour before the impression. */
  readonly newUsers: MetricsReport;
  /** Rows of users with at least one. */
  readonly returningUsers: MetricsReport;
}

/** Counts and throughput of the loop. */
export interface ReportTotals {
  /** Events applied. */
  readonly events: number;
  /** Requests answered. */
  readonly requests: number;
  /** Shown lists. */
  readonly impressions: number;
  /** Items of those lists. */
  readonly rows: number;
  /** Rows with a positive outcome. */
  readonly clicks: number;
  /** Rejected lines and events. */
  readonly rejected: number;
  /** Impressions joined with their outcome. */
  readonly samples: number;
  /** Parameter versions that were published. */
  readonly versions: number;
  /** Wall-clock time of the run. */
  readonly seconds: number;
  /** Events per second of wall clock. */
  readonly eventsPerSecond: number;
}

/** The run after `rows` rows; quality is over the window that ends there. */
export interface CurvePoint {
  /** Rows evaluated so far: the horizontal axis. */
  readonly rows: number;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** AUC of the window. */
  readonly auc: Figure;
  /** Log loss of the window, nats. */
  readonly logLoss: Figure;
  /** Normalised entropy of the window. */
  readonly normalizedEntropy: Figure;
  /** Clicks over rows. */
  readonly ctr: Figure;
  /** Sum of predictions over sum of clicks. */
  readonly calibration: Figure;
  /** Throughput when the point was made. */
  readonly eventsPerSecond: Figure;
  /** Training loss of the target. */
  readonly loss: Figure;
  /** Training loss of the auxiliary objective, for models with one. */
  readonly auxLoss?: Figure;
  /** Parameter versions published so far. */
  readonly versions: number;
  /** The model's panels of user states, if any. */
  readonly inspection?: Inspection | undefined;
}

/** A bin of rows with similar predictions. */
export interface CalibrationBin {
  /** Mean prediction of the bin's rows. */
  readonly predicted: number;
  /** Share of the bin's rows that were clicked. */
  readonly observed: number;
  readonly rows: number;
}

/** A rejected line or record. */
export interface RejectedExample {
  /** Its position: `file:line`, or `topic/partition@offset`. */
  readonly where: string;
  /** Why it was rejected: the field and its value. */
  readonly reason: string;
  /** Its bytes as text, truncated. Untrusted: renderers must escape it. */
  readonly text: string;
}

/** All rejections of one code. */
export interface RejectedGroup {
  /** The code. */
  readonly code: string;
  /** Number of rejections. */
  readonly count: number;
  /** The first few, in order of arrival. */
  readonly examples: readonly RejectedExample[];
}

/** Size of one embedding table. */
export interface TableSize {
  readonly name: string;
  /** Ids with a row. */
  readonly rows: number;
  /** Floats per row. */
  readonly width: number;
  /** Bytes allocated. */
  readonly bytes: number;
}

/** The report of a replay. */
export interface ReportData {
  /** The command that repeats the run. */
  readonly command: string;
  readonly model: string;
  /** Backend that computed the model; digests are comparable only within one. */
  readonly kernels: string;
  /** Description of the source. */
  readonly dataSet: string;
  /** Wall-clock start, milliseconds since the epoch. */
  readonly started: number;
  /** Wall-clock end, milliseconds since the epoch. */
  readonly finished: number;
  /** Counts and throughput. */
  readonly totals: ReportTotals;
  /** Earlier rows trained the model but are not in {@linkcode ReportMetrics}. */
  readonly evalFrom: number;
  /** Quality by segment. */
  readonly metrics: ReportMetrics;
  /** Quality over the rows. */
  readonly curve: readonly CurvePoint[];
  /** Ascending by prediction. */
  readonly calibration: readonly CalibrationBin[];
  /** Rejections by code, largest first. */
  readonly rejected: readonly RejectedGroup[];
  readonly parameters: {
    /** Number of dense weights. */
    readonly dense: number;
    readonly tables: readonly TableSize[];
  };
  /** Sizes of the task's state. */
  readonly state: {
    readonly users: number;
    readonly behaviours: number;
    readonly bytes: number;
  };
  /** The model's panels of user states, if any. */
  readonly inspection?: Inspection | undefined;
  /** Digests by subject (state, parameters, predictions): equal runs have equal digests. */
  readonly digests: Readonly<Record<string, string>>;
  /** Notes that a reader needs to judge the figures. */
  readonly notes: readonly string[];
}
