import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { OthersReader } from "../../../streams/task/inputs/others_reader.ts";

const TOPIC = "signals";
const RECORDS = 10;

for (const until of [0, 3, 4, 9, 10]) {
  Deno.test(`OthersReader.takeMissed() returns whether unread records were dropped, here all before ${until}`, async () => {
    await using log = new MemoryLog();
    await log.createTopics([{ name: TOPIC, partitions: 2, cleanup: "delete" }]);
    const value = Uint8Array.of(1);
    await log.append(
      Array.from({ length: RECORDS }, () => ({ topic: TOPIC, partition: 1, key: null, value, time: 0 })),
    );
    const positions = new Map([[1, 3]]);
    await using reader = await OthersReader.open(log, TOPIC, { own: 0, partitions: 2, positions });
    await log.trim(TOPIC, 1, until);
    reader.begin();
    const taken: number[] = [];
    while (reader.positions.get(1)! < RECORDS) {
      reader.take(({ offset }) => taken.push(offset) > 0);
      await turn();
    }
    const first = Math.max(3, until);
    assert.deepEqual(taken, Array.from({ length: RECORDS - first }, (_, n) => first + n));
    assert.equal(reader.takeMissed(), until > 3);
    assert.equal(reader.takeMissed(), false, "said once");
  });
}
