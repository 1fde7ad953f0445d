import assert from "node:assert/strict";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { endsOfTopic, readAll } from "../../streams/log/reading.ts";
import { inspect } from "../../streams/service/inspection.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { listen } from "../log/warnings.ts";
import {
  answersOn,
  OPTIONS,
  recordsOf,
  requestsOf,
  shopEvents,
  until,
  untilCommitted,
} from "./deployment.ts";

const topics = topicNames();
const PARTITIONS = 2;
const events = shopEvents(60, 10);
const start = (log: AdministeredLog) =>
  Service.start(log, { ...OPTIONS, partitions: PARTITIONS, roles: ["task", "learner"] });

const untilUnready = (service: Service, says: RegExp) =>
  until(async () => says.test((await service.unready()).join("; ")), `it says ${says}`);

Deno.test("Service stands still, unready, when its events topic is recreated while it runs, and after a restart", async () => {
  await using log = new AdministeredLog();
  {
    await using service = await start(log);
    await log.append(recordsOf(events));
    await untilCommitted(log);
    assert.deepEqual([await service.unready(), service.faults], [[], []]);
    await log.recreate(topics.events);
    await log.append(recordsOf(events));
    await untilUnready(service, /created again \(its id was .+follow meander\.events/);
    await until(() => Promise.resolve(service.faults.length === PARTITIONS), "all tasks stand still");
    await using http = await startHttp({
      hostname: "127.0.0.1",
      port: 0,
      log,
      service,
      metrics: new Metrics(topics),
    });
    const click = { type: "interaction", user: "ann", action: "click", item: "i1", time: Date.now() };
    const posted = await fetch(`${http.url}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(click),
    });
    assert.equal(posted.status, 503, "events that no task would apply are not accepted");
    assert.match(await posted.text(), /created again/);
    const ready = await fetch(`${http.url}/ready`);
    assert.equal(ready.status, 503);
    await ready.body?.cancel();
  }
  assert.deepEqual(
    (await answersOn(log)).map(({ request }) => request).sort(),
    requestsOf(events).sort(),
    "nothing of the new topic is answered",
  );
  await using again = await start(log);
  await untilUnready(again, /created again/);
});

Deno.test("Service neither learns nor counts again what a copy of its deployment has, and says what it is", async () => {
  await using log = new AdministeredLog();
  const options = { ...OPTIONS, learning: { ...OPTIONS.learning, batchRows: 8 }, partitions: PARTITIONS };
  const newest = async (topic: string) =>
    (await Array.fromAsync(readAll(log, topic, 0))).at(-1)?.value ?? null;
  {
    await using service = await Service.start(log, options);
    await log.append(recordsOf(shopEvents(200, 10)));
    await untilCommitted(log);
    await until(async () => ((await service.status()).learner?.version ?? 0) > 10, "something is learnt");
  }
  const learnt = () => Promise.all([topics.parameters, topics.checkpoints].map(newest));
  const before = await learnt();
  for (const { name, partitions } of [...(await log.topics()).values()]) {
    const records: NewRecord[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      for await (const { offset: _, ...record } of readAll(log, name, partition)) records.push(record);
    }
    await log.recreate(name);
    await log.append(records);
  }
  await using heard = await listen();
  await using copy = await Service.start(log, options);
  await untilUnready(
    copy,
    /or is a copy on another cluster \(to move there, use meander backup and restore\)/,
  );
  const isSaid = (what: RegExp) => heard.messages.some((message) => what.test(message));
  const stopped = [/^learner.* stopped, .+ copy on another/, /^monitor.* stopped, .+ copy on another/];
  await until(() => Promise.resolve(stopped.every(isSaid)), "all stand still");
  assert.deepEqual(await learnt(), before);
});

Deno.test("Service stays ready when its events topic gains partitions, takes over and starts with the old ones", async () => {
  await using log = new AdministeredLog();
  await using heard = await listen();
  const isSeen = ({ unreadPartitions }: Service) => unreadPartitions === 2 + 2;
  const asked = requestsOf(events);
  const isAnswered = (count: number) => async () => (await answersOn(log)).length === count;
  {
    await using service = await start(log);
    const other = await start(log);
    await log.append(recordsOf(events.slice(0, 40)));
    await untilCommitted(log);
    log.grow(topics.events, 4);
    log.grow(topics.items, 3);
    await until(() => Promise.resolve([service, other].every(isSeen)), "both see it");
    await until(
      () =>
        Promise.resolve(/events has \d+ partitions, 2 more than .+not applied/.test(heard.messages.join())),
      "it is logged",
    );
    assert.deepEqual([await service.unready(), await other.unready()], [[], []]);
    await other.stop();
    await log.append(recordsOf(events.slice(40, 80)));
    await until(
      isAnswered(requestsOf(events.slice(0, 80)).length),
      "requests on the old partitions are answered",
    );
    assert.equal(service.tasks.size, PARTITIONS);
    assert.deepEqual([await service.unready(), service.faults], [[], []]);
  }
  await using service = await start(log);
  await service.deployment.log.append(recordsOf(events.slice(80)));
  await until(isAnswered(asked.length), "a process that starts afterwards answers");
  await until(() => Promise.resolve(isSeen(service)), "it sees them, too");
  assert.deepEqual([await service.unready(), service.faults, service.tasks.size], [[], [], PARTITIONS]);
  assert.deepEqual((await answersOn(log)).map(({ request }) => request).sort(), asked.toSorted());
  const { problems } = await inspect(log);
  assert.match(
    problems.map(({ what }) => what).join("\n"),
    /^meander\.events has 4 partitions, of which tasks read only 2; the others have 0 records/m,
  );
});

Deno.test("Service stays ready when topics that only it writes gain partitions, and starts with them", async () => {
  await using log = new AdministeredLog();
  const { events: _events, items: _items, ...own } = topics;
  await using heard = await listen();
  const asked = requestsOf(events);
  {
    await using service = await start(log);
    await log.append(recordsOf(events.slice(0, 40)));
    await untilCommitted(log);
    for (const topic of Object.values(own)) if ((await log.topics(topic)).has(topic)) log.grow(topic, 5);
    await until(() => Promise.resolve(/signals has 5/.test(heard.messages.join())), "it sees them");
    await log.append(recordsOf(events.slice(40, 80)));
    await untilCommitted(log);
    assert.deepEqual([await service.unready(), service.faults], [[], []]);
  }
  await using service = await start(log);
  await log.append(recordsOf(events.slice(80)));
  await untilCommitted(log);
  assert.deepEqual([await service.unready(), service.faults], [[], []]);
  assert.deepEqual((await answersOn(log)).map(({ request }) => request).sort(), asked.toSorted());
  const { problems } = await inspect(log);
  assert.deepEqual(problems.filter(({ what }) => what.includes("partitions")), []);
  const first = heard.messages.filter((message) => message.startsWith(`${topics.samples} has 5 partitions`));
  assert.equal(first.length, 2, "once per start, and inspection is another");
});

Deno.test("Service reads a catalogue that is recreated while it runs", async () => {
  await using log = new AdministeredLog();
  await using service = await start(log);
  await log.append(recordsOf(events));
  await untilCommitted(log);
  await log.recreate(topics.items);
  const items = recordsOf([]);
  await log.append(items.slice(0, 3));
  await until(
    () =>
      Promise.resolve(
        service.tasks.size === PARTITIONS && [...service.tasks.values()]
          .every(({ catalogue, state }) => state.catalogue.size > 0 && catalogue.committed <= 3),
      ),
    "tasks have reopened",
  );
  await until(async () => (await service.unready()).length === 0, "it is ready again");
});

Deno.test("Service says which topics of an existing deployment it creates, and that a checkpoint is lost", async () => {
  await using log = new AdministeredLog();
  await using heard = await listen();
  const told = (about: RegExp) => heard.messages.filter((message) => about.test(message));
  const specs = topicSpecs(topics, PARTITIONS);
  const { lists, rejected } = topics;
  await log.createTopics(specs.filter(({ name }) => name !== lists && name !== rejected));
  await (await start(log)).stop();
  assert.match(
    told(/creating/).join(),
    /creating meander\.lists, meander\.rejected, which this deployment lacks/,
  );
  assert.deepEqual(told(/has lost the checkpoint/), []);
  await log.recreate(topics.checkpoints);
  await (await start(log)).stop();
  assert.match(
    told(/has lost the checkpoint/).join(),
    /^meander\.checkpoints has lost the checkpoint of base: /,
  );
  assert.equal(told(/creating/).length, 1);
  await using other = new AdministeredLog();
  await (await start(other)).stop();
  assert.equal(told(/creating/).length, 1, "a new deployment lacks nothing");
});

for (const name of ["samples", "parameters", "recommendations"] as const) {
  Deno.test(`Service continues, and creates ${name} again, when that topic is deleted while it runs`, async () => {
    const events = shopEvents(200, 10);
    await using log = new AdministeredLog();
    await using heard = await listen();
    await using service = await start(log);
    await log.append(recordsOf(events.slice(0, 200)));
    await untilCommitted(log);
    await until(async () => (await service.unready()).length === 0, "it is ready");
    log.delete(topics[name]);
    await log.append(recordsOf(events.slice(200, 300)));
    await until(async () => (await log.topics(topics[name])).has(topics[name]), "it is created");
    assert.match(heard.messages.join("\n"), new RegExp(`created ${topics[name]} again: it was deleted`));
    const before = (await answersOn(log)).length;
    await log.append(recordsOf(events.slice(300)));
    await untilCommitted(log);
    await until(async () => (await answersOn(log)).length > before, "it answers");
    await until(async () => (await service.unready()).length === 0, "it is ready again");
    assert.equal(
      (await log.topics(topics[name])).get(topics[name])?.partitions,
      name === "parameters" ? 1 : PARTITIONS,
    );
    if (name !== "samples") return;
    const ends = await endsOfTopic(log, topics.samples, PARTITIONS);
    assert.ok(ends.every((end) => end > 0), "there are samples of all partitions");
    await until(async () => {
      const { learner } = await service.status();
      return learner !== null && learner.rows > 0 && learner.lag < 32;
    }, "it learns them, but for an incomplete batch");
  });
}

for (const name of ["experiments", "positions"] as const) {
  Deno.test(`Service creates no topic again while ${name} is missing, which cannot be derived`, async () => {
    await using log = new AdministeredLog();
    await using heard = await listen();
    await using service = await start(log);
    await log.append(recordsOf(shopEvents(100, 10)));
    await untilCommitted(log);
    for (const gone of [name, "samples"] as const) log.delete(topics[gone]);
    await log.append(recordsOf(shopEvents(100, 10, 100)));
    const said = new RegExp(`the log no longer has .*${topics[name]}`);
    await until(() => Promise.resolve(said.test(heard.messages.join("\n"))), "it is said");
    assert.ok(!(await log.topics(topics.samples)).has(topics.samples));
    await service.stop();
  });
}

for (const name of ["events", "samples", "signals"] as const) {
  for (const isRunning of [true, false]) {
    const when = isRunning ? "while it runs" : "before it starts again";
    Deno.test(`Service does not end when ${name} loses records that it has read, ${when}`, async () => {
      const events = shopEvents(300, 10);
      await using log = new AdministeredLog();
      await using heard = await listen();
      await using before = await start(log);
      await log.append(recordsOf(events.slice(0, 300)));
      await untilCommitted(log);
      const rowsOf = async (service: Service) => (await service.status()).learner?.rows ?? 0;
      await until(async () => await rowsOf(before) > 0, "it learns");
      const areRead = async () =>
        (await before.status()).partitions.every(({ othersLag }) => othersLag === 0);
      await until(areRead, "tasks have read each other's signals");
      if (!isRunning) await before.stop();
      await log.lose(topics[name]);
      if (name === "samples" && !isRunning) { // it has grown past the positions again
        const more = Array.from(
          { length: 1000 },
          (_, n) => ({ topic: topics.samples, partition: n % PARTITIONS }),
        );
        await log.append(more.map((place) => ({ ...place, key: null, value: null, time: 0 })));
      }
      await using again = isRunning ? undefined : await start(log);
      const service = again ?? before;
      await until(async () => await rowsOf(service) > 0, "the learner has begun");
      const learnt = await rowsOf(service);
      await log.append(recordsOf(events.slice(300, 310)));
      if (name === "events") {
        await until(() => Promise.resolve(service.faults.length > 0), "tasks stand still");
        assert.match(service.faults.join(), /the log has lost events that were applied/);
        return;
      }
      await log.append(recordsOf(events.slice(310)));
      await untilCommitted(log);
      await until(async () => (await service.unready()).length === 0, "it is ready");
      await until(async () => await rowsOf(service) > learnt, "it learns what comes");
      // One that runs reads on, unnoticed, if there are as many new records when it looks.
      if (isRunning) return;
      const told = name === "samples"
        ? /samples has lost samples that base had read/
        : /signals\/\d no longer has offset/;
      assert.match(heard.messages.join(), told);
    });
  }
}
