import assert from "node:assert/strict";
import { type FileHandle, open as openNode } from "node:fs/promises";
import fc from "fast-check";
import { mulberry32 } from "../../../src/draws/random.ts";
import { StateStore, type StorePosition } from "../../../streams/task/store/state_store.ts";
import { warnings } from "../../log/warnings.ts";
import { stub } from "../../stub.ts";
import { photograph, withFolder } from "../harness.ts";

const position = (state: number): StorePosition => ({ state, task: 2 * state, lineage: "log" });
const record = (n: number) => new TextEncoder().encode(`record ${n} `.repeat(1 + n % 40));

async function open(folder: string, intervalMs = 0): Promise<StateStore> {
  return await StateStore.open({ folder, intervalMs }) ?? assert.fail("no store");
}

/** What is in a store: users, statistics, and waiting users. */
function contentsOf(store: StateStore): object {
  const users = [...store.ids()].sort().map((id) => [id, new Uint8Array(store.get(id) ?? assert.fail())]);
  assert.equal(store.size, users.length);
  const statistics = Array.from(store.statistics(), ([key, value]) => [key, value.slice()] as const);
  return { users, statistics: statistics.sort(), waiting: [...store.waitingIds()].sort() };
}

/** A commit: a few users change, one waits, one is erased now and then, and the position moves. */
function commit(store: StateStore, n: number): void {
  for (let k = 0; k < 5; k++) store.put(`u${(7 * n + 3 * k) % 41}`, record(n + k), k === 0);
  if (n % 9 === 0) store.delete(`u${n % 41}`);
  store.putStatistic(`item:i${n % 13}`, record(n));
  store.putStatistic("task", record(2 * n));
  store.setPosition(position(n));
}

/** The same commits in memory. */
async function expected(folder: string, commits: number): Promise<object> {
  const store = await open(folder);
  for (let n = 1; n <= commits; n++) commit(store, n);
  const contents = contentsOf(store);
  await store.close();
  return contents;
}

Deno.test("StateStore.open() restores what was there when it was closed", async () => {
  await withFolder(async (folder) => {
    const want = await expected(`${folder}-b`, 300);
    for (let n = 1; n <= 300; n += 50) {
      const store = await open(folder);
      for (let k = n; k < n + 50; k++) commit(store, k);
      await store.close();
    }
    const store = await open(folder);
    assert.deepEqual(contentsOf(store), want);
    assert.deepEqual(store.position, position(300));
    await store.close();
  });
});

Deno.test("StateStore.open() has everything up to its position after a kill at any moment", async () => {
  await withFolder(async (folder) => {
    const random = mulberry32(1);
    let now = 0;
    const options = { intervalMs: 0, now: () => now };
    const store = await StateStore.open({ folder, ...options }) ?? assert.fail("no store");
    for (let n = 1; n <= 200; n++) {
      commit(store, n);
      if (random() < 0.2) await store.sync();
      else store.maintain();
      now += 1_000_000;
      if (n % 10 > 0) continue;
      const copy = `${folder}-${n}`;
      await photograph(folder, copy);
      if (random() < 0.5) await tear(copy, random);
      const restored = await StateStore.open({ folder: copy, ...options }) ?? assert.fail("no store");
      if (random() < 0.5) await restored.sync();
      // What follows the position comes from the log: committing it again must give the same.
      for (let k = (restored.position?.state ?? 0) + 1; k <= n; k++) commit(restored, k);
      assert.deepEqual(contentsOf(restored), contentsOf(store), `after commit ${n}`);
      await restored.close();
    }
    await store.close();
  });
});

/** Appends rubbish to what was synced. */
async function tear(folder: string, random: () => number): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).filter((name) =>
    name.endsWith(".segment")
  ).sort();
  const rubbish = Uint8Array.from({ length: 40 }, () => random() < 0.5 ? 0 : Math.floor(256 * random()));
  await Deno.writeFile(`${folder}/${names.at(-1) ?? "000001.segment"}`, rubbish, {
    append: true,
    create: true,
  });
}

Deno.test("StateStore.open() sets a folder aside when a synced byte has changed or is missing", async () => {
  await withFolder(async (folder) => {
    await expected(folder, 60);
    const [segment] = (await Array.fromAsync(Deno.readDir(folder))).filter(({ name }) =>
      name.endsWith("segment")
    );
    assert.ok(segment);
    const damage = fc.oneof(
      fc.record({ file: fc.constantFrom(segment.name, "manifest"), flip: fc.nat(1e6), bit: fc.nat(7) }),
      fc.record({ file: fc.constantFrom(segment.name), keep: fc.nat(1e6) }),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(damage, async (damage) => {
        const copy = `${folder}-${++run}`;
        await photograph(folder, copy);
        const bytes = await Deno.readFile(`${copy}/${damage.file}`);
        if ("flip" in damage) bytes[damage.flip % bytes.length]! ^= 1 << damage.bit;
        const kept = "keep" in damage ? damage.keep % bytes.length : bytes.length;
        await Deno.writeFile(`${copy}/${damage.file}`, bytes.subarray(0, kept));
        const store = await open(copy);
        assert.deepEqual([store.size, store.position], [0, null]);
        assert.ok((await Deno.stat(`${copy}.aside`)).isDirectory);
        commit(store, 1);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });
});

Deno.test("StateStore.copy() leaves an identical store in place of what was there", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    for (let n = 1; n <= 60; n++) {
      commit(store, n);
      if (n % 20 > 0) continue;
      await store.copy(`${folder}-copy`);
      const copy = await open(`${folder}-copy`);
      assert.deepEqual(contentsOf(copy), contentsOf(store));
      assert.deepEqual(copy.position, position(n));
      await copy.close();
    }
    await store.close();
  });
});

