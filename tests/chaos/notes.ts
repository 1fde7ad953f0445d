/**
 * What the topic `signals` records: what each task gave to the others, and when it took in what of theirs.
 *
 * @module
 */

import { type JournalEntry, readJournal } from "../../src/retrieval/signals/signal.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { Task } from "../../streams/task/task.ts";
import { BEFORE_EVENT } from "../../streams/task/catalogue_reader.ts";
import { decodeNote, OTHERS } from "../../streams/task/others.ts";

/** Records that a task learnt before an event. */
export interface Note {
  /** Offset of the event. */
  readonly before: number;
  /** Other tasks' records in the order in which they were learnt, and where to read on after each. */
  readonly learnt: readonly { readonly record: LogRecord; readonly next: number }[];
}

/**
 * The notes of a partition's task.
 *
 * @throws Error when a note says that a record was learnt twice, or that one was left out
 */
export async function notesOf(log: Log, topic: string, partition: number): Promise<Note[]> {
  const others = new Map<number, LogRecord[]>();
  const positions = new Map<number, number>();
  const notes: Note[] = [];
  for await (const { offset, headers } of readAll(log, topic, partition)) {
    const learnt: { record: LogRecord; next: number }[] = [];
    for (const [other, next] of decodeNote(headers[OTHERS])) {
      if (!others.has(other)) others.set(other, await Array.fromAsync(readAll(log, topic, other)));
      const from = positions.get(other) ?? 0;
      const records = others.get(other)!.filter((record) => record.offset >= from && record.offset < next);
      if (records.length === 0) {
        throw new Error(`${topic}/${partition}@${offset} has learnt ${topic}/${other} before ${next} again`);
      }
      records.forEach((record, at) =>
        learnt.push({ record, next: at === records.length - 1 ? next : record.offset + 1 })
      );
      positions.set(other, next);
    }
    if (learnt.length > 0) notes.push({ before: Number(headers[BEFORE_EVENT]), learnt });
  }
  return notes;
}

/** Records with signals of other partitions that a partition's task has not noted as learnt. */
export async function unlearnt(
  log: Log,
  topic: string,
  { partition, partitions }: { readonly partition: number; readonly partitions: number },
): Promise<number> {
  const positions = new Map<number, number>();
  for await (const { headers } of readAll(log, topic, partition)) {
    for (const [other, next] of decodeNote(headers[OTHERS])) positions.set(other, next);
  }
  let count = 0;
  for (let other = 0; other < partitions; other++) {
    if (other === partition) continue;
    for await (const { value } of readAll(log, topic, other, positions.get(other) ?? 0)) {
      if (value !== null && value.length > 0) count++;
    }
  }
  return count;
}

/**
 * Lets a task apply all events of its partition, and learn from others where notes say so.
 *
 * @param goTo has it do, and commit, the events before an offset
 */
export async function follow(
  task: Task,
  notes: readonly Note[],
  goTo: (before: number) => Promise<void>,
): Promise<void> {
  for (const { before, learnt } of notes) {
    await goTo(before);
    for (const { record, next } of learnt) task.learnOthers(record, next);
  }
}

/** What a task gave to the others, one text per entry. */
export async function signalsOf(log: Log, topic: string, partition: number): Promise<string[]> {
  const ids: string[] = [];
  const texts: string[] = [];
  for await (const { value } of readAll(log, topic, partition)) {
    if (value === null || value.length === 0) continue;
    for (const entry of readJournal(value, (id) => ids.push(id) - 1)) texts.push(textOf(entry, ids));
  }
  return texts;
}

function textOf(entry: JournalEntry, ids: readonly string[]): string {
  if ("forget" in entry) return `forget ${entry.forget}`;
  if ("raised" in entry) return `raised ${ids[entry.raised]} ${entry.time}`;
  const { user, item, time, liked, step, context } = entry;
  const before = Array.from(
    context.items.subarray(0, context.size),
    (index, x) => `${ids[index]} ${context.times[x]} ${context.liked[x]}`,
  );
  return `${user} ${ids[item]} ${time} ${liked} ${step?.join()} after ${before.join()}`;
}
