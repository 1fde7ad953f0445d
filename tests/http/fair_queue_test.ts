import assert from "node:assert/strict";
import { FairQueue } from "../../streams/http/contract/fair_queue.ts";

Deno.test("FairQueue.push() makes room by dropping the newest entry of the caller with most", () => {
  const queue = new FairQueue<string>(4);
  for (const n of [1, 2, 3, 4]) assert.equal(queue.push("a", `a${n}`), undefined);
  assert.equal(queue.push("a", "a5"), "a5", "a caller does not displace its own");
  assert.equal(queue.push("b", "b1"), "a4");
  assert.equal(queue.push("b", "b2"), "a3");
  assert.equal(queue.push("b", "b3"), "b3", "both have as many");
  assert.equal(queue.push("a", "a6"), "a6");
  assert.equal(queue.push("c", "c1"), "a2");
  assert.deepEqual([...queue].sort(), ["a1", "b1", "b2", "c1"]);
  assert.equal(queue.size, 4);
});

Deno.test("FairQueue.shift() serves callers in turn, however many entries each has", () => {
  const queue = new FairQueue<string>(10);
  for (const one of ["a1", "a2", "a3", "b1", "b2", "c1"]) queue.push(one[0]!, one);
  queue.delete("b", "b1");
  queue.delete("b", "b1");
  queue.delete("d", "d1");
  assert.equal(queue.size, 5);
  const turns = [];
  for (let first = queue.first; first !== undefined; first = queue.first) {
    turns.push(first);
    queue.shift();
  }
  assert.deepEqual(turns, ["a1", "b2", "c1", "a2", "a3"]);
  queue.shift();
  assert.equal(queue.size, 0);
});
