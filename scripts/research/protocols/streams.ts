/**
 * Protocols on the samples of a replay: P1, MovieLens 100K as a stream, and the simulated shop. The samples do not
 * depend on the model that was replayed, so one cheap replay serves all models; they lack what a task adds: the delay
 * of an outcome and the whole life in MIMN's state.
 */

import { readConfig } from "../../../streams/config/read.ts";
import { decodeSample } from "../../../src/samples/sample_codec.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { constantLogLoss, logLoss, normalizedEntropy } from "../../../src/metrics/probability.ts";
import { auc, gauc } from "../../../src/metrics/ranking.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import { type Config, learnerOptions, taskOptions } from "../../../streams/config/config.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { readAll } from "../../../streams/log/reading.ts";
import { PROFILES } from "../../../streams/replay/profiles.ts";
import { replay } from "../../../streams/replay/replay.ts";
import { type Format, openSource } from "../../../streams/sources/open.ts";
import type { SourceRecord } from "../../../streams/sources/source.ts";
import { topicNames } from "../../../streams/topics/topics.ts";
import type { Protocol, ProtocolOptions, ProtocolResult } from "./protocol.ts";
import { judgedFrom, Trial } from "./trial.ts";

/** The samples of a data set, in the order in which a learner gets them. @param faulty See {@linkcode samplesOf} */
export function streamSamples(
  format: Format,
  data: string,
  config: Config,
  faulty: boolean = false,
): Promise<Sample[]> {
  return samplesOf(openSource(format, data), taskOptions(PROFILES[format], config, "base"), faulty);
}

/**
 * The samples of a stream, in the order in which a learner reads them.
 *
 * @param faulty Whether the stream has faulty records by design; otherwise one means that it is not the stream expected
 * @throws Error when a record is rejected and the stream should have no such records
 */
export async function samplesOf(
  source: AsyncIterable<SourceRecord>,
  task: TaskOptions,
  faulty: boolean = false,
): Promise<Sample[]> {
  await using log = new MemoryLog();
  await replay(log, source, {
    model: "base",
    modelConfig: { widths: [] },
    task,
    // Its model does not matter, so it learns next to nothing.
    learner: { ...learnerOptions(task, {}, 0), embeddingWidth: 1 },
    learning: { batchRows: 4096, guard: null },
    manifest: "{}",
  });
  const topics = topicNames();
  if (!faulty) await checkNoneRejected(log, topics.rejected);
  const samples: Sample[] = [];
  for await (const { value } of readAll(log, topics.samples, 0)) {
    if (value !== null) samples.push(decodeSample(value));
  }
  return samples;
}

async function checkNoneRejected(log: MemoryLog, topic: string): Promise<void> {
  for await (const { value } of readAll(log, topic, 0)) {
    throw new Error(
      `Cannot make samples of a rejected record: ${new TextDecoder().decode(value ?? undefined)}`,
    );
  }
}

function progress(
  samples: readonly Sample[],
  options: ProtocolOptions,
  { profile, from }: { readonly profile: TaskOptions; readonly from: number },
) {
  const task = taskOptions(profile, options.config, options.model);
  const trial = new Trial({ ...options, schema: task.schema });
  const all = trial.progress(samples);
  let row = 0, start = 0;
  while (row < from) row += samples[start++]?.rows.length ?? Infinity;
  return { all, judged: judgedFrom(all, samples, start), start };
}

/** Samples have pooled pairs, as the last numeric features: a model whose schema has none reads the others. */
const POOLED: Config = { features: { pooled: true } };

/** Judges the rows from 20,000 on, of a hundred thousand. */
export const P1: Protocol = {
  config: {},
  read: async (folder) => ({ train: await streamSamples("ml-100k", folder, POOLED), test: [] }),
  run: ({ train }, options): ProtocolResult => {
    const samples = options.heldOut ? train.slice(0, 20_000) : train;
    const { all, judged } = progress(samples, options, {
      profile: PROFILES["ml-100k"],
      from: options.heldOut ? 10_000 : 20_000,
    });
    const { users, labels, predictions } = judged;
    const figures = {
      auc: auc(labels, predictions),
      gauc: gauc(users, labels, predictions),
      ne: normalizedEntropy(labels, predictions),
    };
    return { rows: all.labels.length, judged: labels.length, figures };
  },
};

/** The folder's own `meander.json`, which also names the features. */
async function shopConfig(folder: string): Promise<Config> {
  const file = `${folder}/meander.json`;
  return await readConfig(file);
}

/**
 * The last third of the shop's rows; `share` is how far a log loss gets from the best constant to the truth.
 *
 * @param folder where its `meander.json` is
 * @param transitions crosses of the newest behaviours; `null` = none
 */
export async function shopProtocol(folder: string, transitions: object | null = {}): Promise<Protocol> {
  const own = await shopConfig(folder);
  // The same features for all models, so that a difference comes from the history branch alone.
  const config = { ...own, features: { ...own.features, transitions } };
  return {
    config,
    read: async (data) => {
      const features = { ...config.features, pooled: true };
      return { train: await streamSamples("meander", data, { ...config, features }, true), test: [] };
    },
    run: ({ train }, options) => {
      const rows = train.reduce((sum, sample) => sum + sample.rows.length, 0);
      const { all, judged, start } = progress(train, options, {
        profile: PROFILES.meander,
        from: rows - Math.floor(rows / 3),
      });
      const truth = train.slice(start).flatMap((sample) => sample.rows.map((row) => row.oracle));
      const { labels, predictions } = judged;
      const [constant, loss, oracle] = [
        constantLogLoss(labels) ?? NaN,
        logLoss(labels, predictions) ?? NaN,
        logLoss(labels, truth) ?? NaN,
      ];
      const figures = {
        auc: auc(labels, predictions),
        logLoss: loss,
        share: (constant - loss) / (constant - oracle),
      };
      return { rows: all.labels.length, judged: labels.length, figures };
    },
  };
}
