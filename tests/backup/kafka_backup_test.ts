import assert from "node:assert/strict";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { startBroker } from "../../scripts/kafka/dev_broker.ts";
import { runDrill } from "./drill.ts";
import { checkErasedAgain } from "./erased.ts";
import { meander } from "./meander.ts";
import { checkRefill } from "./refill.ts";

const broker = await testBroker();

if (broker !== undefined) {
  Deno.test("refill() writes records at their original offsets, whatever the gaps between them", async () => {
    await checkRefill(broker);
  });

  Deno.test("restore --erased erases again on Kafka the users who were erased after the backup", async ({ name }) => {
    const open = () => KafkaLog.open({ brokers: [broker.address], heartbeatMs: 50, retryMs: 20_000 });
    await checkErasedAgain({
      prefix: ownPrefix(import.meta.url, name),
      restoredPrefix: ownPrefix(import.meta.url, `${name}, restored`),
      open,
      flags: (prefix) => ["--log", "kafka", "--brokers", broker.address, "--prefix", prefix],
      destroy: () => Promise.resolve(),
      async isErased(log, { state }, user) {
        const partition = partitionOf(user, 2);
        const records = await Array.fromAsync(readAll(log, state, partition));
        return records.findLast(({ key }) => key === user)?.value === null;
      },
    });
  });

  Deno.test("backup and restore: a Kafka deployment copied under load and destroyed goes on under another prefix", async ({ name }) => {
    const prefix = ownPrefix(import.meta.url, name);
    const restoredPrefix = ownPrefix(import.meta.url, `${name}, restored`);
    await using folder = await temporaryFolder();
    const to = `${folder.path}/backup`;
    const at = (
      address: string,
      prefix: string,
    ) => ["--log", "kafka", "--brokers", address, "--prefix", prefix];
    await using stack = new AsyncDisposableStack();
    let { address } = broker;
    const { before, after } = await runDrill({
      prefix,
      restoredPrefix,
      partitions: 3,
      open: () => KafkaLog.open({ brokers: [address], heartbeatMs: 50, retryMs: 20_000 }),
      backUp: async () => {
        const { code, stdout, stderr } = await meander("backup", ...at(address, prefix), "--to", to);
        assert.deepEqual([code, /is a checked backup of \d+ topics/.test(stdout)], [0, true], stderr);
      },
      destroy: async () => {
        address = stack.use(await startBroker()).address; // another cluster
      },
      restore: async () => {
        const { code, stderr } = await meander("restore", "--from", to, ...at(address, restoredPrefix));
        assert.equal(code, 0, stderr);
        const again = await meander("restore", "--from", to, ...at(address, restoredPrefix));
        assert.match(
          again.stderr,
          /Cannot restore to backup-kafka-backup\..*: it has had records up to offset \d+; delete/,
        );
      },
    });
    assert.ok(
      before >= 500 && after > 100,
      `the point of the backup is within the load: ${before}, ${after}`,
    );
  });
}
