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
 *
 * @module
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
import { INPUT, SETTLED_BEFORE } from "../topics/delivery.ts";
import { encodeAsJson, type OutputEncoder } from "../formats/output_settings.ts";
import { commitFitting, type Part, withoutBytes } from "./fitting.ts";
import { copiesOf, SAMPLES_ENDING, surfaceTopic } from "../topics/surfaces.ts";

const logger = getLogger(["meander", "task"]);
const ENCODER = new TextEncoder();
/** Answers that are sent early move no position. */
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
  /** Whether rejections and erasures of lists are already on the log, from an earlier run. @default {false} */
  readonly isAnswered?: boolean | undefined;
  /** Endings of the topics to which answers for surfaces are copied, by surface. @default {none} */
  readonly surfaceTopics?: Readonly<Record<string, string>> | undefined;
  /** Encodes lists of users and copies on topics of surfaces. @default {as JSON} */
  readonly encodeLists?: OutputEncoder | undefined;
  /** Encodes samples of lists for other programs; `null` = the sample has no list. @default {none are written} */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
  /** Receives committed samples. @default {none} */
  readonly handover?: SampleHandover | undefined;
}

interface Encoded {
  readonly topic: string;
  readonly user: string;
  /** `null` = an erasure. */
  readonly value: Uint8Array | null;
  /** See {@linkcode INPUT}. */
  readonly input: string;
  /** See {@linkcode SETTLED_BEFORE}. */
  readonly settledBefore?: number | undefined;
  /** The sample to hand over to a learner in this process. */
  readonly sample?: Sample | undefined;
}

/** Outputs that wait for the commit, in order. */
interface Sealed {
  /** Answers that were not sent yet, and their copies on topics of surfaces. */
  readonly answers: Encoded[];
  readonly answerCopies: Encoded[];
  /** Samples and erasures, and their copies for other programs. */
  readonly samples: Encoded[];
  readonly sampleCopies: Encoded[];
  /** Lists of users and their erasures. */
  readonly lists: Encoded[];
  /** Events for users to whom behaviours are handed over. */
  readonly merges: Encoded[];
}

