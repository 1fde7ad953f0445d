/**
 * A process that is a member of a group, to be killed: `deno run -A kafka_member.ts ADDRESS GROUP TOPIC FOLDER`. Says so
 * when it has joined.
 *
 * @module
 */

import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";

const [address = "", group = "", topic = "", membersFolder = ""] = Deno.args;
await using log = await KafkaLog.open({
  brokers: [address],
  heartbeatMs: 50,
  sessionMs: 600_000,
  membersFolder,
});
await using member = await log.join(group, [topic], {
  assigned: () => Promise.resolve(),
  revoked: () => Promise.resolve(),
});
await Deno.stdout.write(new TextEncoder().encode("joined\n"));
await member.ended;
