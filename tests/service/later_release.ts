/**
 * A log as a later release writes it: user states have a format that this release does not know.
 *
 * @module
 */

import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Log, LogRecord, NewRecord } from "../../streams/log/log.ts";
import { USER_FORMATS } from "../../src/users/user_codec.ts";

/** How much larger the format numbers of user states are. */
export const LATER = USER_FORMATS.newest - USER_FORMATS.oldest + 1;

/** Writes user states in the later format, and also reads those that this release has written. */
export function laterRelease(log: KafkaLog, state: string): Log {
  const write = (record: NewRecord): NewRecord =>
    record.topic === state && record.value !== null
      ? { ...record, value: moved(record.value, LATER) }
      : record;
  const read = (record: LogRecord): LogRecord =>
    record.topic === state && record.value !== null && (record.value[0] ?? 0) > USER_FORMATS.newest
      ? { ...record, value: moved(record.value, -LATER) }
      : record;
  const own: Pick<Log, "read" | "writer"> = {
    async read(...args) {
      const found = await log.read(...args);
      return { ...found, records: found.records.map(read) };
    },
    async writer(id) {
      const writer = await log.writer(id);
      return {
        id,
        commit: (commit) => writer.commit({ ...commit, records: commit.records.map(write) }),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  };
  return new Proxy<Log>(log, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const member: unknown = Reflect.get(log, name, log);
      return typeof member === "function" ? member.bind(log) : member;
    },
  });
}

function moved(bytes: Uint8Array, by: number): Uint8Array {
  const copy = bytes.slice();
  copy[0] = (copy[0] ?? 0) + by;
  return copy;
}
