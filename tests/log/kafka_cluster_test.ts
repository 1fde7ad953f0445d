/** Three brokers with copies of everything: leaders and coordinators move, and nothing is lost, doubled or misplaced. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { prepareBroker } from "../../scripts/kafka/dev_broker.ts";
import type { LogRemark } from "../../streams/log/log.ts";
import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { ignore } from "../../streams/log/ignore.ts";
import { oneIn } from "../breadth.ts";
import { keptUntil } from "../../streams/log/reading.ts";
import { BrokerCluster, type Node } from "../chaos/broker_cluster.ts";
import { wholeAgain } from "../chaos/brokers.ts";
import { all, hasCode, newPlace, record, texts } from "../contracts/log_suite.ts";
import { openLog } from "./kafka_broker.ts";

const PARTITIONS = 3;
/** How often each partition must be appended to, and copied, before a fault ends. */
const PROGRESS = 3;
/** How long a request waits for a broker that is silent: short, so that the test is. */
const REQUEST_MS = 2000;
/** Pause between two appends: while a fault waits for traffic that it can hit, and otherwise. */
const BUSY_MS = 25, CALM_MS = 250;
/** After so long without progress we are stuck, however slow the machine. */
const STUCK_MS = 60_000;

const isPossible = await prepareBroker().then(() => true, async (error) => {
  const text = `SKIPPED: the tests of three brokers, as there is no broker: ${error}\n`;
  await Deno.stderr.write(new TextEncoder().encode(text));
  return false;
});

Deno.test({
  name: "KafkaLog on three brokers that fail",
  ignore: !isPossible,
  async fn(t) {
    const data = await Deno.makeTempDir({ prefix: "meander-cluster-" });
    {
      await using cluster = await BrokerCluster.start(data);
      await t.step(
        "goes on, and loses or doubles nothing, while they are killed, frozen and cut off",
        async () => {
          await goesOn(cluster);
        },
      );
      await t.step("tells each reader what a leader that was elected without it has replaced", async () => {
        await tellsOfLoss(cluster);
      });
    }
    await Deno.remove(data, { recursive: true });
  },
});

async function goesOn(cluster: BrokerCluster): Promise<void> {
  const place = {
    address: "",
    options: { brokers: cluster.addresses, kafka: { requestTimeout: REQUEST_MS } },
  };
  await using log = await openLog(place, { ...place.options, retryMs: 2 * STUCK_MS });
  const [from, to] = [newPlace(), newPlace()];
  await log.createTopics([from, to].map((name) => ({ name, partitions: PARTITIONS, cleanup: "delete" })));
  const use = {
    prefix: to,
    topics: [from, to],
    kept: [],
    events: null,
    group: "none",
    triesRights: false,
  };
  await wholeAgain(log, [from, to], STUCK_MS); // they have as many copies as the cluster allows
  const lone = newPlace();
  await using careless = await openLog(place, { ...place.options, replicationFactor: 1 });
  await careless.createTopics([{ name: lone, partitions: 1, cleanup: "delete" }]);
  let remarks: readonly LogRemark[] = [];
  // Not every broker knows it at once.
  while (remarks.length === 0) remarks = await log.review({ ...use, topics: [from, lone] });
  assert.deepEqual(remarks.map(({ what, isProblem }) => [what, isProblem]), [
    [
      `can never be written to, because min.insync.replicas is above the number of replicas: ${lone}`,
      true,
    ],
    [`on only one of 3 brokers, and lost with it: ${lone}`, true],
  ]);
  await using member = await log.join(`${to}.member`, [from], {
    assigned: () => Promise.resolve(),
    revoked: () => Promise.resolve(),
  });
  await using watching = await openLog(place, { ...place.options, retryMs: 2 * STUCK_MS });
  const traffic = new Traffic(log, watching, from, to);
  const running = traffic.run();
  ignore(running, "awaited below, unless something else fails before");
  const moves = () => traffic.moves();
  // What it asks times out, and its connections are given up.
  const longEnough = () => delay(1.5 * REQUEST_MS);
  for (
    const [what, suffer] of oneIn(
      2,
      [
        ["killed", () => cluster.kill(1, moves)],
        ["frozen", () => cluster.freeze(2, moves)],
        ["isolated", () =>
          cluster.isolate(3, async () => {
            await traffic.moves();
            // Whoever only knows the one that is left behind finds the others, and sees what they have.
            const brokers = [cluster.addresses[2]!];
            await using log = await openLog(place, { ...place.options, brokers, retryMs: STUCK_MS });
            await traffic.isSeenOn(log);
          })],
        ["hidden", () => cluster.hide(1, longEnough)],
      ] as const,
    )
  ) {
    await wholeAgain(log, [from, to], STUCK_MS);
    await traffic.moves();
    await suffer().catch((cause) => {
      throw new Error(`a broker was ${what}: ${cause.message}`, { cause });
    });
  }
  await traffic.moves();
  traffic.stop();
  await running;
  while (member.partitions.length < PARTITIONS) await delay(20);
  await using fresh = await openLog(place, place.options);
  for (let p = 0; p < PARTITIONS; p++) {
    assert.deepEqual(texts(await all(fresh, from, p)), traffic.appended[p], `appended to ${p}`);
    // Brokers answer a commit before they mark its records, which only the committer waits for.
    await log.bounds(to, p);
    assert.deepEqual(texts(await all(fresh, to, p)), traffic.appended[p], `copied of ${p}`);
    assert.equal(await fresh.committed(`${to}.group`, from, p), (await fresh.bounds(from, p)).end);
  }
}

