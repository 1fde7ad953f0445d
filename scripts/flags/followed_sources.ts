/** The sources of a configuration whose topics are followed. */

import type { Config } from "../../streams/config/config.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { followedName, ingestName, rekeyName } from "../../streams/feeders/position_names.ts";
import { FOREIGN_KIND } from "../../streams/log/kinds/kinds.ts";
import type { Log } from "../../streams/log/log.ts";
import { compileSource, type RecordSource } from "../../streams/mapping/record_source.ts";
import { DEFAULT_START, parseStart } from "../../streams/mapping/start.ts";
import type { FollowedSource } from "../../streams/service/jobs/sources_job.ts";
import type { LogFlags } from "./log_flags.ts";
import { openLog } from "./service_flags.ts";

/** Time after which brokers of a source count as unreachable; they are tried again. */
const RETRY_MS = 10_000;

/**
 * The sources that follow a topic. Those on one cluster share a log: the deployment's own if it is on that cluster.
 *
 * @param see called with each record that they produce
 */
export function followedSources(
  flags: LogFlags,
  config: Config,
  see: (record: OwnRecord) => void = () => {},
): readonly FollowedSource[] {
  const opens = new Map<string, () => Promise<Log>>();
  const openOf = (brokers: readonly string[] | undefined): FollowedSource["open"] => {
    if (brokers === undefined && flags.log === FOREIGN_KIND) return undefined;
    const key = brokers?.join(",") ?? "";
    const open = opens.get(key) ?? (() => openBrokers(flags, config, brokers));
    opens.set(key, open);
    return open;
  };
  return Object.entries(config.sources ?? {}).flatMap(([name, settings]) => {
    const { topic, brokers, start = DEFAULT_START, waitMs, lateMs } = settings.follow ?? {};
    if (topic === undefined) return [];
    const source = compileSource(name, settings, { env: (variable) => Deno.env.get(variable) });
    const open = openOf(brokers);
    return [{
      topic,
      format: watched(source, see),
      name: followedName(name),
      after: [
        ...[name, settings.preset, ...(source.isOwn ? ["meander"] : [])].flatMap((format) =>
          format === undefined ? [] : [ingestName(format, `${FOREIGN_KIND}:${topic}`)]
        ),
        ...(source.isOwn && open === undefined ? [rekeyName(topic)] : []),
      ],
      open,
      start: parseStart(start),
      waitMs,
      lateMs,
    }];
  });
}

/** A source that also passes each record that it makes to `see`. */
function watched(source: RecordSource, see: (record: OwnRecord) => void): RecordSource {
  return {
    ...source,
    map(value, meta) {
      const mapped = source.map(value, meta);
      if (mapped.ok) { for (const record of mapped.records) see(record); }
      return mapped;
    },
  };
}

/** Opens the cluster of a source; its own brokers override those of flags. */
async function openBrokers(
  flags: LogFlags,
  config: Config,
  brokers: readonly string[] | undefined,
): Promise<Log> {
  const options = { retryMs: RETRY_MS, config };
  if (brokers === undefined) return await openLog({ ...flags, log: FOREIGN_KIND }, options);
  const others = { ...flags, log: FOREIGN_KIND, brokers: undefined };
  return await openLog(others, { ...options, config: { ...config, kafka: { ...config.kafka, brokers } } });
}