function nothingSealed(): Sealed {
  return { answers: [], answerCopies: [], samples: [], sampleCopies: [], lists: [], merges: [] };
}

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
  readonly #options: OutboxOptions;
  #sealed = nothingSealed();
  readonly #erased = new Set<string>();
  /** The time is `undefined` if that of the input is invalid. */
  #rejected: (Omit<NewRecord, "time"> & { readonly time: number | undefined })[] = [];
  /** Codes of rejections that were logged. */
  readonly #told = new Set<string>();
  #rows = 0;
  /** Sends of answers in progress. */
  #sending: Promise<unknown>[] = [];
  /** Number of records before the first sample in the commit. */
  #before = 0;

  /** Starts empty. */
  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Number of rows of the samples, as they count in a batch of the learner. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether there is an answer that was not sent yet. */
  get isAsked(): boolean {
    return this.#sealed.answers.length > 0;
  }

  /** Whether there are events for tasks, including this one. */
  get hasMerges(): boolean {
    return this.#sealed.merges.length > 0;
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
    const all = Object.values(this.outputs);
    if (all.every((outputs) => outputs.length === 0)) return;
    const { topics, partition, isAnswered } = this.#options;
    const { forgotten, lists, merges } = this.outputs;
    const isWriting = !isAnswered;
    let index = 0;
    const number = () => `${partition}/${offset}/${index++}`;
    this.#sealAnswers(number, at.surface);
    this.#sealSamples(number, isWriting, at.settledBefore);
    // Even if lists are no longer written, because there may be earlier ones.
    for (const { user } of isWriting ? forgotten : []) {
      this.#sealed.lists.push({ topic: topics.lists, user, value: null, input: number() });
    }
    const { encodeLists = encodeAsJson } = this.#options;
    for (const list of lists) {
      const value = encodeLists(list, topics.lists);
      this.#sealed.lists.push({ topic: topics.lists, user: list.user, value, input: number() });
    }
    for (const merge of isWriting ? merges : []) {
      const value = ENCODER.encode(JSON.stringify(merge));
      this.#sealed.merges.push({ topic: topics.events, user: merge.user, value, input: number() });
    }
    if (forgotten.length > 0) forgetSampleWords();
    for (const outputs of all) outputs.length = 0;
  }

  #sealAnswers(number: () => string, surface: string | undefined): void {
    const { topics, surfaceTopics, encodeLists = encodeAsJson } = this.#options;
    const surfaces = copiesOf(topics, surfaceTopics, surface);
    for (const answer of this.outputs.recommendations) {
      const value = encodeAsJson(answer);
      const own = { topic: topics.recommendations, user: answer.user, value, input: number() };
      this.#sealed.answers.push(own);
      for (const topic of surfaces) {
        const copy = encodeLists === encodeAsJson ? value : encodeLists(answer, topic);
        this.#sealed.answerCopies.push({ ...own, topic, value: copy });
      }
    }
  }

  #sealSamples(number: () => string, isWriting: boolean, before: number): void {
    const { topics, handover, encodeSamples } = this.#options;
    const { samples, forgotten } = this.outputs;
    const topic = topics.samples;
    const sealed = samples.map((sample) => {
      this.#rows += sizeInBatch(sample);
      const settledBefore = sample.purpose === "learn" ? undefined : before;
      const own = { topic, user: sample.user, value: encodeSample(sample), input: number(), settledBefore };
      return { sample, own: handover === undefined ? own : { ...own, sample } };
    });
    const inOrder: { readonly sample: Sample | null; readonly own: Encoded }[] = sealed;
    for (const [n, { user, afterSamples }] of forgotten.entries()) {
      inOrder.splice(afterSamples + n, 0, {
        sample: null,
        own: { topic, user, value: null, input: number() },
      });
      this.#erased.add(user);
    }
    for (const { sample, own } of inOrder) {
      this.#sealed.samples.push(own);
      if (encodeSamples === undefined || !isWriting) continue;
      const value = sample && encodeSamples(sample);
      if (sample !== null && value === null) continue; // it has no list
      this.#sealed.sampleCopies.push({ ...own, topic: surfaceTopic(topics, SAMPLES_ENDING), value });
    }
  }

  /** Adds the rejection of a record, and counts it. Logs the first of each code, without what the record contains. */
  reject(record: LogRecord, { code, reason }: Pick<Rejected, "code" | "reason">): void {
    const { topic, partition, offset, key, value, time } = record;
    const at = { topic, partition, offset };
    const rejection = rejectionOf(at, { ok: false, code, reason }, value ?? new Uint8Array(0));
    this.#options.counters.rejected++;
    if (this.#options.isAnswered) return;
    this.#tell(code, at);
    this.#rejected.push({
      topic: this.#options.topics.rejected,
      partition: this.#options.partition,
      key: rejectionKey(key),
      value: encodeRejection(rejection),
      time: isRecordTime(time) ? time : undefined,
    });
  }

  #tell(code: string, place: LogPlace): void {
    if (this.#told.has(code)) return;
    this.#told.add(code);
    logger.warn(
      "partition {partition}: {topic} {offset} is rejected as {code}; others like it are not logged, and " +
        "`meander rejected list` shows them all",
      { partition: this.#options.partition, topic: place.topic, offset: place.offset, code },
    );
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
   * The rejection that tells what is missing after an event, without its bytes; none if rejections are on the log
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
    const { answers, answerCopies } = this.#sealed;
    if (answers.length === 0) return;
    const records = this.#records([...answers, ...answerCopies], time);
    const parts = records.map((record): Part => ({ records: [record] }));
    const sender = { commit: ({ records }: Commit) => this.#options.log.append(records) };
    const sending = commitFitting(sender, parts, NO_POSITION, ({ records: [record] }, reason) => {
      const records = record === undefined ? null : this.smaller(record, reason);
      return records && { records };
    });
    ignore(sending, "arrived() throws it");
    this.#sending.push(sending);
    this.#sealed = { ...this.#sealed, answers: [], answerCopies: [] };
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
    const { partitions } = this.#options;
    const { answers, answerCopies, samples, lists, sampleCopies } = this.#sealed;
    this.#before = answers.length + answerCopies.length;
    const merges = this.#records(this.#sealed.merges, time).map((record) => {
      return { ...record, partition: partitionOf(record.key!, partitions) };
    });
    return [
      ...this.#records(answers, time),
      ...this.#records(answerCopies, time),
      ...this.#records(samples, time, headers),
      ...this.#records(lists, time),
      ...this.#records(sampleCopies, time),
      ...merges,
      ...this.#rejected.map((record) => ({ ...record, time: record.time ?? time })),
    ];
  }

  /** Hands the samples over, and empties the outbox. @param offsets as of {@linkcode Outbox.records}; -1 = left out */
  clear(offsets: readonly number[]): void {
    const { handover } = this.#options;
    for (const [n, { sample }] of this.#sealed.samples.entries()) {
      const offset = offsets[this.#before + n] ?? -1;
      if (sample !== undefined && offset >= 0) handover?.put(offset, sample);
    }
    this.#sealed = nothingSealed();
    this.#erased.clear();
    this.#rejected = [];
    this.#rows = 0;
    this.#sending = [];
  }

  #records(outputs: readonly Encoded[], time: number, headers: NewRecord["headers"] = {}): NewRecord[] {
    const { partition } = this.#options;
    return outputs.map(({ topic, user: key, value, input, settledBefore }) => ({
      topic,
      partition,
      key,
      value,
      time,
      headers: {
        [INPUT]: input,
        ...(settledBefore !== undefined && { [SETTLED_BEFORE]: `${settledBefore}` }),
        ...headers,
      },
    }));
  }
}
