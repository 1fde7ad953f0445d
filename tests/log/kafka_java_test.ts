/** What Kafka's Java clients write, we read, and the other way round: places, texts, compressions, transactions. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { COMPRESSIONS } from "../../streams/log/kafka/protocol/codecs.ts";

import { partitionOf } from "../../streams/log/partitioner.ts";
import { all, bytes, newPlace, texts } from "../contracts/log_suite.ts";
import { openLog, type TestBroker, testBroker } from "./kafka_broker.ts";

const PARTITIONS = 7;
const KEYS = Array.from({ length: 300 }, (_, i) => ["user-", "ž", "😀", "日本", ""][i % 5] + `${i * 7919}`);
const program = fileURLToPath(new URL("java/Clients.java", import.meta.url));
const broker = await testBroker();

if (broker !== undefined) {
  Deno.test("KafkaLog reads what Java writes, and finds each key where partitionOf() says", async () => {
    await using log = await openLog(broker);
    const topics = COMPRESSIONS.map((compression) => ({ compression, name: newPlace() }));
    await log.createTopics(topics.map(({ name }) => ({ name, partitions: PARTITIONS, cleanup: "delete" })));
    const lines = KEYS.map((key) => `${key}\tvalue ${key}\n`).join("");
    await java(broker, ["write", ...topics.map(({ name, compression }) => `${name}=${compression}`)], lines);
    for (const { name, compression } of topics) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const records = await all(log, name, partition);
        const keys = KEYS.filter((key) => partitionOf(key, PARTITIONS) === partition);
        assert.deepEqual(records.map(({ key }) => key), keys, compression);
        assert.deepEqual(texts(records), keys.map((key) => `value ${key}`));
        assert.ok(records.every(({ time, headers }) => time === 1000 && headers.name === "žofie"));
      }
    }
  });

  Deno.test("Java reads what KafkaLog writes, with every compression, alone and in transactions", async () => {
    const written: string[][] = [];
    for (const compression of [...COMPRESSIONS, "auto"] as const) {
      await using log = await openLog(broker, { compression });
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: PARTITIONS, cleanup: "delete" }]);
      const records = KEYS.map((key, i) => ({
        topic,
        key,
        value: i % 10 === 0 ? null : bytes(`value ${key}`),
        time: 1000 + i,
        headers: { first: "žofie", second: `${i}` },
      }));
      const offsets = [
        ...await log.append(records.slice(0, 100)),
        ...await log.append(records.slice(100, 101)),
      ];
      await using writer = await log.writer(`${topic}.writer`);
      await writer.commit({ records: records.slice(101), group: topic, offsets: [] });
      written.push(...records.map(({ key, time, value, headers }, i) => [
        topic,
        `${partitionOf(key, PARTITIONS)}`,
        i < offsets.length ? `${offsets[i]}` : "",
        `${time}`,
        key,
        value === null ? "null" : `value ${key}`,
        `first=${headers.first} second=${headers.second}`,
      ]));
    }
    const topics = [...new Set(written.map(([topic = ""]) => topic))];
    const lines = (await java(broker, ["read", ...topics], "")).trimEnd().split("\n");
    const read = new Map(lines.map((line) => line.split("\t")).map((one) => [`${one[0]}/${one[4]}`, one]));
    assert.equal(lines.length, written.length);
    for (const record of written) {
      const found = read.get(`${record[0]}/${record[4]}`);
      if (record[2] === "") record[2] = found?.[2] ?? ""; // the offsets of a commit are not told
      assert.deepEqual(found, record);
    }
  });
}

async function java({ jars, address }: TestBroker, args: readonly string[], input: string): Promise<string> {
  const [command = "", ...topics] = args;
  const child = new Deno.Command("java", {
    args: ["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", `${jars}/*`]
      .concat(program, command, address, topics),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes(input));
  await writer.close();
  const { success, stdout } = await child.output();
  assert.ok(success);
  return new TextDecoder().decode(stdout);
}
