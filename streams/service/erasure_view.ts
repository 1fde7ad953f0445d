/**
 * What an erasure has taken out of which topic, what remains, and until when: as its receipt says it.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import type { Topics } from "../topics.ts";
import type { ErasureState } from "./eraser.ts";

/** What remains of a user on a topic. */
export interface Remainder {
  /** Name of the topic. */
  readonly topic: string;
  /** What it is; `null` = nothing. */
  readonly remains: string | null;
  /** Until when at most, milliseconds since the epoch; `null` = nothing remains, or no end is set. */
  readonly until: number | null;
}

/** How far an erasure is; `kept` = what is ours to rewrite has been, on a log that drops records by retention only. */
export interface ErasureView {
  readonly state: ErasureState | "kept";
  readonly topics: readonly Remainder[];
}

/** Where an erasure was asked for. */
export interface ErasurePlace {
  /** Partition of `events`. */
  readonly partition: number;
  /** Offset of the event. */
  readonly offset: number;
}

const IN_RECORDS = ["events", "recommendations", "samples", "rejected", "signals"] as const;
const REPLACED = ["parameters", "state", "statistics", "figures", "checkpoints"] as const;

/** A broker deletes no segment that it still writes to. */
const DROPPED_VERSIONS =
  "versions that were dropped: no reader sees them, and brokers delete their segments once these are full or old " +
  "(segment.bytes, segment.ms)";

/** Their own event time stands still while nothing happens: no time of the wall can be given. */
const LEARNT_BY_OTHERS =
  "maybe the id in what tasks of other partitions learnt, for an hour of their event time";

/**
 * Looks at an erasure.
 *
 * @param state as the service says; `null` where nobody here knows
 * @param now milliseconds since the epoch; what is left is reckoned from it once the event itself has gone
 */
export async function viewErasure(
  { log, topics }: { readonly log: Log; readonly topics: Topics },
  place: ErasurePlace,
  state: ErasureView["state"] | null,
  now: number,
): Promise<ErasureView> {
  const pinned = await pins(log, topics);
  const isShared = ((await log.topics()).get(topics.events)?.partitions ?? 1) > 1;
  if (state !== null && state !== "kept" && log.erase !== undefined) {
    const remainder = (name: keyof Topics) => {
      const left = name === "statistics" && isShared ? LEARNT_BY_OTHERS : null;
      return {
        topic: topics[name],
        remains: state === "under way" ? "records that are being taken out" : left,
        until: null,
      };
    };
    return { state, topics: [...[...IN_RECORDS, ...REPLACED].map(remainder), pinned] };
  }
  const { events } = topics;
  const applied = await log.committed(`${events}-tasks`, events, place.partition) ?? 0;
  const asked = await log.read(events, place.partition, place.offset, { maxRecords: 1 });
  const since = asked.records.find(({ offset }) => offset === place.offset)?.time ?? now;
  const isKept = state === "kept" || state === null && applied > place.offset;
  const remainders: Remainder[] = [];
  for (const name of [...IN_RECORDS, ...REPLACED]) {
    const topic = topics[name];
    if (name === "parameters" && isKept) {
      remainders.push({ topic, remains: DROPPED_VERSIONS, until: null });
      continue;
    }
    const keepMs = await log.keepMs?.(topic) ?? null;
    const until = keepMs === null ? null : since + keepMs;
    const isReplaced = REPLACED.some((other) => other === name);
    const what = isReplaced ? "records that were replaced" : "records";
    const end = until === null ? "for ever: no retention is set" : "until the broker drops them";
    const others = name === "statistics" && isShared;
    // Both have to be over: what is not replaced yet is kept from then on.
    const remains = others ? `${what}, ${end}; ${LEARNT_BY_OTHERS}` : `${what}, ${end}`;
    remainders.push({ topic, remains, until: others ? null : until });
  }
  return { state: state ?? (isKept ? "kept" : "under way"), topics: [...remainders, pinned] };
}

/** Versions that experiments pin have rows of weights of their users. */
async function pins(log: Log, { pins: topic }: Topics): Promise<Remainder> {
  const { start, end } = await log.bounds(topic, 0);
  const remains = end > start ? "weights in versions that experiments pin, until none needs them" : null;
  return { topic, remains, until: null };
}
