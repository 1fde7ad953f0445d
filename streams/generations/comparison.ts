/**
 * Two generations compared by the predictions that were frozen when lists were shown, on the rows that both have.
 */

import { GUARD_OPTIONS, type GuardOptions } from "../../src/learner/guard/guard.ts";
import { normalizedEntropy } from "../../src/metrics/probability.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { settle } from "../../src/options/option.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { LEARNT } from "../topics/delivery.ts";
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
export interface Judgements {
  /** Rows that both have. */
  readonly rows: number;
  /** The generation that serves. */
  readonly before: Judgement;
  /** The one that was built. */
  readonly now: Judgement;
}

/** Two generations on the rows that neither had learnt when it predicted them. */
export interface Comparison extends Judgements {
  /** Rows that the weights which the built one started from had learnt. @default {it started from scratch} */
  readonly learnt?: Judgements | undefined;
}

interface Predicted {
  readonly label: number;
  readonly prediction: number;
  readonly isLearnt: boolean;
}

/** Compares two topics of samples, whose rows are matched by request and item. */
export async function compareSamples(
  log: Pick<Log, "identify" | "bounds" | "read">,
  before: Pick<Topics, "samples">,
  now: Pick<Topics, "samples">,
): Promise<Comparison> {
  const own = await predictionsOn(log, now.samples);
  const [fair, learnt] = [new Pairs(), new Pairs()];
  for (const [key, { prediction, isLearnt }] of await predictionsOn(log, before.samples)) {
    const same = own.get(key);
    if (same?.isLearnt) learnt.add(same.label, prediction, same.prediction);
    else if (same !== undefined && !isLearnt) fair.add(same.label, prediction, same.prediction);
  }
  return { ...fair.judge(), ...(learnt.length > 0 && { learnt: learnt.judge() }) };
}

/** Rows with a prediction of each generation. */
class Pairs {
  readonly #labels: number[] = [];
  readonly #before: number[] = [];
  readonly #now: number[] = [];

  get length(): number {
    return this.#labels.length;
  }

  add(label: number, before: number, now: number): void {
    this.#labels.push(label);
    this.#before.push(before);
    this.#now.push(now);
  }

  judge(): Judgements {
    const judge = (predictions: readonly number[]): Judgement => ({
      auc: auc(this.#labels, predictions),
      entropy: normalizedEntropy(this.#labels, predictions),
    });
    return { rows: this.length, before: judge(this.#before), now: judge(this.#now) };
  }
}

/**
 * Whether a generation that was built predicts well enough to serve: its normalised entropy is higher by at most the
 * guard's margin. One that started from learnt weights must not be worse where it has an advantage, on what they had
 * learnt; the other rows count once they fill the guard's window.
 */
export function mayServe(comparison: Comparison, guard: GuardOptions | null | undefined): boolean {
  if (guard === null) return true;
  const { margin, windowRows } = settle(GUARD_OPTIONS, guard);
  const isGood = ({ before, now }: Judgements) =>
    before.entropy === null || now.entropy === null || now.entropy <= before.entropy + margin;
  const { learnt, rows } = comparison;
  if (learnt === undefined) return isGood(comparison);
  return isGood(learnt) && (rows < windowRows || isGood(comparison));
}

/** A comparison in words, in one line or two. */
export function comparisonText(
  { learnt, ...fair }: Comparison,
  { serving, number }: { readonly serving: number; readonly number: number },
): readonly string[] {
  const figure = (value: number | null) => value?.toFixed(4) ?? "-";
  const text = ({ rows, before, now }: Judgements, which: string) =>
    `on ${rows} rows that ${which}, generation ${serving}: AUC ${figure(before.auc)}, normalised entropy ` +
    `${figure(before.entropy)}; generation ${number}: AUC ${figure(now.auc)}, ${figure(now.entropy)}`;
  if (learnt === undefined) return [text(fair, "both have")];
  return [
    text(learnt, `its weights had learnt in generation ${serving}, which shows that they were carried over`),
    text(fair, "neither had learnt when it predicted them"),
  ];
}

async function predictionsOn(
  log: Pick<Log, "identify" | "bounds" | "read">,
  topic: string,
): Promise<ReadonlyMap<string, Predicted>> {
  const predicted = new Map<string, Predicted>();
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topic, partition);
    for await (const { value, headers } of readAll(log, topic, partition, Math.max(start, end - SAMPLES))) {
      if (value === null) continue;
      const sample = decoded(value);
      if (sample === null || sample.purpose !== undefined) continue;
      const { rows, request } = sample;
      const isLearnt = headers[LEARNT] !== undefined;
      for (let row = 0; row < rows.length; row++) {
        const prediction = rows.prediction(row);
        predicted.set(`${request}\0${rows.at(row).item}`, { label: rows.label(row), prediction, isLearnt });
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
