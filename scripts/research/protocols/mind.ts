/**
 * MIND as impressions: each list that was shown is ranked, then its clicks are learnt. One pass in order of time;
 * figures are means over the lists of the later half, by the data set's own rules, next to those of popularity.
 */

import type { Event } from "../../../src/events/event.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { auc } from "../../../src/metrics/ranking.ts";
import { taskOptions } from "../../../streams/config/config.ts";
import type { SourceRecord } from "../../../streams/sources/source.ts";
import { articlesOf, MIND_ACTIONS, type Visit, visitsOf } from "./mind_files.ts";
import type { Figures } from "./figures.ts";
import type { Protocol, ProtocolResult } from "./protocol.ts";
import { samplesOf } from "./streams.ts";
import { Trial } from "./trial.ts";

/** Time after which the clicks on a list are known. */
const WINDOW_MS = 60_000;
const HOUR = 3_600_000;
/** Half-lives of clicks, by the name of their figures. */
const HALF_LIVES = { "popular, 1 hour": HOUR, "popular, 1 day": 24 * HOUR, "popular": Infinity } as const;
/** Places of a list that count for nDCG. */
const PLACES = 10;

const PROFILE: TaskOptions = {
  schema: DEFAULT_SCHEMA,
  actions: MIND_ACTIONS,
  impressions: "logged",
  outcomeWindowMs: WINDOW_MS,
  allowedLatenessMs: 0,
  retrieval: { learn: false },
};

/** Judges lists of which at least one item was clicked and one was not. */
export const MIND: Protocol = {
  config: {},
  read: async (folder) => {
    const records = recordsOf(await linesOf(`${folder}/news.tsv`), await visits(folder));
    // Pooled pairs and lengths are the last features, so a model whose schema lacks them reads the others.
    const contextFields = [...DEFAULT_SCHEMA.contextFields, "listLength"];
    const task = { ...PROFILE, schema: { ...PROFILE.schema, contextFields, pooled: true } };
    return { train: await samplesOf(ReadableStream.from(records), task), test: [] };
  },
  run: ({ train }, options): ProtocolResult => {
    const { schema } = taskOptions(PROFILE, options.config, options.model);
    const samples = options.heldOut ? train.slice(0, Math.floor(train.length / 2)) : train;
    const { predictions } = new Trial({ ...options, schema }).progress(samples);
    const from = Math.floor(samples.length / 2);
    const [model, ...popular] = [new Means(), ...Object.values(HALF_LIVES).map(() => new Means())];
    const counts = Object.values(HALF_LIVES).map((halfLife) => new Clicks(halfLife));
    let at = 0, rows = 0;
    for (const [s, sample] of samples.entries()) {
      const labels = sample.rows.map(({ label }) => label);
      const items = sample.rows.map(({ item }) => item);
      if (s >= from) {
        rows += labels.length;
        model!.add(labels, Array.from(predictions.subarray(at, at + labels.length)));
        for (const [c, clicks] of counts.entries()) {
          popular[c]!.add(labels, items.map((item) => clicks.of(item, sample.time)));
        }
      }
      for (const [i, item] of items.entries()) {
        if (labels[i] === 1) { for (const clicks of counts) clicks.add(item, sample.time); }
      }
      at += labels.length;
    }
    return {
      rows: at,
      judged: rows,
      figures: Object.assign(
        model!.figures(""),
        ...Object.keys(HALF_LIVES).map((name, c) => popular[c]!.figures(`${name}: `)),
      ),
    };
  },
};

/** Clicks of items, each counting half as much after a half-life. */
class Clicks {
  readonly #counts = new Map<string, { count: number; time: number }>();

  constructor(readonly halfLifeMs: number) {}

  of(item: string, time: number): number {
    const clicks = this.#counts.get(item);
    return clicks === undefined ? 0 : clicks.count * 2 ** ((clicks.time - time) / this.halfLifeMs);
  }

  add(item: string, time: number): void {
    this.#counts.set(item, { count: 1 + this.of(item, time), time });
  }
}

/** Means over lists: AUC, reciprocal rank of the clicked items, nDCG; a tie counts half a place. */
class Means {
  #lists = 0;
  readonly #sums = { auc: 0, mrr: 0, ndcg: 0 };

  /** Adds a list, if some of its items were clicked and some were not. */
  add(labels: readonly number[], scores: readonly number[]): void {
    const clicks = labels.reduce((sum, label) => sum + label, 0);
    if (clicks === 0 || clicks === labels.length) return;
    this.#lists++;
    this.#sums.auc += auc(labels, scores)!;
    let [reciprocal, gain, best] = [0, 0, 0];
    for (const [i, score] of scores.entries()) {
      if (labels[i] !== 1) continue;
      const rank = rankOf(score, scores);
      reciprocal += 1 / rank;
      if (rank <= PLACES) gain += 1 / Math.log2(1 + rank);
    }
    for (let place = 1; place <= Math.min(PLACES, clicks); place++) best += 1 / Math.log2(1 + place);
    this.#sums.mrr += reciprocal / clicks;
    this.#sums.ndcg += gain / best;
  }

  figures(prefix: string): Figures {
    const { auc, mrr, ndcg } = this.#sums;
    const entries = Object.entries({ auc, mrr, [`ndcg${PLACES}`]: ndcg });
    return Object.fromEntries(entries.map(([name, sum]) => [`${prefix}${name}`, sum / this.#lists]));
  }
}

function rankOf(score: number, scores: readonly number[]): number {
  let [above, equal] = [0, 0];
  for (const other of scores) {
    if (other > score) above++;
    else if (other === score) equal++;
  }
  return above + (1 + equal) / 2;
}

function* recordsOf(news: readonly string[], all: readonly Visit[]): Generator<SourceRecord> {
  const file = "behaviors.tsv";
  let line = 0;
  const event = (event: Event): SourceRecord => ({ kind: "event", event, file, line: ++line });
  const time = all[0]?.time ?? 0;
  for (const item of articlesOf(news)) {
    yield { kind: "item", item: { ...item, time }, file: "news.tsv", line: ++line };
  }
  for (const [n, { user, time, read, shown, clicked }] of all.entries()) {
    const request = `v${n}`;
    for (const item of read) yield event({ type: "interaction", user, item, action: "view", time });
    const positions = shown.map(() => 0);
    yield event({ type: "impression", user, request, items: shown, positions, time });
    for (const item of clicked) {
      yield event({ type: "interaction", user, item, action: "click", request, time: time + 1 });
    }
  }
}

async function visits(folder: string): Promise<readonly Visit[]> {
  return visitsOf(await linesOf(`${folder}/behaviors.tsv`));
}

async function linesOf(file: string): Promise<readonly string[]> {
  return (await Deno.readTextFile(file)).trim().split("\n");
}
