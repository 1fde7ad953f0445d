import assert from "node:assert/strict";
import { type FileHandle, open as openNode } from "node:fs/promises";
import { StoreFiles } from "../../../streams/task/store/store_files.ts";
import { stub } from "../../stub.ts";
import { withFolder } from "../harness.ts";

const open = async (folder: string) => await StoreFiles.open(folder) ?? assert.fail("in use");

/** Leaves a store with a record in a folder. */
async function fill(folder: string): Promise<void> {
  const files = await open(folder);
  files.store.put("k", new Uint8Array(100));
  await files.sync();
  await files.close();
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("StoreFiles.open() sets a damaged folder aside while nobody else can open it", async () => {
  await withFolder(async (folder) => {
    await fill(folder);
    await Deno.truncate(`${folder}/000001.segment`, 10);
    const { rename } = Deno;
    let others: (StoreFiles | null)[] = [];
    using _stub = stub(Deno, "rename", async (from, to) => {
      if (from === folder) others = [...others, await StoreFiles.open(folder)];
      await rename(from, to);
    });
    const files = await open(folder);
    assert.deepEqual(others, [null]);
    assert.equal(files.store.size, 0);
    await files.close();
  });
});

Deno.test("StoreFiles.open() does not use a folder that another process set aside before it was locked", async () => {
  await withFolder(async (folder) => {
    await fill(folder);
    const { open: openFile } = Deno;
    let moved = false;
    using _stub = stub(Deno, "open", async (path, options) => {
      const file = await openFile(path, options);
      if (!moved) {
        moved = true;
        await Deno.rename(folder, `${folder}.aside`);
      }
      return file;
    });
    const files = await open(folder);
    files.store.put("l", new Uint8Array(100));
    await files.sync();
    assert.equal(await StoreFiles.open(folder), null, "locked");
    await files.close();
    assert.equal(files.store.get("k"), null);
    assert.ok(await exists(`${folder}/manifest`) && await exists(`${folder}.aside/manifest`));
  });
});

Deno.test("StoreFiles.write() begins a segment only when those before it are synced", async () => {
  await withFolder(async (folder) => {
    const files = await open(folder);
    const probe = await openNode(`${folder}/probe`, "w");
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    /** By file descriptor, in the order in which they were first written to. */
    const unsynced = new Map<number, boolean>();
    const { write, datasync } = handles;
    using _write = stub(handles, "write", function (this: FileHandle, ...args: unknown[]) {
      const others = [...unsynced].filter(([fd, is]) => is && fd !== this.fd);
      assert.deepEqual(others, [], "one segment at a time");
      unsynced.set(this.fd, true);
      return Reflect.apply(write, this, args);
    });
    using _datasync = stub(handles, "datasync", function (this: FileHandle) {
      unsynced.set(this.fd, false);
      return datasync.call(this);
    });
    for (let n = 0; n < 80; n++) files.store.put(`k${n}`, new Uint8Array(1 << 20));
    await files.write();
    assert.equal(unsynced.size, 3);
    await files.close();
  });
});

Deno.test("StoreFiles.open() uses nothing after a damaged entry", async () => {
  for (const lost of ["a byte", "the end"]) {
    await withFolder(async (folder) => {
      const files = await open(folder);
      for (const key of ["a", "b", "c"]) {
        files.store.put(key, new Uint8Array(100));
        files.store.seal();
      }
      await files.write();
      await files.close();
      const second = `${folder}/000002.segment`;
      const bytes = await Deno.readFile(second);
      if (lost === "a byte") bytes[bytes.length - 1]! ^= 1;
      await Deno.writeFile(second, lost === "the end" ? bytes.subarray(0, 1) : bytes);
      const again = await open(folder);
      assert.deepEqual([...again.store.keys()], ["a"], lost);
      await again.close();
    });
  }
});

Deno.test("StoreFiles.open() keeps what is written after a torn end, and sets the folder aside if that tear returns", async () => {
  await withFolder(async (folder) => {
    const first = `${folder}/000001.segment`;
    const tear = () => Deno.writeFile(first, Uint8Array.of(1), { append: true });
    await fill(folder);
    await tear();
    const files = await open(folder);
    files.store.put("l", new Uint8Array(100));
    await files.sync();
    await files.close();
    const again = await open(folder);
    assert.deepEqual([...again.store.keys()].sort(), ["k", "l"]);
    await again.close();
    await tear(); // as if the disk had lost the truncation
    const empty = await open(folder);
    assert.equal(empty.store.size, 0);
    assert.ok(await exists(`${folder}.aside/000002.segment`));
    await empty.close();
  });
});

Deno.test("StoreFiles.shrink() keeps the deletion of a record whose file is read again after a kill", async () => {
  await withFolder(async (folder) => {
    const files = await open(folder);
    const { store } = files;
    store.put("k", new Uint8Array(100));
    store.put("j", new Uint8Array(20_000));
    await files.sync();
    store.seal();
    store.put("j", new Uint8Array(10));
    store.delete("k");
    store.put("f", new Uint8Array(5000));
    {
      const probe = await openNode(`${folder}/probe`, "w");
      const handles = Object.getPrototypeOf(probe) as FileHandle;
      await probe.close();
      using _full = stub(handles, "write", () => Promise.reject(new Error("no space left")));
      await assert.rejects(files.compact(), /no space/);
      store.seal();
      store.put("f", new Uint8Array(5000));
      await files.shrink();
    }
    await files.write();
    await files.close();
    const again = await open(folder);
    assert.deepEqual([...again.store.keys()].sort(), ["f", "j"]);
    await again.close();
  });
});

Deno.test("StoreFiles.sync() recovers after a file could not be removed", async () => {
  await withFolder(async (folder) => {
    const files = await open(folder);
    for (const key of ["a", "b"]) {
      files.store.put(key, new Uint8Array(100));
      files.store.seal();
    }
    await files.sync();
    files.store.purge();
    await files.compact();
    const { remove } = Deno;
    let refused = 0;
    {
      using _stub = stub(Deno, "remove", async (path, options) => {
        if (`${path}`.endsWith("000002.segment") && refused++ === 0) throw new Error("busy");
        await remove(path, options);
      });
      await assert.rejects(files.sync(), /busy/);
      await files.sync();
    }
    assert.ok(!await exists(`${folder}/000001.segment`) && !await exists(`${folder}/000002.segment`));
    await files.close();
    const again = await open(folder);
    assert.deepEqual([...again.store.keys()].sort(), ["a", "b"]);
    await again.close();
  });
});
