/**
 * The files under a {@linkcode RecordStore}.
 *
 * ```text
 * <folder>/lock                one process at a time; the kernel releases it when the process dies
 *          000001.segment ...  entries, see segment.ts
 *          manifest            crc32 of what follows, JSON: format, bytes of each segment that are safe on disk
 * ```
 *
 * Entries are written in the background, in order, and synced together at an interval; then a new manifest replaces the
 * last (temporary file, sync, rename), and emptied segments are removed. So after a crash everything that the manifest
 * names must be intact: if it is not, the disk has lied and the store is damaged. Later entries are used up to the
 * first one that is not intact.
 */

import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { getLogger } from "@logtape/logtape";
import { RecordStore } from "./record_store.ts";
import { DamagedEntry, type Segment } from "./segment.ts";

const logger = getLogger(["meander", "snapshot"]);

/** A store that must not be used. */
export class DamagedStore extends Error {
  override name = "DamagedStore";
}

const FORMAT = 1;
const SEGMENT_BYTES = 32 << 20;
const CHUNK_BYTES = 256 << 10;
/** Bytes to read at a time. */
const SLICE_BYTES = 4 << 20;
/** Share of dead bytes above which a segment is emptied. */
const MAX_DEAD = 0.5;
/** Bytes to move at a time, which takes a few milliseconds. */
const MOVE_BYTES = 256 << 10;
const SEGMENT_NAME = /^(\d+)\.segment$/;

interface Manifest {
  readonly format: number;
  readonly segments: Readonly<Record<string, number>>;
}

/** Keeps the entries of a store in a folder. */
export class StoreFiles {
  readonly store: RecordStore;
  readonly folder: string;
  readonly #lock: Deno.FsFile;
  readonly #handles = new Map<number, FileHandle>();
  /** Segments that were emptied, but that the manifest may still name. */
  #emptied: Segment[] = [];
  /** Segments written to since the last sync. */
  readonly #unsynced = new Set<number>();
  #scratch = new Uint8Array(4096);

  private constructor(folder: string, lock: Deno.FsFile) {
    this.folder = folder;
    this.#lock = lock;
    this.store = new RecordStore({
      segmentBytes: SEGMENT_BYTES,
      chunkBytes: CHUNK_BYTES,
      read: (segment, offset, length) => this.#read(segment, offset, length),
    });
  }

  /**
   * Opens or creates the folder and reads everything in it. A damaged folder is set aside and replaced.
   *
   * @param onProgress receives the bytes that were read, and their total
   * @returns `null` when another process, or another task of this process, has it open.
   */
  static async open(
    folder: string,
    onProgress: (bytes: number, of: number) => void = () => {},
  ): Promise<StoreFiles | null> {
    for (;;) {
      await Deno.mkdir(folder, { recursive: true });
      const lock = await Deno.open(`${folder}/lock`, { create: true, write: true });
      if (!await lock.tryLock(true)) {
        lock.close();
        return null;
      }
      const files = new StoreFiles(folder, lock);
      try {
        // If not, another process has just set aside the folder whose lock we got.
        if (await files.#isInPlace()) {
          await files.#load(onProgress);
          return files;
        }
      } catch (error) {
        if (!(error instanceof DamagedStore)) {
          await files.close();
          throw error;
        }
        await files.setAside(error.message).catch(async (failure) => {
          await files.close();
          throw failure;
        });
      }
      await files.close();
    }
  }

  /** Bytes that are only in memory. */
  get unwritten(): number {
    let bytes = 0;
    for (const { length, written } of this.store.segments.values()) bytes += length - written;
    return bytes;
  }

