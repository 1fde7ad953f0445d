/**
 * A log answered by a broker that is cut off from the others, and still takes itself for the leader.
 *
 * @module
 */

import type { Log } from "../../streams/log/log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { readAll } from "../../streams/log/reading.ts";

/** Answers for a topic with what it has now, until a writer is opened that has to see all commits there. */
export async function cutOff(inner: Log, topic: string): Promise<Log> {
  const old = await inner.bounds(topic, 0);
  const kept = await Array.fromAsync(readAll(inner, topic, 0, old.start));
  let isBehind = true;
  return layered(inner, {
    latest: undefined as never,
    async writer(id, places = []) {
      if (places.some((place) => place.topic === topic)) isBehind = false;
      return await inner.writer(id, places);
    },
    async bounds(name, partition) {
      return name === topic && isBehind ? old : await inner.bounds(name, partition);
    },
    async read(name, partition, from, options) {
      if (name !== topic || !isBehind) return await inner.read(name, partition, from, options);
      return { records: kept.filter(({ offset }) => offset >= from), next: Math.max(from, old.end) };
    },
  });
}
