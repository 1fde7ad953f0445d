/** Names under which positions of sources are kept. */

import { normalize } from "node:path";
import type { Log } from "../log/log.ts";
import { feederPosition } from "../topics/feeder_position.ts";
import type { Topics } from "../topics/topics.ts";
import { feederGroup, feederId } from "./feeder.ts";

/** The default name of a source that `ingest` feeds. */
export function ingestName(format: string, from: string): string {
  return `${format}:${from}`;
}

/**
 * The default name of a file or folder that `ingest` feeds: `shop`, `shop/` and `./shop` are one. If an earlier release
 * has kept a position under the path as it is given, that is the name.
 */
export async function fileName(log: Log, topics: Topics, format: string, path: string): Promise<string> {
  const given = ingestName(format, path);
  const plain = ingestName(format, normalize(path).replace(/(?<=.)[/\\]+$/, ""));
  const isKept = given !== plain && (await feederPosition(log, topics, feederId(topics, given)) !== null ||
    await log.committed(feederGroup(topics, given), topics.events, 0) !== null);
  return isKept ? given : plain;
}

/** The name of a topic that `run --rekey-from` of earlier releases has fed. */
export function rekeyName(topic: string): string {
  return `rekey:${topic}`;
}

/** The name of a source that `run` follows. */
export function followedName(source: string): string {
  return `source:${source}`;
}
