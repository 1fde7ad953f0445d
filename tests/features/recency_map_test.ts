import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecencyMap } from "../../src/features/recency_map.ts";

/** Key to put, or nothing for the oldest to go. */
const step = fc.option(fc.constantFrom("a", "b", "c", "d", ""), { freq: 6 });

test("a recency map is a map whose keys are deleted before they are set", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const map = new RecencyMap<number>();
    const model = new Map<string, number>();
    for (const [n, key] of steps.entries()) {
      if (key === null) {
        map.dropOldest();
        for (const oldest of model.keys()) {
          model.delete(oldest);
          break;
        }
      } else {
        map.put(key, n);
        model.delete(key);
        model.set(key, n);
      }
      const entries: [string, number][] = [];
      map.forEach((key, value) => entries.push([key, value]));
      deepEqual(entries, [...model]);
      equal(map.size, model.size);
    }
    for (const key of ["a", "b", "c", "d", "", "e"]) equal(map.get(key), model.get(key));
  }));
});
