/**
 * A process that copies a partition exactly once, to be killed: `deno run -A kafka_copier.ts ADDRESS FROM TO COUNT`.
 * Ends by itself when it has committed COUNT records.
 *
 * @module
 */

import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";

const [address = "", from = "", to = "", count = "0"] = Deno.args;
const group = `${to}.group`;
await using log = await KafkaLog.open({ brokers: [address] });
await using writer = await log.writer(`${group}.0`);
let next = await log.committed(group, from, 0) ?? 0;
const { end } = await log.bounds(from, 0);
while (next < Math.min(end, Number(count))) {
  const { records, next: after } = await log.read(from, 0, next, { maxRecords: 7, waitMs: 100 });
  const copies = records.map(({ key, value, time }) => ({ topic: to, partition: 0, key, value, time }));
  await writer.commit({ records: copies, group, offsets: [{ topic: from, partition: 0, offset: after }] });
  next = after;
  await Deno.stdout.write(new TextEncoder().encode("."));
}
