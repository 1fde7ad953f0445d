/** The builder's writes on the topic of generations. */

import type { Log, NewRecord, Writer } from "../../log/log.ts";
import { BUILT, type Generation, generationRecord } from "../../topics/generations.ts";
import { type Closing, closingRecord, servingRecord, switchWriterId } from "../../topics/serving.ts";
import type { Topics } from "../../topics/topics.ts";

export interface NotesOptions {
  /** Topics of the first generation. */
  readonly topics: Topics;
  /** The generation that is built. */
  readonly generation: Generation;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Writes that a later builder, or a process that takes a switch back, fences. */
export class Notes implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #options: NotesOptions;
  readonly #sources: number | undefined;
  #until: readonly number[] | undefined;

  private constructor(writer: Writer, options: NotesOptions, sources: number | undefined) {
    this.#writer = writer;
    this.#options = options;
    this.#sources = sources;
  }

  /** Fences an earlier builder. */
  static async open(log: Log, options: NotesOptions): Promise<Notes> {
    const { topics } = options;
    const place = { topic: topics.generations, partition: 0 };
    const writer = await log.writer(switchWriterId(topics), [place]);
    return new Notes(writer, options, (await log.identify(topics.events))?.partitions);
  }

  /** Notes where the leg that begins ends, by task. */
  async until(until: readonly number[]): Promise<void> {
    this.#until = until;
    await this.#write(this.#record());
  }

  /** Notes that a switch begins, or where its tasks stop; `null` = it is taken back. */
  async closing(closing: Closing | null): Promise<void> {
    const { topics, now } = this.#options;
    await this.#write(closingRecord(topics, closing, now()));
  }

  /** Notes that the new generation serves. @param old the record of the previous one, if it has one */
  async serves(old: Generation | undefined): Promise<void> {
    const { topics, generation: { number, carries, archived }, now } = this.#options;
    await this.#write(
      ...(carries === undefined && archived === undefined ? [] : [this.#record(BUILT)]),
      ...(old === undefined ? [] : [generationRecord(topics, { ...old, hasServed: true }, now())]),
      servingRecord(topics, number, now()),
      closingRecord(topics, null, now()),
    );
  }

  #record(over: Partial<Generation> = {}): NewRecord {
    const { topics, generation, now } = this.#options;
    const [sources, until] = [this.#sources, this.#until];
    return generationRecord(topics, { ...generation, sources, until, ...over }, now());
  }

  async #write(...records: readonly NewRecord[]): Promise<void> {
    await this.#writer.commit({ records, group: this.#writer.id, offsets: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}
