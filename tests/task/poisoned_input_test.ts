/** Malformed records of other programs on `events` and `items`: the task rejects each with a reason, and goes on. */

import assert from "node:assert/strict";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Rejection } from "../../src/events/rejection.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { type Twist, TwistedLog } from "../log/twisted_log.ts";
import { BEFORE_EVENT } from "../../streams/task/catalogue_reader.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;
const OPTIONS = { schema: SCHEMA, outcomeWindowMs: 300_000 };
const LIMITS = { rows: 20, events: 1000 };
const LONG = "k".repeat(900_000);

/** Processes an item and an event that are read with these twists, each followed by a good one. */
async function work(twists: { readonly event?: Twist; readonly item?: Twist }) {
  await using log = new TwistedLog();
  await log.createTopics(topicSpecs(topics, 1));
  const ids = ["bad", "good"];
  const [item] = await log.append(ids.map((id) => ({
    topic: topics.items,
    key: id,
    value: encodeItem({ item: id, time: TIME }),
    time: TIME,
  })));
  const [event] = await log.append(ids.map((user) => ({
    topic: topics.events,
    key: user,
    time: TIME,
    value: encodeEvent({ type: "interaction", user, item: "good", action: "click", time: TIME }),
  })));
  log.twist(topics.events, 0, event!, twists.event ?? {});
  log.twist(topics.items, 0, item!, twists.item ?? {});
  const open = () =>
    Task.open({
      log,
      topics,
      partition: 0,
      options: OPTIONS,
      serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
    });
  {
    await using task = await open();
    while ((await task.round(LIMITS)).complete);
    await task.flush();
    assert.equal(task.committed, 2);
    assert.equal(task.state.users.get("good")?.lastOffset, 1);
    assert.equal(task.state.catalogue.get("good")?.listed, true);
  }
  await using again = await open(); // what was written can be read
  const rejected = await Array.fromAsync(readAll(log, topics.rejected, 0));
  return {
    rejected: rejected.map(({ key, time, value }) => {
      const { code, topic, reason } = JSON.parse(new TextDecoder().decode(value!)) as Rejection & {
        readonly topic: string;
      };
      return { key, time, code, topic, reason };
    }),
    hidden: again.state.catalogue.get("bad")?.withheld,
  };
}

Deno.test("Task rejects an event whose record has no time, and stamps the rejection with its own clock", async () => {
  for (const time of [-1, -(2 ** 63), 2 ** 63 - 1]) {
    const { rejected } = await work({ event: { time } });
    assert.deepEqual(rejected.map(({ key, time, code }) => ({ key, time, code })), [
      { key: "bad", time: TIME, code: "time-out-of-range" },
    ]);
    assert.match(rejected[0]!.reason, /LogAppendTime/);
  }
});

Deno.test("Task rejects a record that is no event, whatever its time and key", async () => {
  for (const time of [-1, 0, 1, TIME, 2 ** 53, -(2 ** 63)]) {
    for (const key of [null, "", "bad", "\ufffd", LONG]) {
      const { rejected } = await work({ event: { time, key, value: null } });
      assert.equal(rejected.length, 1);
      assert.equal(rejected[0]!.code, "truncated-json");
      assert.equal(rejected[0]!.key, key === LONG ? null : key);
    }
  }
});

Deno.test("Task accepts an item whose record has no time, and the removal of one by such a record", async () => {
  for (const time of [-1, 0, 2 ** 63]) {
    const { rejected, hidden } = await work({ item: { time } });
    assert.deepEqual([rejected, hidden], [[], false]);
    assert.deepEqual(await work({ item: { time, value: null } }), { rejected: [], hidden: true });
  }
});

Deno.test("Task rejects the removal of an item without a valid id, and an item before an invalid offset", async () => {
  for (const key of [null, "", LONG, "a\u0000b"]) {
    const { rejected } = await work({ item: { key, value: null } });
    assert.deepEqual(rejected.map(({ topic }) => topic), [topics.items], String(key).slice(0, 9));
  }
  for (const place of ["", "x", "-1", "1e99", "NaN", "Infinity", "0x10"]) {
    const { rejected } = await work({ item: { headers: { [BEFORE_EVENT]: place } } });
    assert.deepEqual(rejected.map(({ topic, code }) => [topic, code]), [[topics.items, "wrong-type"]], place);
  }
});
