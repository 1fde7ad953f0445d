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

Deno.test("FairQueue gives a turn to each group of callers, and within it to each caller", () => {
  const queue = new FairQueue<string>(10);
  for (const one of ["g/a1", "g/a2", "g/a3", "g/b1", "h/a1", "h/a2"]) queue.push(one.slice(0, 3), one);
  const turns = [];
  for (let first = queue.first; first !== undefined; first = queue.first) {
    turns.push(first);
    queue.shift();
  }
  assert.deepEqual(turns, ["g/a1", "h/a1", "g/b1", "h/a2", "g/a2", "g/a3"]);
});

Deno.test("FairQueue.push() makes room in the group with most, else in the caller's own", () => {
  const queue = new FairQueue<string>(4);
  const push = (entry: string) => queue.push(entry.slice(0, 3), entry);
  for (const one of ["g/a1", "g/a2", "g/a3", "g/a4"]) push(one);
  assert.equal(push("g/b1"), "g/a4", "the other caller has more");
  assert.equal(push("g/b2"), "g/a3");
  assert.equal(push("g/b3"), "g/b3", "both have as many");
  assert.equal(push("h/a1"), "g/a2");
  assert.equal(push("h/a2"), "g/b2", "the caller with most in the group with most");
  assert.equal(push("h/b1"), "h/a2", "both groups have as many, and the other caller has more");
  assert.deepEqual([...queue].sort(), ["g/a1", "g/b1", "h/a1", "h/b1"]);
});
