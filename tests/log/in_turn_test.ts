import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { InTurn } from "../../streams/log/in_turn.ts";

Deno.test("InTurn runs pieces alone or beside others, in the order of the calls, also after one that fails", async () => {
  const pieces = fc.array(
    fc.record({ isAlone: fc.boolean(), turns: fc.nat(4), fails: fc.boolean(), pause: fc.nat(2) }),
    { minLength: 1, maxLength: 20 },
  );
  await fc.assert(fc.asyncProperty(pieces, async (pieces) => {
    const inTurn = new InTurn();
    const begun: number[] = [], running = new Set<number>();
    const all = [];
    for (const [n, { isAlone, turns, fails, pause }] of pieces.entries()) {
      const work = async () => {
        begun.push(n);
        for (const other of running) assert.ok(!isAlone && !pieces[other]!.isAlone, `${n} beside ${other}`);
        running.add(n);
        for (let left = turns; left > 0; left--) await setImmediate();
        running.delete(n);
        if (fails) throw new RangeError(`${n}`);
        return n;
      };
      all.push(isAlone ? inTurn.run(work) : inTurn.beside(work));
      for (let left = pause; left > 0; left--) await setImmediate();
    }
    const results = await Promise.allSettled(all);
    assert.deepEqual(
      results.map((one) => one.status === "fulfilled" ? one.value : one.reason.message),
      pieces.map(({ fails }, n) => fails ? `${n}` : n),
    );
    assert.deepEqual(begun, [...pieces.keys()]);
  }));
});

Deno.test("InTurn.beside() waits for no other of its kind", async () => {
  const inTurn = new InTurn();
  const [first, alone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waits = inTurn.beside(() => first.promise);
  await inTurn.beside(() => Promise.resolve());
  const held = inTurn.run(() => alone.promise);
  first.resolve();
  await waits;
  alone.resolve();
  await held;
});

Deno.test("InTurn.beside() keeps nothing of pieces that have ended", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const inTurn = new InTurn();
  const heapAfter = async (pieces: number) => {
    for (let left = pieces; left > 0; left--) await inTurn.beside(() => Promise.resolve());
    collect();
    return Deno.memoryUsage().heapUsed;
  };
  const before = await heapAfter(1000);
  const grown = await heapAfter(100_000) - before;
  assert.ok(grown < 2 << 20, `${grown} bytes`); // one reference each would be 0.8 MB, an array each 6
});
