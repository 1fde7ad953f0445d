/**
 * Whether the monitor of a deployment counted each answer and sample once, and stopped each experiment once: its
 * figures must be those of an undisturbed monitor that reads the log when everything is done.
 *
 * @module
 */

import { isExperiment } from "../../src/assignment/experiment.ts";
import { USER_SEGMENTS } from "../../src/experiments/totals.ts";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { decodeExperiment, EXPERIMENT } from "../../streams/experiments/record.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { OverlayLog } from "./overlay_log.ts";
import type { ExperimentStatus } from "../../streams/experiments/followed.ts";

/** A change as text; `null` for an invalid one, which tasks refuse. */
function changeOf(value: Uint8Array): string | null {
  try {
    return JSON.stringify(decodeExperiment(value));
  } catch {
    return null;
  }
}

/** The order of partitions affects the last digits of sums. */
const PRECISION = 1e-9;

/** Checks the figures and stops of a deployment under a prefix. */
export async function verifyFigures(
  log: Log,
  prefix: string,
  report: (problem: string) => void,
  count: (name: string, n: number) => void,
): Promise<void> {
  const topics = topicNames(prefix);
  const partitions = (await log.topics()).get(topics.events)?.partitions ?? 0;
  const changes: string[][] = [];
  for (let p = 0; p < partitions; p++) {
    const own: string[] = [];
    for await (const { headers, value } of readAll(log, topics.events, p)) {
      if (headers[EXPERIMENT] === undefined || value === null) continue;
      const change = changeOf(value);
      if (change !== null) own.push(change);
    }
    if (new Set(own).size < own.length) report(`${topics.events}/${p} has a change of experiments twice`);
    changes.push(own);
  }
  if (new Set(changes.map((own) => JSON.stringify(own))).size > 1) {
    report("partitions have different changes of experiments");
  }
  const open = async (over: Log) => {
    const records = new ExperimentRegistry(over, topics, { models: [], now: () => 0 });
    const monitor = await ExperimentMonitor.open(over, topics, records, { readOnly: true });
    const restored = monitor.status().map(figuresOf);
    await monitor.update();
    return { monitor, restored };
  };
  const clean = new OverlayLog(log, [topics.recommendations, topics.samples, topics.experiments]);
  await clean.createTopics(topicSpecs(topics, partitions));
  try {
    const { monitor: got, restored } = await open(log);
    const { monitor: want } = await open(clean);
    const wanted = new Map(want.status().map((status) => [status.experiment.name, figuresOf(status)]));
    for (const status of got.status()) {
      const { name } = status.experiment;
      const figures = figuresOf(status);
      const differences = Object.entries(figures).flatMap(([figure, value]) => {
        const other = wanted.get(name)?.[figure] ?? NaN;
        const isSame = Math.abs(value - other) <= PRECISION * Math.max(1, Math.abs(other));
        return isSame ? [] : [`${figure} ${value}, not ${other}`];
      });
      if (differences.length > 0) {
        report(`the figures of ${name} are not those of a monitor without faults: ${differences.join("; ")}`);
      }
      count("users of experiments", usersOf(figures));
    }
    for (const one of restored) count("users in written figures", usersOf(one));
    for (const record of got.records.values()) {
      if (isExperiment(record) && record.status === "stopped") count("experiments stopped", 1);
    }
  } catch (error) {
    report(`the figures cannot be restored: ${error}`);
  }
}

/** All that is counted, by name. */
function figuresOf(
  { experiment, totals, ratio, lost, took, preference }: ExperimentStatus,
): Record<string, number> {
  const figures: Record<string, number> = { moved: totals.moved };
  for (const [v, { name }] of experiment.variants.entries()) {
    for (const segment of USER_SEGMENTS) {
      const moments = totals.moments(v, segment);
      figures[`${name}, ${segment} users`] = moments.users;
      for (const field of METRIC_FIELDS) figures[`${field} of ${name}, ${segment}`] = moments.total(field);
    }
  }
  for (const [arm, users] of ratio.counts.entries()) figures[`split, arm ${arm}`] = users;
  for (const [arm, users] of lost.entries()) figures[`lost, arm ${arm}`] = users;
  for (const [arm, { mean, p99 }] of took.entries()) {
    figures[`mean time, arm ${arm}`] = mean ?? -1;
    figures[`99th percentile, arm ${arm}`] = p99 ?? -1;
  }
  if (preference !== null) {
    figures["preference"] = preference.value;
    for (const [at, wins] of preference.wins.entries()) figures[`wins ${at}`] = wins;
  }
  return figures;
}

function usersOf(figures: Record<string, number>): number {
  return Object.entries(figures).reduce((sum, [name, value]) => / users$/.test(name) ? sum + value : sum, 0);
}
