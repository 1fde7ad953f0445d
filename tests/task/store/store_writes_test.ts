import assert from "node:assert/strict";
import { StoreWrites, type WrittenFiles } from "../../../streams/task/store/store_writes.ts";

const MIB = 1 << 20;

/** A disk whose clock is set by hand, and what was done to it. */
class Disk implements WrittenFiles {
  readonly folder = "store";
  readonly done: string[] = [];
  readonly store = { purge: () => this.#do("purge") };
  now = 0;
  unwritten = 0;
  isFull = false;

  readonly write = () => this.#written("write");
  readonly sync = () => this.#written("sync");
  readonly compact = () => Promise.resolve();
  readonly dropAside = () => Promise.resolve();
  readonly shrink = () => Promise.resolve(this.#do("shrink"));

  /** What `act` did. */
  async doneBy(act: () => unknown): Promise<string[]> {
    await act();
    for (let n = 0; n < 20; n++) await Promise.resolve();
    return this.done.splice(0);
  }

  #do(what: string): void {
    this.done.push(what);
  }

  #written(what: string): Promise<void> {
    this.#do(what);
    if (this.isFull) return Promise.reject(new Error("no space left"));
    this.unwritten = 0;
    return Promise.resolve();
  }
}

function writesTo(disk: Disk): StoreWrites {
  return new StoreWrites(disk, { intervalMs: 10_000, now: () => disk.now, wallClock: () => disk.now });
}

Deno.test("StoreWrites.maintain() writes at a MiB, anything after a second, and syncs at intervals", async () => {
  const disk = new Disk(), writes = writesTo(disk);
  const at = async (now: number, unwritten: number) => {
    disk.now = now;
    disk.unwritten = unwritten;
    return await disk.doneBy(() => writes.maintain());
  };
  assert.deepEqual(await at(999, MIB - 1), []);
  assert.deepEqual(await at(999, MIB), ["write"]);
  assert.deepEqual(await at(1998, 1), []);
  assert.deepEqual(await at(1999, 1), ["write"]);
  assert.deepEqual(await at(9_999, MIB), ["write"]);
  assert.deepEqual(await at(10_000, 0), ["sync"]);
  assert.deepEqual(await at(10_999, 0), []);
});

Deno.test("StoreWrites waits 5 s after a failure, lets a full disk block nobody, and keeps less in memory", async () => {
  const disk = new Disk(), writes = writesTo(disk);
  disk.isFull = true;
  disk.unwritten = 33 * MIB;
  assert.deepEqual(await disk.doneBy(() => writes.room()), ["write", "shrink"]);
  assert.equal(writes.failure, "no space left");
  assert.deepEqual(await disk.doneBy(() => writes.room()), [], "nobody waits for a disk that is full");
  disk.now = 4_999;
  assert.deepEqual(await disk.doneBy(() => writes.maintain()), []);
  disk.now = 5_000;
  disk.isFull = false;
  assert.deepEqual(await disk.doneBy(() => writes.maintain()), ["write"]);
  assert.equal(writes.failure, null);
});

Deno.test("StoreWrites purges with a sync, at most once an hour, and never with the last one", async () => {
  const disk = new Disk(), writes = writesTo(disk);
  writes.isPurgeDue = true;
  assert.deepEqual(await disk.doneBy(() => writes.sync()), ["purge", "sync"]);
  writes.isPurgeDue = true;
  disk.now = 3_599_999;
  assert.deepEqual(await disk.doneBy(() => writes.sync()), ["sync"]);
  disk.now = 3_600_000;
  assert.deepEqual(await disk.doneBy(() => writes.finish()), ["sync"]);
  assert.equal(writes.isPurgeDue, true);
  assert.deepEqual(await disk.doneBy(() => writes.sync()), ["purge", "sync"]);
  writes.damage = "a segment is damaged";
  assert.deepEqual(await disk.doneBy(() => writes.finish()), []);
});
