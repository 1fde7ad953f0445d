/**
 * The calls between a log and another thread: its methods, with packed records, and those of the writers that were
 * opened through the port.
 */

import type {
  Bounds,
  Commit,
  Place,
  ReadOptions,
  ReadResult,
  Scrubbed,
  TopicIdentity,
  TopicSpec,
  UngroupedLog,
} from "../log.ts";
import type { PackedRecords } from "./packed_records.ts";

interface PackedRead extends Omit<ReadResult, "records"> {
  readonly records: PackedRecords;
}

/** The calls that a log takes from another thread. */
export interface LogCalls {
  createTopics(topics: readonly TopicSpec[]): void;
  topics(prefix: string): ReadonlyMap<string, TopicSpec>;
  identify(topic: string): TopicIdentity | null;
  append(records: PackedRecords): readonly number[];
  read(topic: string, partition: number, from: number, options: Omit<ReadOptions, "signal">): PackedRead;
  /** At most one record. */
  latest(topic: string, partition: number, key: string): PackedRecords;
  bounds(topic: string, partition: number): Bounds;
  committed(group: string, topic: string, partition: number): number | null;
  trim(topic: string, partition: number, before: number): void;
  erase(...args: Parameters<NonNullable<UngroupedLog["erase"]>>): void;
  scrub(): Scrubbed;
  /** Returns the handle of a writer. */
  openWriter(id: string, places: readonly Place[]): number;
  commit(writer: number, records: PackedRecords, commit: Omit<Commit, "records">): readonly number[];
  closeWriter(writer: number): void;
  /** Ends the service. */
  leave(): void;
}