Deno.test("StateStore.sync() removes what was set aside a day ago, and nothing newer", async () => {
  await withFolder(async (folder) => {
    await expected(folder, 3);
    await Deno.writeTextFile(`${folder}/manifest`, "rubbish");
    const store = await open(folder);
    const remains = async (hours: number) => {
      const then = new Date(Date.now() - hours * 3_600_000);
      await Deno.utime(`${folder}.aside`, then, then);
      await store.sync();
      return await Deno.stat(`${folder}.aside`).then(() => true, () => false);
    };
    await store.sync();
    assert.deepEqual([await remains(0), await remains(23), await remains(25)], [true, true, false]);
    await store.close();
  });
});

Deno.test("StateStore.get() throws for a record damaged while the store is open, and close() sets the folder aside", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    for (let n = 1; n <= 40; n++) commit(store, n);
    await store.close();
    const again = await open(folder);
    const files = (await Array.fromAsync(Deno.readDir(folder))).filter(({ name }) =>
      name.endsWith("segment")
    );
    for (const { name } of files) {
      const { size } = await Deno.stat(`${folder}/${name}`);
      await Deno.writeFile(`${folder}/${name}`, new Uint8Array(size).fill(0x55));
    }
    assert.throws(() => again.get("u7"), { name: "LogError", code: "closed" });
    await again.close();
    assert.ok((await Deno.stat(`${folder}.aside`)).isDirectory);
  });
});

Deno.test("StateStore.open() takes another folder while the first is in use, and both are intact", async () => {
  await withFolder(async (folder) => {
    const first = await open(folder);
    const second = await open(folder);
    assert.equal(second.folder, `${folder}.1`);
    commit(first, 1);
    commit(second, 2);
    const want = [first, second].map(contentsOf);
    await Promise.all([first.close(), second.close()]);
    for (const [n, own] of [folder, `${folder}.1`].entries()) {
      const again = await open(own);
      assert.deepEqual([again.folder, again.position, contentsOf(again)], [own, position(n + 1), want[n]]);
      await again.close();
    }
  });
});

Deno.test("StateStore reports a full disk and goes on in memory", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await withFolder(async (folder) => {
    const want = await expected(`${folder}-b`, 100);
    const store = await open(folder);
    await Deno.symlink("/dev/full", `${folder}/000001.segment`);
    for (let n = 1; n <= 100; n++) {
      commit(store, n);
      store.maintain();
      await store.room();
    }
    await store.sync();
    assert.match(store.status.failure ?? "", /ENOSPC|No space/);
    assert.deepEqual(contentsOf(store), want);
    await store.close();
  });
});

Deno.test("StateStore drops replaced records from memory while the disk is full, and loses nothing", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    store.put("first", record(1), false);
    await store.sync();
    const probe = await openNode(`${folder}/probe`, "w");
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const value = new Uint8Array(500_000);
    {
      using _full = stub(handles, "write", () => Promise.reject(new Error("ENOSPC")));
      for (let n = 0; n < 400; n++) {
        value[0] = n;
        store.put(`u${n % 20}`, value, false);
        if (n % 30 === 0) store.delete(`u${(n + 7) % 20}`);
        store.setPosition(position(n));
        if (n % 20 === 19) await store.sync();
      }
      const { unwritten, failure } = store.status;
      assert.equal(failure, "ENOSPC");
      assert.ok(unwritten < 110e6, `${unwritten} bytes in memory, of 200 MB written and 10 MB live`);
    }
    const want = contentsOf(store);
    await store.sync();
    assert.deepEqual([store.status.failure, store.status.unwritten], [null, 0]);
    await photograph(folder, `${folder}-b`);
    await store.close();
    for (const left of [folder, `${folder}-b`]) {
      const again = await open(left);
      assert.deepEqual([contentsOf(again), again.position], [want, position(399)]);
      await again.close();
    }
  });
});

Deno.test("StateStore.close() releases its folder even when a file cannot be closed, and says so", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    commit(store, 1);
    await store.sync();
    const probe = await openNode(`${folder}/probe`, "w");
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const { close } = handles;
    {
      using _failing = stub(handles, "close", async function (this: FileHandle) {
        await close.call(this);
        throw new Error("EDQUOT");
      });
      const said = await warnings(() => store.close());
      assert.equal(said.at(-1), `could not close ${folder}: Error: EDQUOT`);
    }
    const again = await open(folder);
    assert.equal(again.folder, folder);
    await again.close();
  });
});

