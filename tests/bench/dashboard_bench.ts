/**
 * What the dashboard costs a process each second: a point, and what a viewer gets. The deployment has learnt from
 * 4,000 events of 200 users in 4 partitions, and judged more than the 5,000 rows that the quality is of.
 *
 *     deno bench -A tests/bench/dashboard_bench.ts
 *
 * @module
 */

import { Recorder } from "../../streams/dashboard/recorder.ts";
import { hello, Snapshots } from "../../streams/dashboard/snapshot.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { startApi } from "../server/deployment.ts";
import { recordsOf, shopEvents, until } from "../service/deployment.ts";

const api = await startApi({}, 4);
await api.log.append(recordsOf(shopEvents(4000, 200)));
const judged = () => api.service.learner?.rows ?? 0;
await until(() => Promise.resolve(judged() > 6000), "enough is judged");
const clock = () => performance.now();
const topics = topicNames();
const recorder = new Recorder({ topics, service: api.service, now: Date.now, clock });
const snapshots = new Snapshots(recorder, api.service, Date.now, clock);
for (let n = 0; n < 1000; n++) await recorder.record(false);

Deno.bench("a point, nobody looks", { group: "second" }, async () => {
  await recorder.record(false);
});

Deno.bench("a point and its message, somebody looks", { group: "second" }, async () => {
  const news = await recorder.record(true);
  JSON.stringify({ ...news, now: await snapshots.take() });
});

Deno.bench("what a viewer begins with", async () => {
  JSON.stringify(hello(recorder, "0.1.0", await snapshots.take()));
});
