/** Finds out why a broker cannot continue at a position, and which broker to believe. */

import { beyondEnd, replaced } from "../checks.ts";
import { LogError } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { identifyTopic, leaderOf } from "./protocol/identity.ts";
import { UNKNOWN_EPOCH } from "./protocol/leader_epochs.ts";
import { type Broker, checkCode, protocolError } from "./protocol/patch.ts";
import {
  fetchBatches,
  type Fetched,
  type FetchFrom,
  isAtOdds,
  partitionBounds,
} from "./protocol/requests.ts";
import type { Cursor } from "./reading/cursor.ts";

/** Bytes to fetch from a partition at a time, before decompression. */
export const FETCH_BYTES = 1 << 20;

/** Codes of temporary errors. */
const LEADER_NOT_AVAILABLE = 5;
export const NOT_LEADER = 6;

/** Fetches from one partition, without waiting for records. */
export async function fetchOne(client: KafkaClient, broker: Broker, from: FetchFrom): Promise<Fetched> {
  for (;;) {
    client.throwIfClosed();
    const [fetched] = await fetchBatches(broker, [from], { waitMs: 0, maxBytes: FETCH_BYTES });
    if (fetched !== undefined) return fetched;
    // The response is empty while a quota is exceeded; kafkajs delays the next request accordingly.
  }
}

/**
 * Finds out why a broker lacks the records at and before a position. They were trimmed, and the cursor skips them; or the
 * broker lags behind, or was replaced as the leader without having noticed; or the leader was elected without them.
 *
 * @returns in the last case a LogError `beyond-end`
 */
export async function settle(
  client: KafkaClient,
  cursor: Cursor,
  { broker, from }: { readonly broker: Broker; readonly from: FetchFrom },
): Promise<LogError | undefined> {
  const { start, end } = await partitionBounds(broker, from);
  if (cursor.position !== from.offset) return undefined; // a poll fetched those records before they were trimmed
  if (from.offset < start) {
    cursor.skip(start, end);
    return undefined;
  }
  const leaders = await client.askAll((broker) => leaderOf(broker, from));
  const [newest] = leaders.filter((leader) => leader !== undefined).toSorted((a, b) => b.epoch - a.epoch);
  if (newest === undefined) throw protocolError(LEADER_NOT_AVAILABLE);
  // Unless all brokers were restored from an older copy, in which epochs begin again, those that know better are away.
  if (newest.epoch < from.epochBefore && leaders.includes(undefined)) throw protocolError(NOT_LEADER);
  const leader = await client.node(newest.node);
  const fetched = await fetchOne(client, leader, { ...from, leaderEpoch: newest.epoch });
  if (!isAtOdds(fetched)) {
    checkCode(fetched.errorCode);
    throw protocolError(NOT_LEADER); // the leader is another than we knew
  }
  const { end: newEnd } = await partitionBounds(leader, from);
  const { epochBefore, offset } = from;
  // Without an epoch to compare, nothing is known to differ below the end.
  const lastKept = epochBefore === UNKNOWN_EPOCH ? Infinity : epochBefore - 1;
  const kept = fetched.diverging ?? { epoch: lastKept, end: Math.min(offset, newEnd) };
  const lostFrom = cursor.epochs.lostFrom(kept);
  return newEnd < offset ? beyondEnd(cursor, offset, lostFrom) : replaced(cursor, offset, lostFrom);
}

/** Why a broker does not know a topic's id: the topic was deleted or created again, or the broker lags behind. */
export async function unknownId(
  client: KafkaClient,
  { topic, partition, position, topicId }: Cursor,
): Promise<Error> {
  const { id } = await identifyTopic(await client.any(), topic);
  if (id === topicId) return protocolError(LEADER_NOT_AVAILABLE);
  return new LogError(
    "topic-mismatch",
    `Cannot read ${topic}/${partition} from ${position}: the topic was deleted and created again (its id was ` +
      `${topicId}, and is ${id}), so the position is meaningless; begin at a position of the new topic`,
  );
}
