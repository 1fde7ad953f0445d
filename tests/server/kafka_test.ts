/** The commands on a real broker: one process runs tasks and follows another system's topic, another serves HTTP. */
import { freePort } from "../../scripts/kafka/java_process.ts";

import assert from "node:assert/strict";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { until } from "../service/deployment.ts";
import { taskArguments } from "../service/task_command.ts";

const broker = await testBroker();
const PREFIX = ownPrefix(import.meta.url, "http");
const CLICKS = `${PREFIX}clicks`;
const topics = topicNames(PREFIX);

if (broker !== undefined) {
  const command = async (task: string, ...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...await taskArguments(task),
        "--log",
        "kafka",
        "--brokers",
        broker.address,
        "--prefix",
        PREFIX,
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });

  Deno.test("run: on Kafka, a process without tasks serves HTTP, and another follows a Metarank topic", async () => {
    await using log = await openLog(broker);
    const port = await freePort();
    await log.createTopics([{ name: CLICKS, partitions: 3, cleanup: "delete" }]);
    const config = await Deno.makeTempFile({ suffix: ".json" });
    const sources = { clicks: { preset: "metarank", follow: { topic: CLICKS } } };
    await Deno.writeTextFile(config, JSON.stringify({ http: { answerTimeoutMs: 60_000 }, sources }));
    const run = ["run", "--model", "base", "--config", config] as const;
    const work = await command(...run, "--roles", "task,learner", "--no-snapshots");
    await using worker = work.spawn();
    await until(async () => (await log.topics(topics.rejected)).has(topics.rejected), "the topics are there");
    const serve = await command(...run, "--roles", "http", "--http", String(port));
    await using front = serve.spawn();
    const url = `http://127.0.0.1:${port}`;
    const post = async (path: string, body: unknown) => {
      const init = {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      };
      const response = await fetch(`${url}${path}`, init);
      return { status: response.status, json: await response.json() };
    };
    await until(async () => await fetch(`${url}/ready`).then(drain, () => false), "the server is ready");

    const click = (n: number) => ({
      event: "interaction",
      id: `e${n}`,
      timestamp: Date.now(),
      type: "click",
      user: `u${n % 5}`,
      item: `i${n % 4}`,
    });
    const append = (from: number, to: number) =>
      log.append(Array.from({ length: to - from }, (_, n) => ({
        topic: CLICKS,
        partition: n % 3,
        key: null,
        value: new TextEncoder().encode(JSON.stringify(click(from + n))),
        time: Date.now(),
      })));
    const count = async () => {
      const all = await Promise.all([0, 1, 2, 3].map((p) => Array.fromAsync(readAll(log, topics.events, p))));
      return all.flat().length;
    };
    await append(0, 40);
    await until(async () => await count() >= 40, "the topic has been read");
    await append(40, 50);
    await until(async () => await count() >= 50, "the topic is followed");
    assert.equal(await count(), 50);

    assert.equal((await post("/v1/items", ["i0", "i1", "i2", "i3"].map((item) => ({ item })))).status, 200);
    const priceOf = async (item: string) => {
      const response = await fetch(`${url}/v1/items/${item}`);
      const { attributes } = await response.json();
      return response.status === 200 ? attributes.price : response.status;
    };
    assert.equal((await post("/v1/items", { item: "shelf", attributes: { price: 1 } })).status, 200);
    assert.equal(await priceOf("shelf"), 1);
    const value = new TextEncoder().encode(
      '{"item": "shelf", "time": 1700000000000, "attributes": {"price": 2}}',
    );
    await log.append([{ topic: topics.items, key: "shelf", value, time: Date.now() }]);
    assert.equal(await priceOf("shelf"), 2, "another process wrote it");
    assert.ok(await fetch(`${url}/v1/items/shelf`, { method: "DELETE" }).then(drain));
    assert.equal(await priceOf("shelf"), 404);
    await until(async () => (await post("/v1/recommend", { user: "warm" })).status === 200, "it answers");
    for (let n = 0; n < 5; n++) {
      const taken = await post("/v1/events", {
        type: "interaction",
        user: "u1",
        item: "i2",
        action: "click",
      });
      assert.equal(taken.json.accepted, 1);
      const { status, json } = await post("/v1/rank", { user: "u1", candidates: ["i1", "i2"] });
      assert.equal(status, 200);
      assert.equal(json.stateVersion, 11 + n, "ten clicks of the topic, and those since");
    }
    const elsewhere = await fetch(`${url}/v1/users/u1`);
    assert.deepEqual([elsewhere.status, (await elsewhere.json()).code], [421, "elsewhere"]);
    const check = await (await command("check", "--rights", "--url", `${url},http://127.0.0.1:1`)).output();
    const text = new TextDecoder().decode(check.stdout);
    assert.match(text, /127\.0\.0\.1:\d+: version \d+, partitions -$/m);
    assert.equal(text.match(/PROBLEM/g)?.length, 1, text);
    assert.match(text, /PROBLEM: the process at http:\/\/127\.0\.0\.1:1 cannot be queried/);
    assert.match(text, /^base +\d+ +\d+ +\d+ +1$/m);
    assert.equal(check.code, 1);
    assert.match(
      text,
      /NOTE: records of server-kafka\.\w+\.events have their producers' times: .+\n +-> kafka-configs\.sh .+=LogApp/,
    );

    for (const child of [front, worker]) {
      child.kill("SIGTERM");
      await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
      assert.equal((await child.status).code, 0);
    }
    await Deno.remove(config);
  });
}

/** Whether a response is good; its body is discarded. */
async function drain(response: Response): Promise<boolean> {
  await response.body?.cancel();
  return response.ok;
}
