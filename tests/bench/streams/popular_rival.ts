/**
 * The smallest rival: items by count, ties by first appearance. With an argument, it disregards what is refused.
 *
 * @module
 */

import { createInterface } from "node:readline";
import process from "node:process";

const counts: number[] = [];
for await (const line of createInterface(process.stdin)) {
  const { learn, recommend } = JSON.parse(line);
  if (learn !== undefined) counts[learn.item] = (counts[learn.item] ?? 0) + (learn.isTarget ? 1 : 0);
  if (recommend === undefined) continue;
  const refused: number[] = Deno.args.length > 0 ? [] : recommend.refused;
  const listed = [...counts.keys()].filter((item) => counts[item]! > 0 && !refused.includes(item));
  listed.sort((a, b) => counts[b]! - counts[a]! || a - b);
  process.stdout.write(`${JSON.stringify(listed.slice(0, recommend.count))}\n`);
}
