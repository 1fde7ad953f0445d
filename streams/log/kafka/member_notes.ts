/**
 * Notes of memberships in a folder of this machine. Kafka learns of a member that was killed only when its session is
 * over; whoever shares its folder can see at once that it is gone, and tell.
 *
 * A note is a file that holds the member's id and that its process keeps locked. The system unlocks it when the
 * process ends, however it ends; a process that is only stopped keeps it. Locks do not cross every network, so the name
 * of the host is in that of the file, and notes of others are let be.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The notes of one group; at most one of them is ours. */
export class MemberNotes {
  readonly #folder: string;
  readonly #prefix: string;
  #note: { readonly file: Deno.FsFile; readonly path: string } | undefined;

  /**
   * @param folder made when it is needed
   * @param host name of the machine or container
   */
  constructor(folder: string, group: string, host = hostName()) {
    this.#folder = folder;
    this.#prefix = `${encodeURIComponent(group)}@${encodeURIComponent(host)}@`;
  }

  /** Notes that we live under this id. */
  async write(memberId: string): Promise<void> {
    this.#note ??= await this.#create();
    const { file } = this.#note;
    await file.truncate();
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(memberId));
  }

  /** Takes our note away: we have left. */
  async remove(): Promise<void> {
    const note = this.#note;
    this.#note = undefined;
    if (note === undefined) return;
    await Deno.remove(note.path);
    note.file.close();
  }

  /** Closes our note and leaves it: nobody was told that we are gone. */
  abandon(): void {
    this.#note?.file.close();
    this.#note = undefined;
  }

  /** Tells of each member that is dead, and takes its note away unless that fails. */
  async bury(tell: (memberId: string) => Promise<void>): Promise<void> {
    for (const name of await this.#names()) {
      const path = join(this.#folder, name);
      if (path === this.#note?.path) continue;
      const file = await Deno.open(path, { read: true, write: true }).catch(notFound);
      if (file === undefined) continue;
      try {
        if (!await file.tryLock(true)) continue;
        const memberId = await Deno.readTextFile(path).catch(notFound);
        // Nothing in it: its owner has just made it, and waits for the lock.
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

/** Of this machine or container; empty where it is not written down. */
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