  /** Writes what is only in memory. */
  async write(): Promise<void> {
    for (const segment of [...this.store.segments.values()]) {
      for (let bytes = segment.unwritten(); bytes !== null; bytes = segment.unwritten()) {
        const handle = await this.#handle(segment.id);
        // A crash must not lose the end of one segment but keep the next one, which would look intact.
        if (!this.#unsynced.has(segment.id)) await this.#syncWritten();
        this.#unsynced.add(segment.id);
        const { bytesWritten } = await handle.write(bytes, 0, bytes.length, segment.written);
        segment.wrote(bytesWritten, segment !== this.store.active);
      }
      segment.wrote(0, segment !== this.store.active);
    }
  }

  /** Writes what is only in memory and syncs everything to disk. */
  async sync(): Promise<void> {
    await this.write();
    const segments = Object.fromEntries(
      [...this.store.segments.values()].map(({ id, written }) => [id, written]),
    );
    const emptied = this.#emptied;
    await this.#syncWritten();
    await this.#writeManifest({ format: FORMAT, segments });
    for (const { id } of emptied) {
      await this.#closeHandle(id);
      await removed(this.#path(id)); // an earlier sync may have removed it, and failed with the next one
    }
    this.#emptied = this.#emptied.filter((segment) => !emptied.includes(segment));
    this.store.hasDroppedFiles = this.#emptied.length > 0;
  }

  async #syncWritten(): Promise<void> {
    if (this.#unsynced.size === 0) return;
    for (const id of this.#unsynced) await this.#handles.get(id)?.datasync();
    await this.#syncFolder();
    this.#unsynced.clear();
  }

  /** Empties stale segments, and then those with the most dead bytes while there are too many. */
  async compact(): Promise<void> {
    if (this.store.stale !== undefined) await this.write();
    const next = () => this.store.stale ?? this.store.victim(MAX_DEAD);
    for (let victim = next(); victim; victim = next()) {
      if (victim.written < victim.length) return;
      const bytes = new Uint8Array(victim.length);
      const handle = await this.#handle(victim.id);
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
        if (bytesRead === 0) throw new DamagedStore(`${this.#path(victim.id)} has become shorter`);
        at += bytesRead;
      }
      await this.#empty(victim, bytes);
      await this.write();
    }
  }

  /**
   * Empties segments that are only in memory and mostly dead, so that memory stays bounded while the disk accepts no
   * writes.
   */
  async shrink(): Promise<void> {
    for (const segment of [...this.store.segments.values()]) {
      const { written, dead, length } = segment;
      if (segment === this.store.active || written > 0 || dead <= MAX_DEAD * length) continue;
      await this.#empty(segment, segment.whole());
    }
  }

  async #empty(segment: Segment, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at = this.store.relocate(segment, bytes, at, at + MOVE_BYTES);
      await turn();
    }
    this.store.drop(segment);
    if (this.#handles.has(segment.id)) this.#emptied.push(segment); // otherwise there is no file
    this.store.hasDroppedFiles = this.#emptied.length > 0;
  }

  /** Copies what is on disk. @param to an unused folder, which is replaced */
  async copy(to: string): Promise<void> {
    const half = `${to}.half`;
    for (const folder of [half, to]) await removed(folder);
    await Deno.mkdir(half, { recursive: true });
    for (const { id, written } of this.store.segments.values()) {
      const path = this.#path(id);
      if (written > 0) await Deno.copyFile(path, half + path.slice(this.folder.length));
    }
    await Deno.copyFile(`${this.folder}/manifest`, `${half}/manifest`);
    await Deno.rename(half, to);
  }

  /** Renames the folder to `<folder>.aside`. Keeps the lock until this is closed. */
  async setAside(reason: string): Promise<void> {
    const folder = this.folder;
    const aside = `${folder}.aside`;
    logger.warn("renames the snapshot in {folder} to {aside}, and rebuilds it from the log: {reason}", {
      folder,
      aside,
      reason,
    });
    await removed(aside);
    await Deno.rename(folder, aside);
    await Deno.utime(aside, new Date(), new Date());
  }

  /**
   * Removes a folder set aside before a time, milliseconds since the epoch: it may hold users who were erased later.
   */
  async dropAside(before: number): Promise<void> {
    const aside = `${this.folder}.aside`;
    try {
      const { mtime } = await Deno.stat(aside);
      if (mtime !== null && mtime.getTime() < before) await Deno.remove(aside, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async close(): Promise<void> {
    const closed = await Promise.allSettled([...this.#handles.keys()].map((id) => this.#closeHandle(id)));
    this.#lock.close();
    for (const outcome of closed) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Whether our lock is still the one in the folder. */
  async #isInPlace(): Promise<boolean> {
    const ours = await this.#lock.stat();
    const there = await Deno.stat(`${this.folder}/lock`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    return there?.ino === ours.ino && there?.dev === ours.dev;
  }

  #path(id: number): string {
    return `${this.folder}/${String(id).padStart(6, "0")}.segment`;
  }

  async #handle(id: number): Promise<FileHandle> {
    const known = this.#handles.get(id);
    if (known !== undefined) return known;
    const handle = await open(this.#path(id), "w+");
    this.#handles.set(id, handle);
    return handle;
  }

  async #closeHandle(id: number): Promise<void> {
    const handle = this.#handles.get(id);
    this.#handles.delete(id);
    await handle?.close();
  }

  #read(segment: Segment, offset: number, length: number): Uint8Array {
    const handle = this.#handles.get(segment.id);
    if (handle === undefined) throw new DamagedEntry(`segment ${segment.id} has no file`);
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(2 * length);
    const got = readSync(handle.fd, this.#scratch, 0, length, offset);
    if (got < length) throw new DamagedEntry(`segment ${segment.id} ends before ${offset + length}`);
    return this.#scratch.subarray(0, length);
  }

  async #load(onProgress: (bytes: number, of: number) => void): Promise<void> {
    const manifest = await this.#readManifest();
    const safe = new Map(Object.entries(manifest.segments).map(([id, bytes]) => [Number(id), bytes]));
    const last = Math.max(0, ...safe.keys());
    const sizes = new Map<number, number>();
    for await (const { name } of Deno.readDir(this.folder)) {
      const id = Number(SEGMENT_NAME.exec(name)?.[1] ?? NaN);
      if (Number.isNaN(id)) continue;
      if (id <= last && !safe.has(id)) await Deno.remove(`${this.folder}/${name}`); // emptied
      else sizes.set(id, (await Deno.stat(`${this.folder}/${name}`)).size);
    }
    for (const [id, bytes] of safe) {
      const size = sizes.get(id) ?? 0;
      if (size < bytes) {
        throw new DamagedStore(`${this.#path(id)} has ${size} bytes, but ${bytes} had been synced`);
      }
    }
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    let read = 0;
    let torn = false;
    const ids = [...sizes.keys()].sort((a, b) => a - b);
    for (const id of ids) {
      if (torn) {
        if (safe.has(id)) throw new DamagedStore(`${this.#path(id)} is behind an entry that is not intact`);
        await Deno.remove(this.#path(id));
        continue;
      }
      torn = await this.#loadSegment(id, safe.get(id) ?? 0, (bytes) => onProgress(read += bytes, total));
    }
    this.store.seal(Math.max(last, ...ids, 0) + 1);
  }

  /** Loads a segment. @returns Whether it ends within an entry */
  async #loadSegment(id: number, safe: number, onRead: (bytes: number) => void): Promise<boolean> {
    const handle = await open(this.#path(id), "r+");
    this.#handles.set(id, handle);
    const segment = this.store.newSegment(id);
    let bytes = new Uint8Array(SLICE_BYTES);
    let carried = 0;
    let position = 0;
    try {
      for (;;) {
        const { bytesRead } = await handle.read(bytes, carried, bytes.length - carried, position);
        onRead(bytesRead);
        position += bytesRead;
        const filled = carried + bytesRead;
        const used = this.store.load(segment, bytes.subarray(0, filled));
        carried = filled - used;
        if (bytesRead === 0) break;
        bytes.copyWithin(0, used, filled);
        if (carried === bytes.length) {
          const larger = new Uint8Array(2 * bytes.length);
          larger.set(bytes);
          bytes = larger;
        }
      }
    } catch (error) {
      if (!(error instanceof DamagedEntry)) throw error;
      if (segment.length < safe) {
        throw new DamagedStore(`${this.#path(id)}: ${error.message}`, { cause: error });
      }
      carried = 1;
    }
    if (segment.length < safe) {
      throw new DamagedStore(`${this.#path(id)} ends within an entry at ${segment.length}`);
    }
    if (carried > 0) await handle.truncate(segment.length);
    return carried > 0;
  }

  async #readManifest(): Promise<Manifest> {
    const path = `${this.folder}/manifest`;
    let text: string;
    try {
      text = await Deno.readTextFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { format: FORMAT, segments: {} };
      throw error;
    }
    const [sum, json = ""] = text.split("\n");
    if (sum !== crc32(json).toString(16)) throw new DamagedStore(`the checksum of ${path} is wrong`);
    const manifest = JSON.parse(json) as Manifest; // written by us, as its checksum is right
    if (manifest.format !== FORMAT) {
      throw new DamagedStore(`the format of ${path} is ${manifest.format}, this release reads ${FORMAT}`);
    }
    return manifest;
  }

  async #writeManifest(manifest: Manifest): Promise<void> {
    const json = JSON.stringify(manifest);
    const path = `${this.folder}/manifest`;
    const file = await open(`${path}.new`, "w");
    try {
      await file.writeFile(`${crc32(json).toString(16)}\n${json}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await Deno.rename(`${path}.new`, path);
    await this.#syncFolder();
  }

  /** Syncs the names of new files. */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function removed(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
