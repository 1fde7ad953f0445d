/** Users whom a log knows from any topic: retention may have dropped their events, and erasures their state. */

import { decodeEvent } from "../../src/events/codec.ts";
import { decodeRejection } from "../../src/events/rejection.ts";
import { usersOfVersion } from "../../src/serving/version_users.ts";
import { keysOf } from "../../src/values/record.ts";
import { USER_KEY } from "../experiments/figures.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { prefixOf, type Topics } from "../topics/topics.ts";

type Stored = Pick<LogRecord, "key" | "value">;

const keyOf = ({ key }: Stored) => key === null ? [] : [key];

/** The ids in a record of a topic, of users and perhaps of other things. Users on other topics are on these, too. */
const IDS: Partial<{ readonly [Name in keyof Topics]: (record: Stored) => readonly string[] }> = {
  events: (record) => [...keyOf(record), ...idsOfEvent(record)],
  recommendations: keyOf,
  lists: keyOf,
  samples: keyOf,
  state: keyOf,
  parameters: ({ value }) => value === null ? [] : usersOfVersion(value),
  figures: ({ key }) => key?.startsWith(USER_KEY) ? [key.slice(USER_KEY.length)] : [],
  rejected: (record) => [...keyOf(record), ...idsOfRejection(record)],
};

/** Finds the ids on the topics of a deployment, of all generations, surfaces and variants; each once. */
export async function knownIds(log: Log, topics: Topics): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const [topic, { partitions }] of await log.topics(prefixOf(topics))) {
    const names = keysOf(IDS).filter((name) =>
      topic === topics[name] || topic.startsWith(`${topics[name]}.`)
    );
    const idsIn = (record: Stored) => names.flatMap((name) => IDS[name]?.(record) ?? []);
    for (let partition = 0; names.length > 0 && partition < partitions; partition++) {
      for await (const record of readAll(log, topic, partition)) for (const id of idsIn(record)) ids.add(id);
    }
  }
  return ids;
}

/** The users of an event: they may differ from its key, and some are only named by an alias or a merge. */
function idsOfEvent({ value }: Stored): readonly string[] {
  const decoded = value && decodeEvent(value);
  if (!decoded?.ok) return [];
  const { event } = decoded;
  const other = event.type === "alias" ? [event.of] : event.type === "merge" ? [event.from] : [];
  return [event.user, ...other];
}

/** The texts in the JSON of a rejected record; one that is not JSON is not searched. */
function idsOfRejection({ value }: Stored): readonly string[] {
  try {
    const { bytes } = decodeRejection(value ?? new Uint8Array(0));
    return textsIn(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(bytes))));
  } catch {
    return [];
  }
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
