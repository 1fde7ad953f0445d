/**
 * Outputs of a task since its last commit: answers, samples, erasures, merges and rejections.
 *
 * ```text
 *   answers      ■■■■■■■■░░░░   ■ sent early: on their way, or there; the commit waits for them
 *   samples      ░░░x░░░░░x░    x an erasure: the samples behind it are of another life
 *   lists        ░  x ░   x     ░ go with the commit
 *   merges          ░          ░ events of others, whatever their partition
 *   rejections   ░░
 * ```
 *
 * Each output except a rejection carries the number of its input ({@linkcode INPUT}). Outputs are encoded right after
 * their event: bytes take less memory until the commit, and leave less work for it.
 *
 * @module
 */

import type { Rejected } from "../../src/events/rejected.ts";
import { encodeRejection, rejectionKey, rejectionOf } from "../../src/events/rejection.ts";
import { type Sample, sizeInBatch } from "../../src/samples/sample.ts";
import { encodeSample, forgetSampleWords } from "../../src/samples/sample_codec.ts";
import type { TaskCounters } from "../../src/engine/task_counters.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import type { Log, LogRecord, NewRecord } from "../log/log.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";
import type { Topics } from "../topics/topics.ts";
import { isRecordTime } from "../log/checks.ts";
import { ignore } from "../log/ignore.ts";
import { partitionOf } from "../log/partitioner.ts";
import { INPUT } from "../topics/delivery.ts";
import { encodeAsJson, type OutputEncoder } from "../formats/output_settings.ts";
import { copiesOf, SAMPLES_ENDING, surfaceTopic } from "../topics/surfaces.ts";

const ENCODER = new TextEncoder();

/** Where outputs go. */
export interface OutboxOptions {
  /** Takes the answers that are sent early. */
  readonly log: Pick<Log, "append">;
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** Where rejections are counted. */
  readonly counters: Pick<TaskCounters, "rejected">;
  /** Whether rejections and erasures of lists are on the log from an earlier run. @default {() => false} */
  readonly isAnswered?: (() => boolean) | undefined;
  /** Endings of the topics to which answers of surfaces are copied. @default {none} */
  readonly surfaceTopics?: Readonly<Record<string, string>> | undefined;
  /** Encodes lists of users and copies on topics of surfaces. @default {as JSON} */
  readonly encodeLists?: OutputEncoder | undefined;
  /** Encodes samples of lists for other programs; `null` = the sample has no list. @default {none are written} */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
  /** Receives committed samples. @default {none} */
  readonly handover?: SampleHandover | undefined;
}

/** An output that is encoded. */
interface Encoded {
  readonly user: string;
  /** `null` = an erasure. */
  readonly value: Uint8Array | null;
  /** See {@linkcode INPUT}. */
  readonly input: string;
  /** Other topics that get the output, each with its encoding. */
  readonly copies?: readonly { readonly topic: string; readonly value: Uint8Array | null }[];
  /** What is handed over. */
  readonly sample?: Sample | undefined;
}

/** The outputs of a task that are not committed. */
export class Outbox {
  /** Collects the outputs of an event, until {@linkcode Outbox.seal}. */
  readonly outputs: Required<TaskOutputs> = {
    ...{ recommendations: [], samples: [], forgotten: [], lists: [], merges: [] },
  };
  readonly #options: OutboxOptions;
  /** Answers that were not sent. */
  #answers: Encoded[] = [];
  /** Samples and erasures. */
  #samples: Encoded[] = [];
  /** Lists of users and their erasures. */
  #lists: Encoded[] = [];
  /** Events of users to whom something is handed over. */
  #merges: Encoded[] = [];
  #erased: string[] = [];
  /** Without a time where that of the input is invalid. */
  #rejected: (Omit<NewRecord, "time"> & { readonly time: number | undefined })[] = [];
  #rows = 0;
  /** Sends of answers in progress. */
  #sending: Promise<unknown>[] = [];
  /** Records before the first sample in the commit. */
  #before = 0;

  /** Empty. */
  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Rows of the samples, as they count in a batch of the learner. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether there is an answer that was not sent. */
  get isAsked(): boolean {
    return this.#answers.length > 0;
  }

  /** Whether there are events for tasks, including this one. */
  get hasMerges(): boolean {
    return this.#merges.length > 0;
  }

  /** Users to erase. */
  get erased(): readonly string[] {
    return this.#erased;
  }

  /** Whether the user is among them. */
  isForgotten(user: string): boolean {
    return this.#erased.includes(user);
  }

