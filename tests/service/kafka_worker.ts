/**
 * A process of a deployment on Kafka, to be killed: `deno run -A kafka_worker.ts ADDRESS PREFIX`. Its learner has a thread
 * of its own. Stops on SIGTERM.
 *
 * @module
 */

import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { Service } from "../../streams/service/service.ts";
import { OPTIONS } from "./deployment.ts";

const [address = "", prefix = ""] = Deno.args;
await using log = await KafkaLog.open({ brokers: [address], heartbeatMs: 100 });
// Commits are many and small, so that a kill hits one halfway.
await using service = await Service.start(log, {
  ...OPTIONS,
  prefix,
  commitIntervalMs: 20,
  commitEvents: 64,
  learnerThread: {},
});
Deno.addSignalListener("SIGTERM", () => service.stop());
await service.ended;