/** A follower that was away becomes the leader, as the only broker that knows better has died. */
async function tellsOfLoss(cluster: BrokerCluster): Promise<void> {
  const options = {
    brokers: cluster.addresses,
    kafka: { requestTimeout: REQUEST_MS },
    retryMs: 2 * STUCK_MS,
    replicationFactor: 2,
    topicConfig: { "min.insync.replicas": "1", "unclean.leader.election.enable": "true" },
  };
  await using log = await openLog({ address: "" }, options);
  const topic = newPlace(), group = `${topic}.group`;
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  await wholeAgain(log, [topic], STUCK_MS);
  const admin = new Kafka({ brokers: [...cluster.addresses], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  /** Waits until the partition is as wanted. */
  const until = async (isWanted: (leader: number, inSync: number) => boolean) => {
    for (;; await delay(100)) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }));
      const [{ partitions: [partition] } = { partitions: [] }] = topics;
      if (partition !== undefined && isWanted(partition.leader, partition.isr.length)) return partition;
    }
  };
  const append = (...values: string[]) => log.append(values.map((value) => record(topic, 0, value)));
  await append("a", "b", "c");
  const first = await log.read(topic, 0, 0);
  const { leader, replicas } = await until((_, inSync) => inSync === 2);
  const follower = replicas.find((node) => node !== leader);
  const [followed, led] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const isBack = cluster.kill(follower as Node, () => followed.promise);
  await until((_, inSync) => inSync === 1);
  await append("d", "e");
  const { next, epoch } = await log.read(topic, 0, first.next, { epoch: first.epoch });
  const position = { topic, partition: 0, offset: next, epoch };
  {
    await using writer = await log.writer(`${topic}.writer`);
    await writer.commit({ records: [], group, offsets: [position] });
  }
  const waiting = log.read(topic, 0, next, { epoch, waitMs: STUCK_MS }).catch((error) => error.code);
  const isWhole = cluster.kill(leader as Node, () => led.promise);
  followed.resolve();
  await isBack;
  await until((now) => now === follower);
  assert.deepEqual(await append("x", "y", "z"), [3, 4, 5]);
  assert.equal(await waiting, "beyond-end");
  // Each reader is told, and goes back; one that has read what is there now goes on.
  let on = first;
  for (let readers = 0; readers < 2; readers++) {
    await assert.rejects(log.read(topic, 0, next, { epoch }), hasCode("beyond-end"));
    const back = await log.read(topic, 0, 3, { maxRecords: 2 });
    assert.deepEqual([texts(back.records), back.next], [["x", "y"], next]);
    on = await log.read(topic, 0, next, { epoch: back.epoch });
    assert.deepEqual(texts(on.records), ["z"]);
  }
  await using restarted = await openLog({ address: "" }, options);
  const stored = await restarted.committedEpoch(group, position);
  assert.equal(stored, epoch);
  assert.equal(await restarted.committedEpoch(group, { ...position, offset: 3 }), undefined);
  assert.equal(await keptUntil(restarted, { ...position, epoch: stored }), 3);
  led.resolve();
  await isWhole;
  await until((_, inSync) => inSync === 2);
  await append("v");
  const { records } = await log.read(topic, 0, on.next, { epoch: on.epoch, waitMs: STUCK_MS });
  assert.deepEqual(texts(records), ["v"]);
  await admin.disconnect();
}

