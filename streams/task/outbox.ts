/**
 * What a task gave out since its last commit: answers, samples, erasures and rejections.
 *
 * ```text
 *   answers      ■■■■■■■■░░░░   ■ sent early: on their way, or there; the commit waits for them
 *   samples      ░░░x░░░░░x░    x an erasure: the samples behind it are of another life
 *   rejections   ░░             ░ go with the commit
 * ```
 *
 * Each output but a rejection carries the number of its input ({@linkcode INPUT}).
 *
 * @module
 */

import type { Refusal } from "../../src/events/refusal.ts";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { sizeInBatch } from "../../src/learner/sample.ts";
import { encodeSample, forgetSampleWords } from "../../src/learner/sample_codec.ts";
import type { TaskCounters } from "../../src/state/task_counters.ts";
import type { TaskOutputs } from "../../src/state/task_outputs.ts";
import type { Log, LogRecord, NewRecord } from "../log/log.ts";
import type { SampleHandover } from "../sample_handover.ts";
import type { Topics } from "../topics.ts";
import { INPUT, OutputNumbers } from "./delivery.ts";

const encoder = new TextEncoder();

/** Where outputs go. */
export interface OutboxOptions {
  /** Takes the answers that are sent early. */
  readonly log: Pick<Log, "append">;
  readonly topics: Topics;
  readonly partition: number;
  /** Where rejections are counted. */
  readonly counters: Pick<TaskCounters, "rejected">;
  /** Gets the samples that are committed. @default {nobody} */
  readonly handover?: SampleHandover | undefined;
}

/** The outputs of a task that are not committed. */
export class Outbox {
  readonly #options: OutboxOptions;
  #outputs = noOutputs();
  #numbers = new OutputNumbers();
  #rejected: NewRecord[] = [];
  #rows = 0;
  /** Answers that were sent, and what tells that they have arrived. */
  #sent = 0;
  #sending: Promise<unknown>[] = [];
  /** Where each sample is among the records of the commit. */
  #samplePlaces: number[] = [];

  /** Nothing was given out. */
  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Where an event adds what it gives; {@linkcode Outbox.number} comes behind it. */
  get outputs(): TaskOutputs {
    return this.#outputs;
  }

  /** Rows of the samples, as they count in a batch of the learner. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether the user is among those to erase. */
  isForgotten(user: string): boolean {
    return this.#outputs.forgotten.some((gone) => gone.user === user);
  }

  /** Numbers what the event at an offset has added. */
  number(offset: number): void {
    const { samples } = this.#outputs;
    for (let s = this.#numbers.samples.length; s < samples.length; s++) {
      this.#rows += sizeInBatch(samples[s]!);
    }
    this.#numbers.add(this.#outputs, this.#options.partition, offset);
  }

  /** Adds the rejection of a record, and counts it. */
  reject(record: LogRecord, { code, reason }: Pick<Refusal, "code" | "reason">): void {
    const { topic, partition, offset, key, value, time } = record;
    const at = { topic, partition, offset };
    const rejection = rejectionOf(at, { ok: false, code, reason }, value ?? new Uint8Array(0));
    this.#options.counters.rejected++;
    this.#rejected.push({
      topic: this.#options.topics.rejected,
      partition: this.#options.partition,
      key,
      value: encodeRejection(rejection),
      time,
    });
  }

  /** Sends the answers that were not sent yet. @param time of their records */
  send(time: number): void {
    const records = this.#answers(time);
    if (records.length === 0) return;
    this.#sent += records.length;
    const sending = this.#options.log.append(records);
    sending.catch(() => {}); // told by arrived()
    this.#sending.push(sending);
  }

  /** Resolves when all that was sent has arrived, and rejects when some of it cannot. */
  arrived(): Promise<unknown> {
    return Promise.all(this.#sending);
  }

  /** The records of the commit: all but what was sent. @param time of all but rejections, which have their input's */
  records(time: number): NewRecord[] {
    const { partition, topics: { samples: topic } } = this.#options;
    const { samples, forgotten } = this.#outputs;
    const records = this.#answers(time);
    this.#samplePlaces = [];
    let told = 0;
    const tellUpTo = (count: number) => {
      for (const sample of samples.slice(told, count)) {
        const headers = numbered(this.#numbers.samples[told++]);
        this.#samplePlaces.push(records.length);
        records.push({ topic, partition, key: sample.user, value: encodeSample(sample), time, headers });
      }
    };
    for (const [n, { user, afterSamples }] of forgotten.entries()) {
      tellUpTo(afterSamples);
      const headers = numbered(this.#numbers.forgotten[n]);
      records.push({ topic, partition, key: user, value: null, time, headers });
    }
    tellUpTo(samples.length);
    if (forgotten.length > 0) forgetSampleWords();
    for (const one of this.#rejected) records.push(one);
    return records;
  }

  /** Hands the samples over, and is empty. @param offsets of {@linkcode Outbox.records} on the log, in that order */
  clear(offsets: readonly number[]): void {
    for (const [n, sample] of this.#outputs.samples.entries()) {
      this.#options.handover?.put(offsets[this.#samplePlaces[n]!]!, sample);
    }
    this.#outputs = noOutputs();
    this.#numbers = new OutputNumbers();
    this.#rejected = [];
    this.#rows = 0;
    [this.#sent, this.#sending] = [0, []];
  }

  /** The records of the answers that were not sent. */
  #answers(time: number): NewRecord[] {
    const { partition, topics: { recommendations: topic } } = this.#options;
    const from = this.#sent;
    return this.#outputs.recommendations.slice(from).map((recommendation, n) => ({
      topic,
      partition,
      key: recommendation.user,
      value: encoder.encode(JSON.stringify(recommendation)),
      time,
      headers: numbered(this.#numbers.recommendations[from + n]),
    }));
  }
}

function noOutputs(): TaskOutputs {
  return { recommendations: [], samples: [], forgotten: [] };
}

function numbered(number = ""): Readonly<Record<string, string>> {
  return { [INPUT]: number };
}
