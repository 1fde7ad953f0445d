import assert from "node:assert/strict";
import { ErasedUsers } from "../../src/users/erased_users.ts";

/** What the log has after some commits: the newest record of each key. */
function kept(erased: ErasedUsers, onLog: Map<string, Uint8Array>): number {
  const changes = erased.changes();
  for (const { key, value } of changes) onLog.set(key, value);
  return changes.reduce((sum, { value }) => sum + value.length, 0);
}

function restored(onLog: ReadonlyMap<string, Uint8Array>): ErasedUsers {
  const erased = new ErasedUsers();
  for (const [key, value] of onLog) erased.restore(key, value);
  return erased;
}

Deno.test("ErasedUsers forgets none of 2,500, restarted at any time, and writes at most a thousand again", () => {
  let erased = new ErasedUsers();
  const onLog = new Map<string, Uint8Array>();
  for (let n = 0; n < 2500; n++) {
    erased.note(`u${n}`, 1_800_000_000_000 + n);
    if (n % 7 === 0) assert.ok(kept(erased, onLog) < 80_000);
    if (n % 490 === 0) erased = restored(onLog);
  }
  kept(erased, onLog);
  for (const known of [erased, restored(onLog)]) {
    for (let n = 0; n < 2500; n++) {
      assert.ok(known.includes(`u${n}`, 1_800_000_000_000 + n));
      assert.ok(!known.includes(`u${n}`, 1_800_000_000_001 + n), "what is later begins a new life");
    }
    assert.ok(!known.includes("nobody", 0));
  }
  assert.deepEqual([...onLog.keys()].sort(), ["erased", "erased/1", "erased/2"]);
});

Deno.test("ErasedUsers takes over what another one knows, each user once, by the later time", () => {
  const [before, now] = [new ErasedUsers(), new ErasedUsers()];
  for (let n = 0; n < 1200; n++) before.note(`u${n}`, 10);
  now.note("u1", 20);
  now.carry(before);
  const onLog = new Map<string, Uint8Array>();
  kept(now, onLog);
  const again = restored(onLog);
  assert.ok(again.includes("u1", 20) && again.includes("u1199", 10) && !again.includes("u2", 11));
  kept(again, onLog);
  assert.equal(again.changes().length, 0);
});
