/**
 * Two generations compared by the predictions that were frozen when lists were shown, on the rows that both have.
 *
 * @module
 */

import { GUARD_OPTIONS, type GuardOptions } from "../../src/learner/guard/guard.ts";
import { normalizedEntropy } from "../../src/metrics/probability.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { settle } from "../../src/options/option.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import type { Topics } from "../topics/topics.ts";

/** Newest samples of a partition that are compared. */
const SAMPLES = 20_000;

/** Figures of a generation's predictions. */
export interface Judgement {
  /** Area under the ROC curve; `null` = all labels are alike. */
  readonly auc: number | null;
  /** Log loss divided by that of the constant rate; `null` = likewise. */
  readonly entropy: number | null;
}

/** Two generations on the same rows. */
export interface Comparison {
  /** Rows that both have. */
  readonly rows: number;
  /** The generation that serves. */
  readonly before: Judgement;
  /** The one that was built. */
  readonly now: Judgement;
}

interface Predicted {
  readonly label: number;
  readonly prediction: number;
}

/** Compares two topics of samples, whose rows are matched by request and item. */
export async function compareSamples(
  log: Pick<Log, "identify" | "bounds" | "read">,
  before: Pick<Topics, "samples">,
  now: Pick<Topics, "samples">,
): Promise<Comparison> {
  const own = await predictionsOn(log, now.samples);
  const labels: number[] = [], old: number[] = [], built: number[] = [];
  for (const [key, { prediction }] of await predictionsOn(log, before.samples)) {
    const same = own.get(key);
    if (same === undefined) continue;
    labels.push(same.label);
    old.push(prediction);
    built.push(same.prediction);
  }
  const judge = (predictions: readonly number[]): Judgement => ({
    auc: auc(labels, predictions),
    entropy: normalizedEntropy(labels, predictions),
  });
  return { rows: labels.length, before: judge(old), now: judge(built) };
}

/**
 * Whether a generation that was built predicts well enough to serve: its normalised entropy is higher by at most the
 * guard's margin.
 */
export function mayServe({ before, now }: Comparison, guard: GuardOptions | null | undefined): boolean {
  if (guard === null || before.entropy === null || now.entropy === null) return true;
  return now.entropy <= before.entropy + settle(GUARD_OPTIONS, guard).margin;
}

/** A comparison in words. */
export function comparisonText(
  { rows, before, now }: Comparison,
  { serving, number }: { readonly serving: number; readonly number: number },
): string {
  const figure = (value: number | null) => value?.toFixed(4) ?? "-";
  return `on ${rows} rows that both have, generation ${serving}: AUC ${
    figure(before.auc)
  }, normalised entropy ` +
    `${figure(before.entropy)}; generation ${number}: AUC ${figure(now.auc)}, ${figure(now.entropy)}`;
}

async function predictionsOn(
  log: Pick<Log, "identify" | "bounds" | "read">,
  topic: string,
): Promise<ReadonlyMap<string, Predicted>> {
  const predicted = new Map<string, Predicted>();
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topic, partition);
    for await (const { value } of readAll(log, topic, partition, Math.max(start, end - SAMPLES))) {
      if (value === null) continue;
      const sample = decoded(value);
      if (sample === null || sample.purpose !== undefined) continue;
      const { rows, request } = sample;
      for (let row = 0; row < rows.length; row++) {
        const prediction = rows.prediction(row);
        predicted.set(`${request}\0${rows.at(row).item}`, { label: rows.label(row), prediction });
      }
    }
  }
  return predicted;
}

/** A sample; `null` = the record cannot be read, which the learner has reported. */
function decoded(value: Uint8Array): Sample | null {
  try {
    return decodeSample(value);
  } catch {
    return null;
  }
}
