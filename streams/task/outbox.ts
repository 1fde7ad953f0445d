/**
 * Outputs of a task since its last commit: answers, samples, erasures, merges and rejections.
 *
 * ```text
 *   answers      ■■■■■■■■░░░░   ■ sent early: on their way, or written; the commit waits for them
 *   samples      ░░░x░░░░░x░    x an erasure: the samples after it do not belong to the erased user's past
 *   lists        ░  x ░   x     ░ written with the commit
 *   merges          ░          ░ events for other users, whatever their partition
 *   rejections   ░░
 * ```
 *
 * Each output except a rejection carries the header {@linkcode INPUT}. Outputs are encoded right after their event:
 * bytes take less memory until the commit, and leave less work for it.
 */

import { getLogger } from "@logtape/logtape";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { encodeRejection, type LogPlace, rejectionKey, rejectionOf } from "../../src/events/rejection.ts";
import { type Sample, sizeInBatch } from "../../src/samples/sample.ts";
import { encodeSample, forgetSampleWords } from "../../src/samples/sample_codec.ts";
import type { TaskCounters } from "../../src/engine/task_counters.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import type { Commit, Log, LogRecord, NewRecord } from "../log/log.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";
import type { Topics } from "../topics/topics.ts";
import { isRecordTime } from "../log/checks.ts";
import { ignore } from "../log/ignore.ts";
import { partitionOf } from "../log/partitioner.ts";
import { isMended, MENDED_HEADERS } from "../topics/arrival.ts";
import { INPUT, LEARNT, SETTLED_BEFORE } from "../topics/delivery.ts";
import { encodeAsJson, type OutputEncoder } from "../formats/output_settings.ts";
import { commitFitting, type Part, withoutBytes } from "./fitting.ts";
import { FirstRejections } from "../topics/first_rejections.ts";
import { copiesOf, SAMPLES_ENDING, surfaceTopic } from "../topics/surfaces.ts";

const logger = getLogger(["meander", "task"]);
const ENCODER = new TextEncoder();
/** Answers that are sent early do not move the position. */
const NO_POSITION: Commit = { records: [], group: "", offsets: [] };

/** Where outputs go. */
export interface OutboxOptions {
  /** Receives the answers that are sent early. */
  readonly log: Pick<Log, "append">;
  readonly topics: Topics;
  readonly partition: number;
  /** Number of partitions of the events. */
  readonly partitions: number;
  /** Where rejections are counted. */
  readonly counters: Pick<TaskCounters, "rejected">;
  /**
   * Whether rejections, merges, copies of samples and erasures of lists are already on the log, from an earlier run.
   *
   * @default {false}
   */
  readonly isAnswered?: boolean | undefined;
  /** Endings of the topics to which answers for surfaces are copied, by surface. @default {none} */
  readonly surfaceTopics?: Readonly<Record<string, string>> | undefined;
  /** Encodes lists of users and copies on topics of surfaces. @default {as JSON} */
  readonly encodeLists?: OutputEncoder | undefined;
  /** Encodes samples of lists for other programs; `null` = the sample has no list. @default {none are written} */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
  /** Whether the model has learnt a user's samples of the event at an offset. @default {never} */
  readonly isLearnt?: ((offset: number, user: string) => boolean) | undefined;
  /** Receives committed samples. @default {none} */
  readonly handover?: SampleHandover | undefined;
}

/** A record that waits for its time, which is that of the commit. */
type Sealed = Omit<NewRecord, "time">;

/** The outputs of a task that are not committed yet. */
export class Outbox {
  /** Collects the outputs of an event, until {@linkcode Outbox.seal}. */
  readonly outputs: Required<TaskOutputs> = {
    recommendations: [],
    samples: [],
    forgotten: [],
    lists: [],
    merges: [],
  };
  readonly #kinds: readonly unknown[][] = Object.values(this.outputs);
  readonly #options: OutboxOptions;
  /** Answers that were not sent yet, each before its copies on topics of surfaces. */
  #answers: Sealed[] = [];
  /** Samples and erasures. */
  #samples: Sealed[] = [];
  /** The sample to hand over for each record of samples; `null` = there is none. */
  #handed: (Sample | null)[] = [];
  /** Lists of users and their erasures; copies of samples; events for users to whom behaviours are handed over. */
  #others: Sealed[] = [];
  #hasMerges = false;
  readonly #erased = new Set<string>();
  /** The time is `undefined` if that of the input is invalid. */
  #rejected: (Sealed & { readonly time: number | undefined })[] = [];
  readonly #first = new FirstRejections(logger, "task");
  #rows = 0;
  /** Sends of answers in progress. */
  #sending: Promise<unknown>[] = [];

