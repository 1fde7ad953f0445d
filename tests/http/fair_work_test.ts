import assert from "node:assert/strict";
import type { Portions } from "../../src/values/portions.ts";
import { setImmediate } from "node:timers";
import { listen } from "../log/warnings.ts";
import { atATime, FairWork } from "../../streams/http/contract/fair_work.ts";

/** Work in portions of given durations, and what was done when. */
function workshop() {
  let now = 0;
  const done: string[] = [];
  const pauses: number[] = [];
  const work = new FairWork({
    clock: () => now,
    share: (workedMs) => {
      pauses.push(workedMs);
      return Promise.resolve();
    },
  });
  function* portions(name: string, count: number, ms: number): Portions<string> {
    for (let i = 0; i < count; i++) {
      now += ms;
      yield;
    }
    done.push(`${name} at ${now}`);
    return name;
  }
  const run = (caller: string, name: string, count: number, ms: number) =>
    work.run(caller, portions(name, count, ms));
  return { work, run, done, pauses };
}

Deno.test("FairWork.run() does short work at once", async () => {
  const { work, run, done, pauses } = workshop();
  const short = [run("a", "a1", 3, 2), run("b", "b1", 3, 2)];
  assert.deepEqual(done, ["a1 at 6", "b1 at 12"]);
  assert.deepEqual(await Promise.all(short), ["a1", "b1"]);
  assert.equal(await work.run("a", atATime(() => 7)), 7);
  assert.deepEqual(pauses, []);
});

Deno.test("FairWork.run() pauses after 20 ms for as long as it has worked, whoever the work was for", async () => {
  const { run, done, pauses } = workshop();
  await run("a", "long", 10, 5);
  assert.deepEqual(pauses, [20, 20]);
  await run("a", "a1", 1, 130);
  await run("b", "b1", 1, 1);
  assert.deepEqual(pauses, [20, 20, 140]);
  assert.deepEqual(done, ["long at 50", "a1 at 180", "b1 at 181"]);
});

Deno.test("FairWork.run() pauses before anything else once a single portion has taken long", async () => {
  let now = 0;
  const done: string[] = [];
  const work = new FairWork({
    clock: () => now,
    share: (workedMs) => {
      done.push(`pause after ${workedMs}`);
      return Promise.resolve();
    },
  });
  const spend = (name: string, ms: number) =>
    atATime(() => {
      now += ms;
      done.push(name);
    });
  await Promise.all([work.run("a", spend("a1", 130)), work.run("b", spend("b1", 1))]);
  assert.deepEqual(done, ["a1", "pause after 130", "b1"]);
});

Deno.test("FairWork.run() does not pause for single short bodies, but does when many wait", async () => {
  const { run, pauses } = workshop();
  for (let n = 0; n < 1000; n++) await run("a", `a${n}`, 1, 0.1);
  assert.deepEqual(pauses, [], "each is done at once, and the thread is free in between");
  const long = run("b", "b1", 2, 15);
  await Promise.all(Array.from({ length: 300 }, (_, n) => run("a", `a${n}`, 1, 0.1)).concat(long));
  assert.deepEqual(pauses.map(Math.round), [30, 20]);
});

Deno.test("FairWork.run() gives each caller an equal share of time, however much others ask for", async () => {
  const { run, done } = workshop();
  const large = Array.from({ length: 10 }, (_, n) => run("a", `a${n}`, 10, 100));
  const small = Array.from({ length: 20 }, (_, n) => run("b", `b${n}`, 1, 10));
  await Promise.all(small);
  assert.equal(done.length, 20, "b took 0.2 seconds, and a at most 0.4");
  assert.ok(Number(done.at(-1)?.split(" ").at(-1)) <= 600, `${done.at(-1)}`);
  await run("c", "c1", 5, 10);
  assert.equal(done.length, 21, "a has not finished its first second");
  await Promise.all(large);
  assert.deepEqual(done.slice(21), Array.from(large, (_, n) => `a${n} at ${n * 1000 + 1250}`));
});

Deno.test("FairWork.run() gives groups equal shares of time, and callers equal shares of their group's", async () => {
  const { run, done } = workshop();
  const flood = Array.from({ length: 10 }, (_, n) => run("g/a", `a${n}`, 10, 10));
  await Promise.all([run("g/b", "b", 5, 10), run("h/a", "c", 9, 10)]);
  assert.deepEqual(done.slice(0, 2).map((one) => one.split(" ")[0]), ["c", "b"], "b shares the time of g");
  await Promise.all(flood);
});

Deno.test("FairWork.run() carries on with other work when some fails", async () => {
  const { work, run, done } = workshop();
  const all = [
    run("a", "a1", 3, 10),
    work.run("a", atATime(() => assert.fail("bad"))),
    run("b", "b1", 1, 1),
  ];
  const outcomes = await Promise.allSettled(all);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.equal(done.length, 2);
});

Deno.test("FairWork.run() goes on after a pause that fails, and others get a turn", async () => {
  await using heard = await listen();
  const failures: readonly (() => Promise<void>)[] = [
    () => Promise.reject(new Error("no thread")),
    () => {
      throw new Error("no thread");
    },
  ];
  for (const share of failures) {
    let now = 0, turns = 0, isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    const work = new FairWork({ clock: () => now, share });
    const long = function* (): Portions<string> {
      for (let i = 0; i < 10; i++) {
        now += 10;
        yield;
      }
      return "done";
    };
    setImmediate(count);
    assert.deepEqual(await Promise.all([work.run("a", long()), work.run("b", long())]), ["done", "done"]);
    assert.equal(await work.run("c", atATime(() => 7)), 7);
    isOver = true;
    assert.ok(turns >= 5, `${turns} turns`);
  }
  assert.match(heard.messages[0] ?? "", /cannot share the thread after long work: no thread/);
});
