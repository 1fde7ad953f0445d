import assert from "node:assert/strict";
import { encodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { unreadable } from "../../streams/log/unreadable.ts";
import type { Log } from "../../streams/log/log.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { ParameterSubscriber } from "../../streams/topics/parameters.ts";
import { batches, makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";

const serve = () => new ServingModel(makeModel("base", 99), SCHEMA, WIDTH);

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([{ name: "p", partitions: 1, cleanup: "delete" }]);
  return log;
}

const publish = (log: Log, ...values: (ParameterVersion | Uint8Array | null)[]) =>
  log.append(values.map((value) => ({
    topic: "p",
    key: "base",
    value: value === null || value instanceof Uint8Array ? value : encodeVersion(value),
    time: 0,
  })));

/** Versions 1 (full), 2, 3, ... (deltas), and the full snapshot of the last. */
function makeVersions(count: number): { deltas: ParameterVersion[]; snapshot: ParameterVersion } {
  const learner = makeLearner("base");
  const deltas = [learner.version("full", 1)];
  for (const batch of batches(makeSamples(8 * (count - 1)))) {
    learner.learn(batch);
    deltas.push(learner.version("delta", deltas.length + 1));
  }
  return { deltas, snapshot: learner.version("full", count) };
}

Deno.test("ParameterSubscriber.update() follows the topic, version by version or all at once", async () => {
  const { deltas } = makeVersions(6);
  const log = await createLog();
  const [step, jump] = [serve(), serve()];
  const subscriber = new ParameterSubscriber(log, "p", step);
  assert.equal(await subscriber.update(), 0, "nothing was published");
  for (const [v, version] of deltas.entries()) {
    await publish(log, version);
    assert.equal(await subscriber.update(), v + 1);
  }
  assert.equal(await subscriber.update(), 6);
  assert.equal(await new ParameterSubscriber(log, "p", jump).update(), 6);
  for (const probe of makeSamples(5, 70)) assert.deepEqual(jump.score(probe), step.score(probe));
});

Deno.test("ParameterSubscriber.update() yields the thread between portions, when only whole versions are visible", async () => {
  const { deltas } = makeVersions(4);
  const log = await createLog();
  await publish(log, ...deltas);
  const [serving, want] = [serve(), serve()];
  const [probe] = makeSamples(1, 70);
  assert.ok(probe);
  const seen: number[] = [];
  await new ParameterSubscriber(log, "p", serving).update({
    giveWay: () => {
      seen.push(serving.version);
      while (want.version < serving.version) want.apply(deltas[want.version] ?? assert.fail());
      assert.deepEqual(serving.score(probe), want.score(probe));
      return Promise.resolve();
    },
  });
  assert.deepEqual([...new Set(seen)], [0, 1, 2, 3]);
  assert.equal(serving.version, 4);
});

Deno.test("ParameterSubscriber.update() continues on a topic that was created again", async () => {
  const { deltas } = makeVersions(6);
  await using log = new AdministeredLog();
  await log.createTopics([{ name: "p", partitions: 1, cleanup: "delete" }]);
  const serving = serve();
  const subscriber = new ParameterSubscriber(log, "p", serving);
  await publish(log, ...deltas.slice(0, 4));
  assert.equal(await subscriber.update(), 4);
  await log.recreate("p");
  assert.equal(await subscriber.update(), 4);
  await publish(log, ...deltas.slice(4));
  assert.equal(await subscriber.update(), 6);
});

Deno.test("ParameterSubscriber.update() waits after a gap for the next full snapshot", async () => {
  const { deltas, snapshot } = makeVersions(6);
  const log = await createLog();
  const serving = serve();
  const subscriber = new ParameterSubscriber(log, "p", serving);
  await publish(log, ...deltas.slice(0, 2), null, ...deltas.slice(3));
  assert.equal(await subscriber.update(), 2, "version 3 is missing");
  const [probe] = makeSamples(1, 70);
  assert.ok(probe);
  const stale = serving.score(probe);
  await publish(log, snapshot);
  assert.equal(await subscriber.update(), 6);
  assert.notDeepEqual(serving.score(probe), stale);
});

Deno.test("ParameterSubscriber.update() starts from where the publisher has trimmed the topic", async () => {
  const { deltas, snapshot } = makeVersions(4);
  const log = await createLog();
  await publish(log, ...deltas, snapshot);
  await log.trim("p", 0, deltas.length);
  assert.equal(await new ParameterSubscriber(log, "p", serve()).update(), 4);
});

Deno.test("ParameterSubscriber.update() skips a damaged version, and continues with the next full snapshot", async () => {
  const { deltas, snapshot } = makeVersions(5);
  const bytes = encodeVersion(deltas[2] ?? assert.fail());
  const damages: [string, Uint8Array][] = [
    ["empty", new Uint8Array(0)],
    ["cut", bytes.subarray(0, bytes.length - 1)],
    ["longer", Uint8Array.of(...bytes, 0)],
    ...[0, 5, 40, bytes.length >> 1, bytes.length - 1].map((at): [string, Uint8Array] => [
      `byte ${at}`,
      bytes.with(at, (bytes[at] ?? 0) ^ 0x10),
    ]),
  ];
  for (const [what, damaged] of damages) {
    const log = await createLog();
    const serving = serve();
    const subscriber = new ParameterSubscriber(log, "p", serving);
    await publish(log, ...deltas.slice(0, 2), damaged);
    const before = unreadable.counts.get("p") ?? 0;
    assert.equal(await subscriber.update(), 2, `${what}: what came before it is live`);
    await publish(log, ...deltas.slice(3));
    assert.equal(await subscriber.update(), 2, `${what}: what is on top of it is not`);
    await publish(log, snapshot);
    assert.equal(await subscriber.update(), 5, what);
    assert.equal(unreadable.counts.get("p"), before + 1);
  }
});

Deno.test("ParameterSubscriber.update() stays at a requested version, and says when it is gone", async () => {
  const { deltas, snapshot } = makeVersions(6);
  const log = await createLog();
  const [probe] = makeSamples(1, 70);
  assert.ok(probe);
  const [serving, want] = [serve(), serve()];
  for (const version of deltas.slice(0, 3)) want.apply(version);
  const subscriber = new ParameterSubscriber(log, "p", serving, 3);
  await publish(log, ...deltas, snapshot);
  assert.equal(await subscriber.update(), 3);
  assert.equal(await subscriber.update({ waitMs: 1 }), 3);
  assert.deepEqual(serving.score(probe), want.score(probe));
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(subscriber.update({ waitMs: 60_000, signal }), { message: "enough" });
  await log.trim("p", 0, deltas.length);
  await assert.rejects(new ParameterSubscriber(log, "p", serve(), 3).update(), {
    name: "RangeError",
    message: "Cannot serve version 3: p has no version between 0 and 6",
  });
});

Deno.test("ParameterSubscriber.update() refuses to stay at a future version, except the first", async () => {
  const { deltas } = makeVersions(3);
  const log = await createLog();
  const stayAt = (version: number) => new ParameterSubscriber(log, "p", serve(), version);
  const first = stayAt(1);
  assert.equal(await first.update(), 0, "every log starts with version 1");
  await assert.rejects(stayAt(2).update(), {
    name: "RangeError",
    message: "Cannot serve version 2: the newest on p is none",
  });
  await publish(log, ...deltas.slice(0, 2));
  assert.equal(await first.update(), 1);
  await assert.rejects(stayAt(3).update(), {
    name: "RangeError",
    message: "Cannot serve version 3: the newest on p is 2",
  });
  await publish(log, ...deltas.slice(2));
  assert.equal(await first.update(), 1);
});
