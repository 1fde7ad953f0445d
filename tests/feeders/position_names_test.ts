import assert from "node:assert/strict";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { fileName, ingestName } from "../../streams/feeders/position_names.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { sourceOf, syntheticRecords } from "../sources/synthetic.ts";

Deno.test("fileName() does not depend on how a path is written, unless a position is kept under that spelling", async () => {
  const topics = topicNames();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const nameOf = (path: string) => fileName(log, topics, "meander", path);
  for (const path of ["shop", "shop/", "./shop", "./shop//", "x/../shop"]) {
    assert.equal(await nameOf(path), "meander:shop");
  }
  assert.equal(await nameOf("/data/./shop/"), "meander:/data/shop");
  assert.equal(await nameOf("/"), "meander:/");
  assert.equal(await nameOf(".."), "meander:..");
  const name = ingestName("meander", "./shop");
  await using feeder = await Feeder.open(log, topics, sourceOf(syntheticRecords({ views: 2 })), { name });
  await feeder.feed();
  assert.deepEqual(await Promise.all(["./shop", "shop"].map(nameOf)), ["meander:./shop", "meander:shop"]);
});
