/** Kills what can be killed: the process that commits, the broker, the member of a group. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startBroker } from "../../scripts/kafka/dev_broker.ts";
import { all, newPlace, record, texts } from "../contracts/log_suite.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const broker = await testBroker();
const lone = fileURLToPath(new URL("kafka_member.ts", import.meta.url));
const copier = fileURLToPath(new URL("kafka_copier.ts", import.meta.url));

if (broker !== undefined) {
  Deno.test("Writer.commit() loses and doubles nothing when its process is killed again and again", async () => {
    await using log = await openLog(broker);
    const [from, to] = [newPlace(), newPlace()];
    await log.createTopics([from, to].map((name) => ({ name, partitions: 1, cleanup: "delete" })));
    const count = 2000;
    await log.append(Array.from({ length: count }, (_, i) => record(from, 0, `${i}`)));
    let kills = 0;
    for (let done = false; !done;) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-A", "--no-check", copier, broker.address, from, to, `${count}`],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      // Killed after a few commits, most likely in the middle of one.
      let commits = 0;
      for await (const chunk of child.stdout) {
        commits += chunk.length;
        if (commits > 20 + kills && kills < 4) {
          child.kill("SIGKILL");
          kills++;
          break;
        }
      }
      done = (await child.status).success;
    }
    assert.equal(kills, 4);
    assert.deepEqual(texts(await all(log, to, 0)), Array.from({ length: count }, (_, i) => `${i}`));
  });

  Deno.test("KafkaLog outlives its broker: reads, commits, appends and groups go on", async () => {
    const data = await Deno.makeTempDir();
    const first = await startBroker({ data });
    const port = Number(first.address.split(":")[1]);
    {
      await using log = await openLog(first, { retryMs: 120_000 }); // a broker may be slow to come back
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
      const held: string[] = [];
      await using member = await log.join(`${topic}.group`, [topic], {
        assigned: (partitions) => Promise.resolve(void held.push(`+${partitions}`)),
        revoked: (partitions) => Promise.resolve(void held.push(`-${partitions}`)),
      });
      await using writer = await log.writer(`${topic}.writer`);
      await log.append([record(topic, 0, "before")]);
      const waiting = log.read(topic, 1, 0, { waitMs: 60_000 });
      const commit = (text: string, offset: number) =>
        writer.commit({
          records: [record(topic, 1, text)],
          group: topic,
          offsets: [{ topic, partition: 0, offset }],
        });
      await first[Symbol.asyncDispose]();
      const appended = log.append([record(topic, 0, "while it is away")]);
      const committed = commit("committed", 1);
      await using _second = await startBroker({ data, port });
      await Promise.all([appended, committed]);
      assert.deepEqual(texts((await waiting).records), ["committed"]);
      assert.deepEqual(texts(await all(log, topic, 0)), ["before", "while it is away"]);
      assert.equal(await log.committed(topic, topic, 0), 1);
      await commit("again", 2);
      // It may have been away for longer than the session.
      while (held.at(-1) !== "+0,1") await delay(20);
      assert.deepEqual(member.partitions, [0, 1]);
      await member.leave();
    }
    await Deno.remove(data, { recursive: true });
  });

  Deno.test("KafkaLog.join() takes the place of a member that was killed on this machine, whatever its session", async () => {
    const topic = newPlace();
    const group = `${topic}.group`;
    const membersFolder = await Deno.makeTempDir();
    // Ten minutes, so that waiting for the session would be noticed.
    const options = { sessionMs: 600_000, membersFolder };
    await using log = await openLog(broker, options);
    await log.createTopics([{ name: topic, partitions: 3, cleanup: "delete" }]);
    const held = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve() };
    const startMember = async () => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-A", "--no-check", lone, broker.address, group, topic, membersFolder],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      await child.stdout.getReader().read(); // it has joined
      return child;
    };
    const first = await startMember();
    first.kill("SIGKILL");
    await first.status;
    await using follower = await log.join(group, [topic], held);
    assert.deepEqual(follower.partitions, [0, 1, 2]);
    // Another dies while we live: our heartbeats notice. One that is only stopped is not dead.
    const second = await startMember();
    second.kill("SIGSTOP");
    for (let beats = 0; beats < 20; beats++) await delay(20);
    assert.equal(follower.partitions.length, 2);
    second.kill("SIGKILL");
    await second.status;
    while (follower.partitions.length < 3) await delay(20);
    await follower.leave();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(membersFolder)), []);
    await Deno.remove(membersFolder, { recursive: true });
  });

  Deno.test("KafkaLog.join() gives the partitions of a silent member to others, who fence it", async () => {
    const topic = newPlace();
    const group = `${topic}.group`;
    await using log = await openLog(broker);
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    const revoked = Promise.withResolvers<readonly number[]>();
    // Heartbeats that come too late, as of a process that was stopped for a while.
    await using sleeper = await openLog(broker, { sessionMs: 6000, heartbeatMs: 8000 });
    await using silent = await sleeper.join(group, [topic], {
      assigned: () => Promise.resolve(),
      revoked: (partitions) => Promise.resolve(revoked.resolve(partitions)),
    });
    await using zombie = await sleeper.writer(`${group}.0`);
    await using member = await log.join(group, [topic], {
      assigned: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
    });
    assert.ok(member.partitions.length > 0);
    await using owner = await log.writer(`${group}.0`);
    await owner.commit({ records: [], group, offsets: [{ topic, partition: 0, offset: 1 }] });
    await assert.rejects(
      zombie.commit({ records: [], group, offsets: [{ topic, partition: 0, offset: 0 }] }),
      { code: "fenced" },
    );
    assert.deepEqual(await revoked.promise, [0, 1]);
    assert.equal(await log.committed(group, topic, 0), 1);
    await silent.leave();
  });
}
