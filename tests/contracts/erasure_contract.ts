/**
 * What every {@linkcode Log} that can erase single records does with them; any other has no `erase`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { all, type LogSuite, newPlace, record, texts } from "./log_suite.ts";

const SPECS = (["delete", "compact"] as const).map((cleanup) => ({ cleanup, partitions: 1 }));

/** Registers the tests of erasing. */
export function erasureContract(suite: LogSuite): void {
  suite.test("erase() leaves gaps, and every other record where it was", async (log, place) => {
    assert.equal(log.erase === undefined, log.scrub === undefined);
    if (log.erase === undefined) return;
    for (const { cleanup, partitions } of SPECS) {
      const topic = `${place}.${cleanup}`;
      await log.createTopics([{ name: topic, partitions, cleanup }]);
      await log.append(["a", "b", "c", "d", "e"].map((text) => record(topic, 0, text)));
      await log.read(topic, 0, 4); // records held in memory are erased too
      await log.erase(topic, 0, [1, 2, 4, 17]);
      assert.equal((await log.bounds(topic, 0)).end, 5);
      for (
        const [from, want, next] of [[0, "ad", 5], [1, "d", 5], [3, "d", 5], [4, "", 5], [5, "", 5]] as const
      ) {
        const read = await log.read(topic, 0, from);
        assert.deepEqual([texts(read.records).join(""), read.next], [want, next], `${cleanup} from ${from}`);
        assert.equal(read.dropped, undefined);
      }
      assert.deepEqual(await log.append([record(topic, 0, "b")]), [5]);
      assert.deepEqual((await all(log, topic, 0)).map(({ offset }) => offset), [0, 3, 5]);
      if (cleanup === "compact") {
        assert.equal((await log.latest?.(topic, 0, "b"))?.offset, 5);
        assert.equal(await log.latest?.(topic, 0, "c"), null);
      }
    }
    assert.equal(await log.scrub?.(), "clean");
    assert.equal(await log.scrub?.(), "clean");
  });

  suite.testTrait("restart", "erase() frees no offset, even after a restart", async () => {
    const place = newPlace();
    const topics = SPECS.map(({ cleanup, partitions }) => ({
      name: `${place}.${cleanup}`,
      partitions,
      cleanup,
    }));
    {
      await using log = await suite.open({ place });
      await log.createTopics(topics);
      for (const { name } of topics) {
        await log.append(["a", "b", "c"].map((text) => record(name, 0, text)));
        await log.erase?.(name, 0, [0, 1, 2]);
      }
    }
    await using log = await suite.open({ place });
    for (const { name } of topics) {
      assert.equal((await log.bounds(name, 0)).end, 3);
      assert.deepEqual(await log.append([record(name, 0, "d")]), [3]);
    }
  });
}
