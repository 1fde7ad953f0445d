/**
 * Who is in a group, asked from outside.
 *
 * @module
 */

import type { GroupMember } from "../log.ts";
import { decodeShare } from "./assigner.ts";
import type { KafkaClient } from "./client.ts";

/** The members of a group; none when there is no such group. */
export async function groupMembers(client: KafkaClient, group: string): Promise<readonly GroupMember[]> {
  const { groups: [found] } = await client.retry(async () =>
    await (await client.coordinator("group", group)).describeGroups({ groupIds: [group] })
  );
  return (found?.members ?? []).map(({ memberId, clientHost, memberAssignment }) => ({
    id: memberId,
    host: clientHost.replace(/^\//, ""),
    // While a group rebalances, nobody has been told anything yet.
    partitions: memberAssignment.length === 0 ? [] : decodeShare(memberAssignment).partitions,
  }));
}