  /**
   * Encodes and numbers the outputs of the event at an offset, and empties {@linkcode Outbox.outputs}.
   *
   * @param surface of the event, if it is a request
   */
  seal(offset: number, surface?: string): void {
    const { recommendations, samples, forgotten, lists, merges } = this.outputs;
    if (Object.values(this.outputs).every((of) => of.length === 0)) return;
    const { topics, partition, handover, isAnswered, surfaceTopics, encodeSamples } = this.#options;
    const { encodeLists = encodeAsJson } = this.#options;
    let index = 0;
    const input = () => `${partition}/${offset}/${index++}`;
    const surfaces = copiesOf(topics, surfaceTopics, surface);
    for (const answer of recommendations) {
      const value = encodeAsJson(answer);
      const copy = (topic: string) => encodeLists === encodeAsJson ? value : encodeLists(answer, topic);
      const copies = surfaces.map((topic) => ({ topic, value: copy(topic) }));
      this.#answers.push({ user: answer.user, value, input: input(), copies });
    }
    const copies = (of: Sample | null) => {
      if (encodeSamples === undefined || isAnswered?.()) return [];
      const value = of && encodeSamples(of);
      return of !== null && value === null ? [] : [{ topic: surfaceTopic(topics, SAMPLES_ENDING), value }];
    };
    const encoded: Encoded[] = samples.map((sample) => {
      this.#rows += sizeInBatch(sample);
      const kept = handover === undefined ? undefined : sample;
      return {
        ...{ user: sample.user, value: encodeSample(sample), input: input(), sample: kept },
        copies: copies(sample),
      };
    });
    for (const [n, { user, afterSamples }] of forgotten.entries()) {
      encoded.splice(afterSamples + n, 0, { user, value: null, input: input(), copies: copies(null) });
      this.#erased.push(user);
    }
    this.#samples.push(...encoded);
    // Even if lists are no longer written: some may have been.
    if (!isAnswered?.()) {
      for (const { user } of forgotten) this.#lists.push({ user, value: null, input: input() });
    }
    for (const list of lists) {
      this.#lists.push({ user: list.user, value: encodeLists(list, topics.lists), input: input() });
    }
    if (!isAnswered?.()) {
      for (const merge of merges) {
        this.#merges.push({ user: merge.user, value: ENCODER.encode(JSON.stringify(merge)), input: input() });
      }
    }
    if (forgotten.length > 0) forgetSampleWords();
    recommendations.length =
      samples.length =
      forgotten.length =
      lists.length =
      merges.length =
        0;
  }

  /** Adds the rejection of a record, and counts it. */
  reject(record: LogRecord, { code, reason }: Pick<Rejected, "code" | "reason">): void {
    const { topic, partition, offset, key, value, time } = record;
    const at = { topic, partition, offset };
    const rejection = rejectionOf(at, { ok: false, code, reason }, value ?? new Uint8Array(0));
    this.#options.counters.rejected++;
    if (this.#options.isAnswered?.()) return;
    this.#rejected.push({
      topic: this.#options.topics.rejected,
      partition: this.#options.partition,
      key: rejectionKey(key),
      value: encodeRejection(rejection),
      time: isRecordTime(time) ? time : undefined,
    });
  }

  /** Sends the answers that were not sent yet. @param time of their records */
  send(time: number): void {
    if (this.#answers.length === 0) return;
    const sending = this.#options.log.append(this.#answerRecords(time));
    ignore(sending, "arrived() throws it");
    this.#sending.push(sending);
    this.#answers = [];
  }

  /** Resolves when all answers that were sent have arrived; rejects when one cannot. */
  arrived(): Promise<unknown> {
    return Promise.all(this.#sending);
  }

  /**
   * The records of the commit: all but what was sent.
   *
   * @param time of all but rejections, which have their input's, where it has one
   * @param headers of samples, beside their input
   */
  records(time: number, headers: NewRecord["headers"] = {}): NewRecord[] {
    const records = this.#answerRecords(time);
    this.#before = records.length;
    const { topics: { samples, lists, events }, partitions } = this.#options;
    const merges = this.#records(this.#merges, events, time).map((record) => {
      return { ...record, partition: partitionOf(record.key!, partitions) };
    });
    const rejected = this.#rejected.map((record) => ({ ...record, time: record.time ?? time }));
    return records.concat(
      this.#records(this.#samples, samples, time, headers),
      this.#records(this.#lists, lists, time),
      this.#copies(this.#samples, time),
      merges,
      rejected,
    );
  }

  /** Passes the samples on, and empties the outbox. @param offsets of {@linkcode Outbox.records}, in that order */
  clear(offsets: readonly number[]): void {
    const { handover } = this.#options;
    for (const [n, { sample }] of this.#samples.entries()) {
      if (sample !== undefined) handover?.put(offsets[this.#before + n]!, sample);
    }
    this.#answers = [];
    this.#samples = [];
    this.#lists = [];
    this.#merges = [];
    this.#erased = [];
    this.#rejected = [];
    this.#rows = 0;
    this.#sending = [];
  }

  /** Of the answers, then of their copies on topics of surfaces. */
  #answerRecords(time: number): NewRecord[] {
    const { topics } = this.#options;
    return [
      ...this.#records(this.#answers, topics.recommendations, time),
      ...this.#copies(this.#answers, time),
    ];
  }

  #copies(of: readonly Encoded[], time: number): NewRecord[] {
    return of.flatMap(({ copies = [], ...own }) =>
      copies.flatMap(({ topic, value }) => this.#records([{ ...own, value }], topic, time))
    );
  }

  #records(
    of: readonly Encoded[],
    topic: string,
    time: number,
    headers: NewRecord["headers"] = {},
  ): NewRecord[] {
    const { partition } = this.#options;
    return of.map(({ user: key, value, input }) => ({
      topic,
      partition,
      key,
      value,
      time,
      headers: { [INPUT]: input, ...headers },
    }));
  }
}
