/**
 * Assignment of partitions in Kafka's consumer protocol: members report what they hold, the leader chosen by the broker
 * plans, each member receives its share.
 *
 * Rebalances are *cooperative*: members keep what they hold in the meantime. A partition that moves has no holder in
 * the round that takes it from its holder; the holder revokes it and joins another round, which assigns it.
 * ```text
 *   round 1  a holds 0 1 2 3, b joins   plan a: 0 1, b: 2 3   a is assigned 0 1, b nothing yet ("more")
 *            a revokes 2 and 3, and joins again
 * ```
 */

import { Buffer } from "node:buffer";
import { AssignerProtocol } from "kafkajs";
import { assignPartitions } from "../../assignment.ts";

/** Name of the protocol, which all members of a group must share. */
export const ASSIGNER = "meander-cooperative";

const VERSION = 1;

/** A member as the leader sees it. */
export interface GroupMember {
  /** Assigned by the broker. */
  readonly id: string;
  /** The partitions that it holds. */
  readonly held: readonly number[];
}

/** What a member is assigned. */
export interface Share {
  /** The partitions that it holds from now on, ascending. */
  readonly partitions: readonly number[];
  /** Whether another member must first release a partition that is meant for this one. */
  readonly more: boolean;
}

/**
 * Plans a round: the final shares are balanced and sticky, and no partition has two holders.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { planShares } from "./assigner.ts";
 *
 * const shares = planShares(2, [{ id: "a", held: [0, 1] }, { id: "b", held: [] }]);
 * assert.deepEqual(shares.get("a"), { partitions: [0], more: false });
 * assert.deepEqual(shares.get("b"), { partitions: [], more: true });
 * ```
 */
export function planShares(partitions: number, members: readonly GroupMember[]): ReadonlyMap<string, Share> {
  // By id, so that the plan does not depend on the order in which the broker lists the members.
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const holders = new Map(sorted.toReversed().flatMap(({ id, held }) => held.map((p) => [p, id] as const)));
  const target = assignPartitions(partitions, new Map(sorted.map(({ id, held }) => [id, held])));
  return new Map([...target].map(([id, share]) => {
    const free = share.filter((partition) => (holders.get(partition) ?? id) === id);
    return [id, { partitions: free, more: free.length < share.length }];
  }));
}

/** What a member reports to the group. */
export function encodeMember(topics: readonly string[], held: readonly number[]): Buffer {
  const userData = Buffer.from(JSON.stringify(held));
  return AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics: [...topics], userData });
}

/** Undoes {@linkcode encodeMember}. */
export function decodeMember(id: string, metadata: Uint8Array): GroupMember {
  const decoded = AssignerProtocol.MemberMetadata.decode(Buffer.from(metadata));
  return { id, held: JSON.parse(decoded?.userData.toString() ?? "[]") };
}

/** A share, in a form that Kafka's own tools can show. */
export function encodeShare(topics: readonly string[], { partitions, more }: Share): Buffer {
  const assignment = Object.fromEntries(topics.map((topic) => [topic, [...partitions]]));
  const userData = Buffer.from(JSON.stringify(more));
  return AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment, userData });
}

/** Undoes {@linkcode encodeShare}. */
export function decodeShare(assignment: Uint8Array): Share {
  const decoded = AssignerProtocol.MemberAssignment.decode(Buffer.from(assignment));
  if (decoded === null) return { partitions: [], more: false };
  const [partitions = []] = Object.values(decoded.assignment);
  return { partitions, more: decoded.userData.toString() === "true" };
}
