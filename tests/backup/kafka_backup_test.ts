import assert from "node:assert/strict";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { LogRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { openLog, testBroker } from "../log/kafka_broker.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { startBroker } from "../../scripts/kafka/dev_broker.ts";
import { runDrill } from "./drill.ts";
import { meander } from "./meander.ts";

const broker = await testBroker();

if (broker !== undefined) {
  Deno.test("refill() writes records to the offsets that they had, whatever is between them", async () => {
    await using log = await openLog(broker);
    const value = new Uint8Array([1]);
    const cases = [
      { offsets: [0, 1, 2], start: 0, end: 3 },
      { offsets: [0, 1, 3, 5, 7, 8], start: 0, end: 9 },
      { offsets: [1, 3, 5], start: 0, end: 7 },
      { offsets: [1, 2, 3], start: 0, end: 5 },
      { offsets: [4, 40, 42, 60], start: 3, end: 61 },
      { offsets: [], start: 9, end: 9 },
      { offsets: [], start: 0, end: 1 },
      { offsets: [12_000, 37_001], start: 12_000, end: 37_004 },
    ];
    for (const cleanup of ["delete", "compact"] as const) {
      for (const [n, { offsets, start, end }] of cases.entries()) {
        const topic = `refill-${cleanup}-${n}`;
        await log.createTopics([{ name: topic, partitions: 1, cleanup }]);
        const records = offsets.map((offset): LogRecord => ({
          ...{
            topic,
            partition: 0,
            offset,
            key: `k${offset}`,
            value,
            time: 1000 + offset,
            headers: { a: `${n}` },
          },
        }));
        const source = async function* () {
          yield* records;
        };
        await log.refill(topic, 0, source(), { start, end });
        await using fresh = await openLog(broker);
        const read = await Array.fromAsync(readAll(fresh, topic, 0));
        assert.deepEqual(
          read.map(({ value, ...rest }) => ({ ...rest, value: value && new Uint8Array(value) })),
          records.map((record) => ({ ...record })),
        );
        const bounds = await fresh.bounds(topic, 0);
        assert.ok(bounds.end === end || bounds.end === end + 1, `${topic}: ${bounds.end}, wanted ${end}`);
        if (cleanup === "delete") assert.equal(bounds.start, start);
      }
    }
  });

  Deno.test("backup and restore: a deployment on Kafka that is copied under load and destroyed goes on as if nothing had been", async () => {
    await using folder = await temporaryFolder();
    const to = `${folder.path}/backup`;
    const at = (address: string) => ["--log", "kafka", "--brokers", address, "--prefix", "drill."];
    await using stack = new AsyncDisposableStack();
    let { address } = broker;
    const { before, after } = await runDrill({
      prefix: "drill.",
      partitions: 3,
      open: () => KafkaLog.open({ brokers: [address], heartbeatMs: 50, retryMs: 20_000 }),
      backUp: async () => {
        const { code, stdout, stderr } = await meander("backup", ...at(address), "--to", to);
        assert.deepEqual([code, /is a backup of \d+ topics/.test(stdout)], [0, true], stderr);
      },
      destroy: async () => {
        address = stack.use(await startBroker()).address; // another cluster
      },
      restore: async () => {
        const { code, stderr } = await meander("restore", "--from", to, ...at(address));
        assert.equal(code, 0, stderr);
        const again = await meander("restore", "--from", to, ...at(address));
        assert.match(
          again.stderr,
          /Cannot restore to drill\..*: it has had records, up to offset \d+; delete/,
        );
      },
    });
    assert.ok(
      before >= 500 && after > 100,
      `the point of the backup is within the load: ${before}, ${after}`,
    );
  });
}
