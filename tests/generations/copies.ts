/**
 * Backups of logs in memory.
 *
 * @module
 */

import type { RecordLog } from "../../streams/log/capabilities.ts";
import { writeManifest } from "../../streams/backup/manifest.ts";
import { copyRecords, fileOf } from "../../streams/backup/record_backup.ts";
import type { Log, Place } from "../../streams/log/log.ts";
import { layered } from "../../streams/log/metered_log.ts";

/** Backs up a log in the way of a log on brokers. */
export async function copyAll(log: Log, to: string): Promise<void> {
  await Deno.mkdir(to);
  const endsOf = async (places: readonly Place[]) =>
    (await Promise.all(places.map(({ topic, partition }) => log.bounds(topic, partition)))).map(({ end }) =>
      end
    );
  const copied = await copyRecords(layered(log, { endsOf }) as RecordLog, to, "meander.", () => {});
  const about = { kind: "kafka", by: "0.2.0", made: "2026-01-01T00:00:00Z", prefix: "meander." };
  await writeManifest(
    to,
    { ...about, topics: copied },
    copied.flatMap(({ name, bounds }) => bounds.map((_, partition) => fileOf({ topic: name, partition }))),
  );
}
