/** Records that are too large and of which nothing can be left out: a task waits until its topic takes them. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { LimitedLog } from "../log/limited_log.ts";
import { OPTIONS, until } from "./deployment.ts";

const topics = topicNames();

for (const name of ["statistics", "signals"] as const) {
  Deno.test(`Service waits with a task, and says so, while the topic takes no such ${name}, and loses nothing`, async () => {
    await using log = new LimitedLog({});
    await log.createTopics(topicSpecs(topics, 2));
    const time = Date.now();
    const click = (partition: number, n: number) => ({
      topic: topics.events,
      partition,
      key: `u${partition}`,
      time,
      value: encodeEvent({
        type: "interaction",
        user: `u${partition}`,
        item: `i${n}`,
        action: "click",
        time: time + n,
      }),
    });
    await using service = await Service.start(log, { ...OPTIONS, partitions: 2, pauseMs: 10 });
    await until(() => Promise.resolve(service.tasks.size === 2), "both tasks work");
    log.largest[topics[name]] = 0;
    await log.append([click(0, 1)]);
    const told = /^task 0: Cannot append to .*: at most 0 bytes$/;
    await until(() => Promise.resolve(told.test(service.faults.join())), "it says so");
    assert.match((await service.unready()).join(), /task 0: Cannot append to/);
    delete log.largest[topics[name]];
    await log.append([click(0, 2), click(1, 1)]);
    await until(() => Promise.resolve(service.tasks.size === 2), "it works again");
    const lives = () =>
      [0, 1].map((partition) => {
        const state = service.tasks.get(partition)?.state;
        const user = state?.users.get(`u${partition}`);
        return user === undefined ? 0 : state?.sequences.length(user.row);
      });
    await until(() => Promise.resolve(lives().join() === "2,1"), "each event is applied once");
    assert.deepEqual(service.faults, []);
  });
}
