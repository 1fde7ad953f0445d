import assert from "node:assert/strict";
import fc from "fast-check";
import { VersionPace } from "../../streams/learning/version_pace.ts";

const OPTIONS = { publishIntervalMs: 100, snapshotVersions: 4 };

Deno.test("VersionPace.nextForms() has a full snapshot every few versions, and whenever changes were lost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ batches: fc.integer({ min: 1, max: 3 }), lost: fc.boolean() })),
      (turns) => {
        const pace = new VersionPace(OPTIONS, () => 0);
        let sinceFull = 0;
        for (const { batches, lost } of turns) {
          if (lost) pace.needsFull = true;
          for (let n = 0; n < batches; n++) assert.equal(pace.make(), false);
          const kinds = pace.nextForms();
          pace.arrived(kinds.map((kind) => ({ kind, bytes: 1 << 24 })));
          sinceFull++;
          const isPeriodic = sinceFull === OPTIONS.snapshotVersions;
          assert.deepEqual(kinds, lost ? ["full"] : isPeriodic ? ["delta", "full"] : ["delta"]);
          if (lost) sinceFull = 1;
          else if (isPeriodic) sinceFull = 0;
          assert.ok(!pace.isAhead && !pace.needsFull);
        }
      },
    ),
  );
});

Deno.test("VersionPace.nextForms() delays a large full snapshot until deltas weigh as much, across restarts too", () => {
  const bytesOf = { full: 8 << 20, delta: 1 << 20 };
  const run = (restartAt: number) => {
    let pace = new VersionPace(OPTIONS, () => 0);
    pace.needsFull = true;
    const log: ("full" | "delta")[][] = [];
    for (let version = 1; version <= 30; version++) {
      if (version === restartAt) {
        pace = new VersionPace(OPTIONS, () => 0);
        for (const [n, kinds] of log.entries()) {
          for (const kind of kinds) pace.found(n + 1, { kind, bytes: bytesOf[kind] });
        }
        pace.made = version - 1;
      }
      pace.make();
      const kinds = pace.nextForms();
      pace.arrived(kinds.map((kind) => ({ kind, bytes: bytesOf[kind] })));
      log.push([...kinds]);
    }
    return log.flatMap((kinds, n) => kinds.includes("full") ? [n + 1] : []);
  };
  assert.deepEqual(run(0), [1, 10, 19, 28]);
  for (const restartAt of [2, 9, 10, 11, 25]) assert.deepEqual(run(restartAt), [1, 10, 19, 28]);
});

Deno.test("VersionPace.make() tells which versions an earlier life has published, and wants no full one for them", () => {
  const pace = new VersionPace(OPTIONS, () => 0);
  pace.found(1, { kind: "full", bytes: 100 });
  pace.found(2, { kind: "delta", bytes: 10 });
  pace.needsFull = true;
  assert.deepEqual([pace.make(), pace.make(), pace.make()], [true, true, false]);
  assert.equal(pace.published, 2);
  assert.deepEqual(pace.nextForms(), ["delta"]);
});

Deno.test("VersionPace.make() leaves nothing urgent when an earlier life has published the chosen weights", () => {
  const pace = new VersionPace(OPTIONS, () => 0);
  pace.found(1, { kind: "full", bytes: 100 });
  pace.needsFull = pace.isChosen = true;
  assert.equal(pace.make(), true);
  assert.ok(!pace.isChosen && !pace.needsFull);
});

Deno.test("VersionPace.untilDue is the rest of the interval, and 0 in lockstep or for chosen weights", () => {
  let now = 1000;
  const pace = new VersionPace(OPTIONS, () => now);
  pace.publishing = "paced";
  pace.make();
  pace.nextForms();
  pace.arrived([{ kind: "delta", bytes: 10 }]);
  now += 30;
  assert.equal(pace.untilDue, 70);
  pace.isChosen = true;
  assert.equal(pace.untilDue, 0);
  pace.make();
  pace.nextForms();
  assert.equal(pace.untilDue, 70);
  pace.publishing = "each";
  assert.equal(pace.untilDue, 0);
});
