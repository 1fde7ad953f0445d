import assert from "node:assert/strict";
import { CommittedState } from "../../streams/log/sqlite/end/committed_state.ts";
import { EndFile, readMemory } from "../../streams/log/sqlite/end/end_file.ts";
import { Syncer } from "../../streams/log/sqlite/end/syncer.ts";

const HEADER_BYTES = 4096;
const SLOT_BYTES = 16 << 10;

function stateOf(end: number): CommittedState {
  const state = new CommittedState();
  state.addTopic({ name: "events", partitions: 1, cleanup: "delete", id: "e" });
  state.setBounds("events", 0, 0, end);
  return state;
}

/** Where the first partition ends in what was acknowledged and confirmed. */
function endsOf(path: string): (string | undefined)[] {
  const memory = readMemory(path);
  if (typeof memory === "string") return [memory];
  return [memory.acknowledged, memory.confirmed].map((one) => one?.state.describeEnds());
}

Deno.test("EndFile keeps the previous state while it writes one, in whatever order they come", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log-end`;
  const file = new EndFile(path, stateOf(0), { boot: 1, windowMs: 1000 });
  for (let n = 1; n < 6; n++) {
    // A busy log notes many ends between two syncs, an idle one just one.
    file.acknowledge(stateOf(2 * n));
    if (n > 3) file.acknowledge(stateOf(2 * n + 1));
    const [acknowledged] = endsOf(path);
    await file.confirm(stateOf(2 * n).bytes);
    assert.deepEqual(endsOf(path), [acknowledged, `${2 * n} of events`]);
    const whole = await Deno.readFile(path);
    for (const pair of [0, 2]) {
      // Tearing either of the two leaves the other, one of which is the newest.
      const left = [0, 1].map((slot) => {
        const torn = Uint8Array.from(whole);
        const at = HEADER_BYTES + (pair + slot) * SLOT_BYTES;
        torn.fill(0xa5, at + 60, at + 70);
        Deno.writeFileSync(path, torn);
        return endsOf(path)[pair / 2];
      });
      assert.ok(!left.includes(undefined), `${n}: ${left}`);
    }
    await Deno.writeFile(path, whole);
  }
  file.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readMemory() takes a file of another format to be damaged", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log-end`;
  new EndFile(path, stateOf(7), { boot: 1, windowMs: 1000 }).close();
  const now = readMemory(path);
  assert.ok(typeof now === "object");
  assert.equal(now.acknowledged?.windowMs, 1000);
  const bytes = await Deno.readFile(path);
  bytes.set(new TextEncoder().encode("mndrend1"));
  await Deno.writeFile(path, bytes);
  assert.equal(readMemory(path), "damaged");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readMemory() returns what is left of a torn file, and `damaged` only when nothing is", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log-end`;
  const file = new EndFile(path, stateOf(3), { boot: 1, windowMs: 1000 });
  file.acknowledge(stateOf(8));
  file.close();
  const whole = await Deno.readFile(path);
  const tear = async (...slots: readonly number[]) => {
    const torn = Uint8Array.from(whole);
    for (const slot of slots) {
      torn.fill(0xa5, HEADER_BYTES + slot * SLOT_BYTES, HEADER_BYTES + slot * SLOT_BYTES + 70);
    }
    await Deno.writeFile(path, torn);
    return endsOf(path);
  };
  assert.deepEqual(await tear(), ["8 of events", "3 of events"]);
  assert.deepEqual(await tear(0, 1), [undefined, "3 of events"]);
  assert.deepEqual(await tear(2, 3), ["8 of events", undefined]);
  assert.deepEqual(await tear(0, 1, 2, 3), ["damaged"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("Syncer asks again when there was no room to record what it has synced", async () => {
  const path = await Deno.makeTempFile();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const alive = setTimeout(reject, 60_000);
  let asked = 0;
  const confirm = () => {
    if (++asked === 3) setTimeout(resolve, 20);
    return Promise.resolve(asked === 3);
  };
  const syncer = new Syncer({ path, periodMs: 0, snapshot: () => new Uint8Array(), confirm, fail: reject });
  syncer.wrote();
  await promise;
  await syncer.close();
  clearTimeout(alive);
  assert.equal(asked, 3);
  await Deno.remove(path);
});

Deno.test("Syncer confirms what is written during a sync by another one, and then is idle", async () => {
  const path = await Deno.makeTempFile();
  const confirmed: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Its own timers do not keep the process alive.
  const alive = setTimeout(reject, 60_000);
  let state = 0;
  const syncer = new Syncer({
    path,
    periodMs: 0,
    snapshot: () => Uint8Array.of(state),
    confirm: ([state = NaN]) => {
      confirmed.push(state);
      if (state === 1) write();
      // While it is idle, it does not sync again, however much time passes.
      else setTimeout(resolve, 20);
      return Promise.resolve(true);
    },
    fail: reject,
  });
  const write = () => {
    state++;
    syncer.wrote();
  };
  write();
  await promise;
  await syncer.close();
  clearTimeout(alive);
  assert.deepEqual(confirmed, [1, 2]);
  await Deno.remove(path);
});