  /** Starts empty. */
  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Number of rows of the samples to learn, as they count in a batch of the learner. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether there is an answer that was not sent yet. */
  get isAsked(): boolean {
    return this.#answers.length > 0;
  }

  /** Whether there are events for tasks, including this one. */
  get hasMerges(): boolean {
    return this.#hasMerges;
  }

  /** Users to erase. */
  get erased(): ReadonlySet<string> {
    return this.#erased;
  }

  /** Whether a user is to be erased. */
  isForgotten(user: string): boolean {
    return this.#erased.has(user);
  }

  /**
   * Encodes and numbers the outputs of the event at an offset, and empties {@linkcode Outbox.outputs}.
   *
   * @param at the surface of the event, if it is a request; of its samples, see {@linkcode SETTLED_BEFORE}
   */
  seal(offset: number, at: { readonly surface?: string | undefined; readonly settledBefore: number }): void {
    if (this.#kinds.every((outputs) => outputs.length === 0)) return;
    const { topics, partition, partitions, isAnswered, encodeLists = encodeAsJson } = this.#options;
    const { forgotten, lists, merges } = this.outputs;
    let index = 0;
    const number = (): Sealed["headers"] => ({ [INPUT]: `${partition}/${offset}/${index++}` });
    this.#sealAnswers(number, at.surface);
    this.#sealSamples(number, offset, at.settledBefore);
    // Even if lists are no longer written, because there may be earlier ones.
    for (const { user: key } of isAnswered ? [] : forgotten) {
      this.#others.push({ topic: topics.lists, partition, key, value: null, headers: number() });
    }
    for (const list of lists) {
      const value = encodeLists(list, topics.lists);
      this.#others.push({ topic: topics.lists, partition, key: list.user, value, headers: number() });
    }
    for (const merge of isAnswered ? [] : merges) {
      const { user: key } = merge;
      const value = ENCODER.encode(JSON.stringify(merge));
      const to = partitionOf(key, partitions);
      this.#others.push({ topic: topics.events, partition: to, key, value, headers: number() });
      this.#hasMerges = true;
    }
    if (forgotten.length > 0) forgetSampleWords();
    for (const outputs of this.#kinds) outputs.length = 0;
  }

  #sealAnswers(number: () => Sealed["headers"], surface: string | undefined): void {
    const { topics, partition, surfaceTopics, encodeLists = encodeAsJson } = this.#options;
    const surfaces = copiesOf(topics, surfaceTopics, surface);
    for (const answer of this.outputs.recommendations) {
      const value = encodeAsJson(answer);
      const own = { topic: topics.recommendations, partition, key: answer.user, value, headers: number() };
      this.#answers.push(own);
      for (const topic of surfaces) {
        this.#answers.push({
          ...own,
          topic,
          value: encodeLists === encodeAsJson ? value : encodeLists(answer, topic),
        });
      }
    }
  }

  #sealSamples(number: () => Sealed["headers"], offset: number, settledBefore: number): void {
    const { topics: { samples: topic }, partition, handover, isLearnt } = this.#options;
    const { samples, forgotten } = this.outputs;
    const sealed = samples.map((sample): readonly [Sample | null, Sealed] => {
      const isDone = isLearnt?.(offset, sample.user) ?? false;
      if (!isDone) this.#rows += sizeInBatch(sample);
      const headers = {
        ...number(),
        ...(sample.purpose !== "learn" && { [SETTLED_BEFORE]: `${settledBefore}` }),
        ...(isDone && { [LEARNT]: "" }),
      };
      return [sample, { topic, partition, key: sample.user, value: encodeSample(sample), headers }];
    });
    for (const [n, { user: key, afterSamples }] of forgotten.entries()) {
      const erasure = { topic, partition, key, value: null, headers: number() };
      sealed.splice(afterSamples + n, 0, [null, erasure]);
      this.#erased.add(key);
    }
    for (const [sample, record] of sealed) {
      this.#samples.push(record);
      this.#handed.push(handover === undefined ? null : sample);
      this.#copySample(sample, record);
    }
  }

  /** Copies a sample that has a list, or an erasure, for other programs. */
  #copySample(sample: Sample | null, record: Sealed): void {
    const { topics, isAnswered, encodeSamples } = this.#options;
    if (encodeSamples === undefined || isAnswered) return;
    const value = sample && encodeSamples(sample);
    if (sample !== null && value === null) return;
    this.#others.push({ ...record, topic: surfaceTopic(topics, SAMPLES_ENDING), value });
  }

  /** Adds the rejection of a record, and counts it. Logs the first of each code, without what the record contains. */
  reject(record: LogRecord, { code, reason }: Pick<Rejected, "code" | "reason">): void {
    const { topic, partition, offset, key, value, time } = record;
    const at = { topic, partition, offset };
    const rejection = rejectionOf(at, { ok: false, code, reason }, value ?? new Uint8Array(0));
    this.#options.counters.rejected++;
    if (this.#options.isAnswered) return;
    this.#first.tell(rejection);
    this.#rejected.push({
      topic: this.#options.topics.rejected,
      partition: this.#options.partition,
      key: rejectionKey(key),
      headers: isMended(record) ? MENDED_HEADERS : undefined,
      value: encodeRejection(rejection),
      time: isRecordTime(time) ? time : undefined,
    });
  }

  /**
   * What to write in place of a record that is too large for its topic: a rejection of the event that it results from,
   * which says what is missing. `null` = nothing.
   */
  smaller(record: NewRecord, reason: string): readonly NewRecord[] | null {
    const { topics } = this.#options;
    if (record.topic === topics.rejected) {
      const cut = withoutBytes(record);
      return cut && [cut];
    }
    const [partition, offset] = (record.headers?.[INPUT] ?? "").split("/").map(Number);
    if (partition === undefined || offset === undefined || record.key === null) return null;
    const place = { topic: topics.events, partition, offset };
    return this.tooLarge(place, record.key, `${reason}; what the event gives there is left out`, record.time);
  }

  /**
   * The rejection that says what is missing after an event, without its bytes; none if rejections are on the log
   * already. Counts it.
   */
  tooLarge(place: LogPlace, user: string, reason: string, time: number): readonly NewRecord[] {
    const { topics: { rejected: topic }, partition, counters, isAnswered } = this.#options;
    counters.rejected++;
    if (isAnswered) return [];
    const rejection = rejectionOf(place, reject("too-large", reason), new Uint8Array(0), 1);
    return [{ topic, partition, key: rejectionKey(user), value: encodeRejection(rejection), time }];
  }

  /** Sends the answers that were not sent yet. @param time time of their records */
  send(time: number): void {
    if (this.#answers.length === 0) return;
    const parts = this.#answers.map((answer): Part => ({ records: [{ ...answer, time }] }));
    const sender = { commit: ({ records }: Commit) => this.#options.log.append(records) };
    const sending = commitFitting(sender, parts, NO_POSITION, ({ records: [record] }, reason) => {
      const records = record === undefined ? null : this.smaller(record, reason);
      return records && { records };
    });
    ignore(sending, "arrived() throws it");
    this.#sending.push(sending);
    this.#answers = [];
  }

  /** Resolves when all sent answers have been written; rejects when one cannot be. */
  arrived(): Promise<unknown> {
    return Promise.all(this.#sending);
  }

  /**
   * The records of the commit: all except answers that were already sent.
   *
   * @param time time of all records except rejections, which have that of their input if it is valid
   * @param headers headers of samples, in addition to {@linkcode INPUT}
   */
  records(time: number, headers: NewRecord["headers"] = {}): NewRecord[] {
    return [
      ...this.#answers.map((record) => ({ ...record, time })),
      ...this.#samples.map((record) => ({ ...record, time, headers: { ...record.headers, ...headers } })),
      ...this.#others.map((record) => ({ ...record, time })),
      ...this.#rejected.map((record) => ({ ...record, time: record.time ?? time })),
    ];
  }

  /** Hands the samples over, and empties the outbox. @param offsets as of {@linkcode Outbox.records}; -1 = left out */
  clear(offsets: readonly number[]): void {
    const { handover } = this.#options;
    for (const [n, sample] of this.#handed.entries()) {
      const offset = offsets[this.#answers.length + n] ?? -1;
      if (sample !== null && offset >= 0) handover?.put(offset, sample);
    }
    this.#answers = [];
    this.#samples = [];
    this.#handed = [];
    this.#others = [];
    this.#hasMerges = false;
    this.#erased.clear();
    this.#rejected = [];
    this.#rows = 0;
    this.#sending = [];
  }
}
