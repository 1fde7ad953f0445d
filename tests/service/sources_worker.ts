/**
 * A process that takes in topics of a broker, to be killed: `deno run -A sources_worker.ts BROKER CONFIG PREFIX [FILE]`, onto
 * a log in a file, or on that broker. Prints a line for each step.
 *
 * @module
 */

import { followedSources } from "../../scripts/flags/followed_sources.ts";
import { openLog } from "../../scripts/flags/service_flags.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { SourcesJob } from "../../streams/service/jobs/sources_job.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const [broker = "", text = "", prefix = "", logPath] = Deno.args;
const config = parseConfig(text, "meander.json");
const flags = { log: logPath === undefined ? "kafka" : "sqlite", brokers: [broker], logPath, prefix };
await using log = await openLog(flags, { config });
const topics = topicNames(prefix);
await log.createTopics(topicSpecs(topics, 2));
const { signal } = new AbortController();
const now = () => performance.now();
const options = { now, signal, thread: new SharedThread(now) };
await using job = await SourcesJob.open(log, topics, followedSources(flags, config), options);
for (;;) {
  await job.step(signal);
  await Deno.stdout.write(new TextEncoder().encode("."));
}
