/**
 * A made-up report for the tests of `streams/report`: plausible figures, hostile text.
 *
 * @module
 */

import type { Inspection } from "../../src/nn/models/core/panel.ts";
import { slotPanels } from "../../src/nn/models/mimn/health.ts";
import type { MetricsReport } from "../../src/metrics/progressive_rows.ts";
import type { CurvePoint, ReportData } from "../../streams/report/report_data.ts";

/** Text that would run a script, close an element or fool the eye if it were not escaped. */
export const HOSTILE =
  `</script><script>globalThis.hacked = 1</script><img src=x onerror="globalThis.hacked=1">'"&\u0000\u001b[31m\u202e`;

const metrics = (rows: number, auc: number): MetricsReport => ({
  rows,
  auc,
  gauc: auc - 0.05,
  logLoss: 0.3523,
  normalizedEntropy: 0.9132,
  calibration: 1.012,
  prAuc: 0.2891,
  accuracy: 0.8795,
  constantLogLoss: 0.3858,
  oracleLogLoss: 0.3379,
  oracleAuc: 0.7604,
});

/** Segment in which everything but the count is undefined. */
export const UNKNOWN: MetricsReport = {
  rows: 0,
  auc: null,
  gauc: null,
  logLoss: null,
  normalizedEntropy: null,
  calibration: null,
  prAuc: null,
  accuracy: null,
  constantLogLoss: null,
};

/** Slots that drift apart, of which one is used more than the others. */
function inspectionAfter(i: number): Inspection {
  const more = 0.05 * (1 - Math.exp(-i / 9));
  return {
    users: 200,
    panels: slotPanels({
      cosine: 0.93 - 0.5 * (1 - Math.exp(-i / 12)),
      usage: [0.25 + more, 0.25 - more, 0.25 + more / 4, 0.25 - more / 4],
      mass: 1 + 600 * (1 - Math.exp(-i / 20)),
    }),
  };
}

/** The run after `i` of its 40 windows; the first has no AUC yet. */
function point(i: number): CurvePoint {
  const wave = Math.sin(i * 1.7) + Math.sin(i * 0.6);
  return {
    rows: 2500 * (i + 1),
    time: Date.UTC(2026, 0, 1) + i * 12 * 3_600_000,
    auc: i === 0 ? null : 0.73 - 0.2 * Math.exp(-i / 6) + 0.006 * wave,
    logLoss: 0.345 + 0.06 * Math.exp(-i / 4) + 0.004 * wave,
    normalizedEntropy: 0.905 + 0.13 * Math.exp(-i / 4) - 0.006 * wave,
    ctr: 0.122 + 0.006 * wave,
    calibration: 1.02 - 0.3 * Math.exp(-i / 3) - 0.02 * wave,
    eventsPerSecond: 2450 - 9 * i + 60 * wave,
    loss: 0.34 + 0.08 * Math.exp(-i / 3) + 0.005 * wave,
    auxLoss: 0.45 + 0.24 * Math.exp(-i / 8),
    versions: 6 * i,
    inspection: inspectionAfter(i),
  };
}

/** A run on simulated data with an oracle, new and returning users, and rejected lines. */
export const EXAMPLE: ReportData = {
  command: "deno task replay --model dien --data fixtures/shop --seed 7 --report report.html",
  model: "dien",
  kernels: "relaxed-simd",
  dataSet: "fixtures/shop",
  started: Date.UTC(2026, 10, 25, 2, 39, 34),
  finished: Date.UTC(2026, 10, 25, 2, 40, 27),
  totals: {
    events: 128_422,
    requests: 10_093,
    impressions: 10_000,
    rows: 100_000,
    clicks: 12_240,
    rejected: 251,
    samples: 10_000,
    versions: 239,
    seconds: 53.2,
    eventsPerSecond: 2414,
  },
  evalFrom: 20_001,
  metrics: {
    overall: metrics(80_000, 0.7213),
    tail: metrics(20_000, 0.7342),
    newUsers: { ...metrics(1240, 0.6621), gauc: null },
    returningUsers: metrics(78_760, 0.7232),
  },
  curve: Array.from({ length: 40 }, (_, i) => point(i)),
  calibration: Array.from({ length: 12 }, (_, i) => {
    const predicted = 0.03 + 0.03 * i;
    return {
      predicted,
      observed: predicted + 0.01 * Math.sin(i * 2),
      rows: Math.round(16_000 * Math.exp(-i / 2.2)),
    };
  }),
  rejected: [
    {
      code: "truncated-json",
      count: 94,
      examples: [
        {
          where: "events.jsonl.gz:1042",
          reason: 'the record ends inside a string after {"type":"interac',
          text: '{"type":"interac',
        },
        {
          where: "events.jsonl.gz:3310",
          reason: "the record ends inside an object",
          text: '{"type":"request",',
        },
      ],
    },
    {
      code: "control-character",
      count: 157,
      examples: [{ where: "events.jsonl.gz:77", reason: HOSTILE, text: HOSTILE }],
    },
  ],
  parameters: {
    dense: 31_842,
    tables: [
      { name: "item", rows: 412, width: 16, bytes: 61_200 },
      { name: "user", rows: 801, width: 8, bytes: 70_400 },
      { name: "category", rows: 27, width: 16, bytes: 4000 },
    ],
  },
  state: { users: 799, behaviours: 31_204, bytes: 1_190_422 },
  inspection: inspectionAfter(39),
  digests: { state: "5f1c0a9be3d24c77", parameters: "c0ffee1234567890", predictions: "0badcafe87654321" },
  notes: ["251 lines were rejected; nothing else was skipped.", HOSTILE],
};
