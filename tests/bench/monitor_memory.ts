/**
 * Memory that the monitor takes for the users of a holdout: each has an answer and a sample.
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc,--max-old-space-size=4000 tests/bench/monitor_memory.ts 1000000
 * ```
 *
 * @module
 */

import { encodeSample } from "../../src/samples/sample_codec.ts";
import { MonitorFigures } from "../../streams/experiments/monitor_figures.ts";
import { SETTLED_BEFORE } from "../../streams/topics/delivery.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { list } from "../experiments/lists.ts";

const USERS = Number(Deno.args[0] ?? 200_000);
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {}); // with --expose-gc there is one
const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
const figures = new MonitorFigures(1, false);
figures.follow([{ name: "holdout", salt: "s", share: 0.02, lastShare: 0.02, phase: 1 }]);
const random = createRandom(1);
const encoder = new TextEncoder();
collect();
const before = Deno.memoryUsage();
for (let u = 0; u < USERS; u++) {
  const [user, time] = [`user-${u.toString(36)}-${(u * 7919 % 100_003).toString(36)}`, 1e6 + 1000 * u];
  const variant = random() < 0.02 ? "holdout" : "rest";
  const place = { topic: "t", partition: 0, offset: u, key: user };
  const answer = { request: user, user, time, items: [{}], tookMicros: 10, stateVersion: 1 };
  const exposures = [{ experiment: "holdout", variant, phase: 1 }];
  const value = encoder.encode(JSON.stringify({ ...answer, exposures }));
  figures.recommended({ ...place, time, value, headers: {} }, value, 0);
  const sample = encodeSample(
    list(user, random() < 0.1 ? 1 : 0, { time, exposure: ["holdout", variant, 1] }),
  );
  const headers = { [SETTLED_BEFORE]: `${time + 1}` };
  figures.sampled({ ...place, time: time + 1000, value: sample, headers }, sample, 0);
}
collect();
const after = Deno.memoryUsage();
const [process, kept] = [
  after.rss - before.rss,
  after.heapUsed + after.external - before.heapUsed - before.external,
];
const { totals } = figures.status()[0]!;
const users = totals.moments(0).users + totals.moments(1).users;
Deno.stdout.writeSync(
  encoder.encode(`${users} users: process ${megabytes(process)}, kept ${megabytes(kept)}\n`),
);