/** Appends to each partition of a topic, copies it to another exactly once, and follows that elsewhere without a pause. */
class Traffic {
  /** What was written, in order, by partition. */
  readonly appended = Array.from({ length: PARTITIONS }, (): string[] => []);
  readonly #log: KafkaLog;
  readonly #watching: KafkaLog;
  readonly #from: string;
  readonly #to: string;
  readonly #copied = new Array<number>(PARTITIONS).fill(0);
  readonly #followed = new Array<number>(PARTITIONS).fill(0);
  #isStopping = false;
  #isAppending = true;
  #waiting = 0;
  /** Why it ended before it was stopped. */
  #failure: unknown;

  /** @param watching a log that writes nothing, as writing would make it look at the ends by itself */
  constructor(log: KafkaLog, watching: KafkaLog, from: string, to: string) {
    this.#log = log;
    this.#watching = watching;
    this.#from = from;
    this.#to = to;
  }

  /** Appends until it is stopped, and copies it all. */
  async run(): Promise<void> {
    const copying = Promise.all(
      this.appended.flatMap((_, partition) => [this.#copy(partition), this.#follow(partition)]),
    );
    try {
      await Promise.race([copying, this.#append().finally(() => this.#isAppending = false)]);
      await copying;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Stops after the append that is under way, which is copied, too. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Resolves when each partition has moved on. @throws what the traffic has failed with */
  async moves(): Promise<void> {
    const wanted = this.#copied.map((copied) => copied + PROGRESS);
    this.#waiting++;
    using _ = { [Symbol.dispose]: () => void this.#waiting-- };
    const isBehind = (counts: readonly number[]) => wanted.some((count, p) => (counts[p] ?? 0) < count);
    for (const since = performance.now(); isBehind(this.#copied) || isBehind(this.#followed);) {
      if (this.#failure !== undefined) throw this.#failure;
      if (performance.now() - since > STUCK_MS) {
        throw new Error(
          `only ${this.#copied} of ${wanted} are copied, ${this.#followed} are seen by followers`,
        );
      }
      await delay(20);
    }
  }

  /** Checks that whoever takes a copier over sees what it has copied. */
  async isSeenOn(log: KafkaLog): Promise<void> {
    const copied = [...this.#copied];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const places = [{ topic: this.#to, partition }];
      await using _ = await log.writer(`${this.#to}.other.${partition}`, places);
      assert.ok((await all(log, this.#to, partition)).length >= copied[partition]!, `partition ${partition}`);
    }
  }

  /** One record, or one for each partition in a transaction, each once the one before is written. */
  async #append(): Promise<void> {
    for (let round = 0; !this.#isStopping; round++) {
      const partitions = round % 2 === 0 ? [round / 2 % PARTITIONS] : [...Array(PARTITIONS).keys()];
      await this.#log.append(partitions.map((p) => record(this.#from, p, `${round}`)));
      for (const p of partitions) this.appended[p]?.push(`${round}`);
      await delay(this.#waiting > 0 ? BUSY_MS : CALM_MS);
    }
  }

  async #copy(partition: number): Promise<void> {
    const [log, from, to, group] = [this.#log, this.#from, this.#to, `${this.#to}.group`];
    await using writer = await log.writer(`${group}.${partition}`);
    for (let next = 0; this.#isAppending || next < (await log.bounds(from, partition)).end;) {
      const { records, next: after } = await log.read(from, partition, next, { waitMs: 100 });
      if (after === next) continue;
      const copies = records.map(({ key, value, time }) => ({ topic: to, partition, key, value, time }));
      await writer.commit({ records: copies, group, offsets: [{ topic: from, partition, offset: after }] });
      this.#copied[partition] = (this.#copied[partition] ?? 0) + records.length;
      next = after;
    }
  }

  async #follow(partition: number): Promise<void> {
    for (let next = 0; !this.#isStopping;) {
      const read = await this.#watching.read(this.#to, partition, next, { waitMs: 1000 });
      this.#followed[partition] = (this.#followed[partition] ?? 0) + read.records.length;
      next = read.next;
    }
  }
}