Deno.test("StateStore does not give damaged bytes a valid checksum when it empties their segment", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    const value = new Uint8Array(1 << 20);
    for (let n = 0; n < 40; n++) store.put(`u${n}`, value, false);
    store.setPosition(position(1));
    await store.sync();
    using file = await Deno.open(`${folder}/000001.segment`, { write: true });
    await file.seek(1000, Deno.SeekMode.Start);
    await file.write(Uint8Array.of(1));
    for (let n = 1; n < 40; n++) store.delete(`u${n}`);
    await store.sync();
    assert.match(store.status.failure ?? "", /checksum/);
    await assert.rejects(store.room(), { name: "LogError", code: "closed" }, "the task has to restart");
    await store.close();
    assert.ok((await Deno.stat(`${folder}.aside`)).isDirectory);
  });
});

Deno.test("StateStore empties segments of which most was replaced, and loses nothing", async () => {
  await withFolder(async (folder) => {
    const store = await open(folder);
    const value = new Uint8Array(20_000);
    for (let n = 0; n < 12_000; n++) {
      value[n % 100] = n;
      store.put(`u${n % 300}`, value, false);
      if (n % 500 === 0) await store.sync();
    }
    await store.sync();
    await store.sync();
    let bytes = 0;
    for await (const { name } of Deno.readDir(folder)) bytes += (await Deno.stat(`${folder}/${name}`)).size;
    assert.ok(bytes < 150e6, `${bytes} bytes of 240 MB written`);
    store.setPosition(position(1));
    const want = contentsOf(store);
    await store.close();
    const again = await open(folder);
    assert.deepEqual(contentsOf(again), want);
    await again.close();
  });
});

/** Whether any file in a folder contains an id. */
async function names(folder: string, id: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(folder)) {
    if (new TextDecoder("latin1").decode(await Deno.readFile(`${folder}/${name}`)).includes(id)) return true;
  }
  return false;
}

Deno.test("StateStore.sync() purges erased users from its files, at most once an hour, also after a crash", async () => {
  await withFolder(async (folder) => {
    let now = 0;
    const options = { intervalMs: 0, now: () => now };
    let store = await StateStore.open({ folder, ...options }) ?? assert.fail("no store");
    const erase = (n: number) => {
      store.put("gone-4711", record(n), false);
      store.putStatistic("retrieval:journal:1", new TextEncoder().encode("gone-4711"));
      commit(store, n);
    };
    const forget = (n: number) => {
      store.delete("gone-4711");
      store.putStatistic("retrieval:journal:1", new Uint8Array(0));
      commit(store, n);
    };
    for (let n = 1; n <= 40; n++) erase(n);
    await store.sync();
    assert.ok(await names(folder, "gone-4711"));
    now += 3_600_000; // earlier commits have erased others
    forget(41);
    await store.sync();
    assert.ok(!await names(folder, "gone-4711"));

    now += 60_000;
    erase(42);
    forget(43);
    await store.sync();
    assert.ok(await names(folder, "gone-4711"), "a minute after the last purge");
    const copy = `${folder}-copy`;
    await photograph(folder, copy);
    now += 3_600_000;
    await store.sync();
    assert.ok(!await names(folder, "gone-4711"), "an hour after it");
    const contents = contentsOf(store);
    await store.close();

    store = await StateStore.open({ folder: copy, ...options }) ?? assert.fail("no store");
    await store.sync();
    assert.ok(!await names(copy, "gone-4711"), "the purge is still due after a crash");
    assert.deepEqual(contentsOf(store), contents);
    await store.close();
    store = await StateStore.open({ folder: copy, ...options }) ?? assert.fail("no store");
    assert.deepEqual(contentsOf(store), contents);
    await store.close();
  });
});

Deno.test("StateStore.delete() of a user who is already gone still rewrites the files that a kill left", async () => {
  await withFolder(async (folder) => {
    const options = { intervalMs: 0, now: () => 0 };
    const store = await StateStore.open({ folder, ...options }) ?? assert.fail("no store");
    store.put("other", record(1), false);
    store.delete("other");
    await store.sync(); // the purge of this hour
    store.put("gone-4711", record(2), false);
    commit(store, 1);
    store.delete("gone-4711");
    await store.sync();
    const copy = `${folder}-copy`;
    await photograph(folder, copy);
    await store.close();
    const again = await StateStore.open({ folder: copy, ...options }) ?? assert.fail("no store");
    assert.deepEqual(again.position, position(1));
    assert.equal(again.get("gone-4711"), null);
    assert.ok(await names(copy, "gone-4711"));
    again.delete("gone-4711"); // as the log does after the position
    again.setPosition(position(2));
    await again.sync();
    assert.ok(!await names(copy, "gone-4711"));
    await again.close();
  });
});
