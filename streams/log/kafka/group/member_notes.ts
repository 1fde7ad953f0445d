/**
 * Notes of memberships in a folder on this machine. Kafka notices a killed member only when its session is over;
 * processes that share the folder notice at once, and report it.
 *
 * A note is a file with the member's id, locked by its process. The system unlocks it when the process ends, however it
 * ends; a suspended process keeps the lock. Locks do not work on every network file system, so file names contain the
 * host, and notes of other hosts are ignored.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The notes of one group; at most one of them is ours. */
export class MemberNotes {
  readonly #folder: string;
  readonly #prefix: string;
  #note: { readonly file: Deno.FsFile; readonly path: string } | undefined;

  /**
   * @param folder created when it is needed
   * @param host name of the machine or container
   */
  constructor(folder: string, group: string, host = hostName()) {
    this.#folder = folder;
    this.#prefix = `${encodeURIComponent(group)}@${encodeURIComponent(host)}@`;
  }

  /** Registers under this id. */
  async write(memberId: string): Promise<void> {
    this.#note ??= await this.#create();
    const { file } = this.#note;
    await file.truncate();
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(memberId));
  }

  /** Removes our note, after we have left the group. */
  async remove(): Promise<void> {
    const note = this.#note;
    this.#note = undefined;
    if (note === undefined) return;
    await Deno.remove(note.path);
    note.file.close();
  }

  /** Closes our note without removing it, so that others report us: the group does not know yet that we have left. */
  abandon(): void {
    this.#note?.file.close();
    this.#note = undefined;
  }

  /** Calls `tell` for each dead member, then removes its note unless that fails. */
  async bury(tell: (memberId: string) => Promise<void>): Promise<void> {
    for (const name of await this.#names()) {
      const path = join(this.#folder, name);
      if (path === this.#note?.path) continue;
      const file = await Deno.open(path, { read: true, write: true }).catch(notFound);
      if (file === undefined) continue;
      try {
        if (!await file.tryLock(true)) continue;
        const memberId = await Deno.readTextFile(path).catch(notFound);
        // Empty if its owner has only just created it, and is waiting for the lock.
        if (memberId === undefined || memberId === "") continue;
        await tell(memberId);
        await Deno.remove(path);
      } finally {
        file.close();
      }
    }
  }

  async #create(): Promise<{ file: Deno.FsFile; path: string }> {
    await Deno.mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${this.#prefix}${crypto.randomUUID()}`);
    const file = await Deno.open(path, { createNew: true, read: true, write: true });
    await file.lock(true);
    return { file, path };
  }

  async #names(): Promise<string[]> {
    try {
      const entries = await Array.fromAsync(Deno.readDir(this.#folder));
      return entries.map(({ name }) => name).filter((name) => name.startsWith(this.#prefix));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

/** Name of this machine or container; empty if unknown. */
function hostName(): string {
  try {
    return readFileSync("/etc/hostname", "utf8").trim();
  } catch {
    return "";
  }
}

function notFound(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
