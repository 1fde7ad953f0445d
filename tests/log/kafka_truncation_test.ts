/** A leader that was elected without records that we had read, and has others at their offsets. */

import assert from "node:assert/strict";
import { startBroker } from "../../scripts/kafka/dev_broker.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { keptUntil } from "../../streams/log/reading.ts";
import { hasCode, newPlace, record, texts } from "../contracts/log_suite.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const RETRY_MS = 120_000; // a broker may be slow to come back

if (await testBroker() !== undefined) {
  Deno.test("KafkaLog notices that records were replaced by as many others, also after a restart of ours", async () => {
    const data = await Deno.makeTempDir({ prefix: "meander-truncation-" });
    const port = await freePort();
    const properties = { "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500" };
    const start = () => startBroker({ data, port, properties }); // so that it may come back soon
    {
      await using before = await start();
      const options = { retryMs: RETRY_MS };
      await using log = await openLog(before, options);
      const topic = newPlace(), group = `${topic}.group`;
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      const append = (...values: string[]) => log.append(values.map((value) => record(topic, 0, value)));
      await append("a", "b", "c");
      assert.deepEqual(texts((await log.read(topic, 0, 0)).records), ["a", "b", "c"]);
      const kept = await Deno.readFile(`${data}/log/${topic}-0/00000000000000000000.log`);
      await append("d", "e");
      const { next, epoch } = await log.read(topic, 0, 3);
      const position = { topic, partition: 0, offset: next, epoch };
      {
        await using writer = await log.writer(`${topic}.writer`);
        await writer.commit({ records: [], group, offsets: [position] });
      }
      await before[Symbol.asyncDispose]();
      // What the broker has lost, as a follower that lags behind would when it becomes the leader.
      await Deno.writeFile(`${data}/log/${topic}-0/00000000000000000000.log`, kept);
      await using _after = await start();
      await using restarted = await openLog(before, options);
      await restarted.append(["x", "y", "z"].map((value) => record(topic, 0, value)));
      // Each reader that has read the lost records is told, and goes back; one that has read the new ones goes on.
      for (let readers = 0; readers < 2; readers++) {
        await assert.rejects(log.read(topic, 0, next, { epoch }), hasCode("beyond-end"));
        const back = await log.read(topic, 0, 3, { maxRecords: 2 });
        assert.deepEqual([texts(back.records), back.next], [["x", "y"], next]);
        assert.deepEqual(texts((await log.read(topic, 0, next, { epoch: back.epoch })).records), ["z"]);
      }
      const stored = await restarted.committedEpoch(group, position);
      assert.equal(stored, epoch);
      assert.equal(await restarted.committedEpoch(group, { ...position, offset: 3 }), undefined);
      assert.equal(await keptUntil(restarted, { ...position, epoch: stored }), 3);
      await using reader = await openLog(before, options);
      assert.deepEqual(texts((await reader.read(topic, 0, 3)).records), ["x", "y", "z"]);
      assert.deepEqual((await reader.read(topic, 0, 6)).records, []);
    }
    await Deno.remove(data, { recursive: true });
  });
}
