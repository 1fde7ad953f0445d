import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Recommender } from "../../streams/http/recommender.ts";
import { topicNames } from "../../streams/topics/topics.ts";

const topics = topicNames();
const TIME = 1.7e12;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const id = fc.string({
  unit: fc.constantFrom("a", "7", " ", "\ufeff", '"', "\\", "é", "😀", "{", ":"),
  minLength: 1,
  maxLength: 6,
});

Deno.test("Recommender.ask() gives each the bytes of its own answer, whatever their ids are and wherever they stand in it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(id, id, fc.boolean()), {
        selector: ([user, request]) => `${user}\n${request}`,
        minLength: 1,
      }),
      async (asked) => {
        await using log = new MemoryLog();
        await log.createTopics([
          { name: topics.events, partitions: 1, cleanup: "delete" },
          { name: topics.recommendations, partitions: 1, cleanup: "delete" },
        ]);
        await using answers = new Recommender(log, topics, 1);
        const asking = asked.map(([user, request]) =>
          answers.ask({ type: "request", user, request, time: TIME, count: 1 }, TIME)
        );
        while ((await log.bounds(topics.events, 0)).end < asked.length);
        const values = asked.map(([user, request, isFirst], n) =>
          encode(isFirst ? { request, user, n } : { n, user, items: [{ request: "other" }], request })
        );
        await log.append(
          values.map((value, n) => ({ topic: topics.recommendations, key: asked[n]![0], value, time: TIME })),
        );
        assert.deepEqual(await Promise.all(asking), values);
      },
    ),
    { numRuns: 50 },
  );
});
