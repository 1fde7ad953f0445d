/**
 * Assigns partitions to the members of a group when it changes.
 *
 * @module
 */

/**
 * Shares partitions `0..partitions-1` among members: balanced (sizes differ by one at most) and sticky (a
 * member keeps what it holds as far as balance allows, so few states have to be restored elsewhere).
 * Deterministic: the order of `held` decides ties. Costs O(partitions × members).
 *
 * @param held what each member holds now; if several claim a partition, the first with room for it keeps it
 * @returns the share of each member, ascending; members beyond the number of partitions get none
 */
export function assignPartitions<Member>(
  partitions: number,
  held: ReadonlyMap<Member, readonly number[]>,
): Map<Member, number[]> {
  const low = Math.floor(partitions / held.size);
  let extra = partitions % held.size;
  const free = new Set(Array(partitions).keys());
  const shares = new Map<Member, number[]>();
  for (const [member, own] of held) {
    const share: number[] = [];
    shares.set(member, share);
    for (const partition of own) {
      if (!free.has(partition) || share.length > low || (share.length === low && extra === 0)) continue;
      if (share.length === low) extra--;
      free.delete(partition);
      share.push(partition);
    }
  }
  for (const partition of free) {
    let smallest: number[] | undefined;
    for (const share of shares.values()) {
      if (smallest === undefined || share.length < smallest.length) smallest = share;
    }
    smallest?.push(partition);
  }
  for (const share of shares.values()) share.sort((a, b) => a - b);
  return shares;
}
