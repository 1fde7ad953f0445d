/**
 * The thread that moves what is in a write-ahead log to its database, started by `wal_mover.ts`: whoever does that waits
 * for the disk.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import type { WalOrder, WalReport } from "./wal_messages.ts";

/** What a thread sees of whoever started it. */
interface ThreadScope {
  onmessage: (event: MessageEvent<WalOrder>) => void;
  postMessage(report: WalReport): void;
}

const scope = self as unknown as ThreadScope;
let db: DatabaseSync | undefined;
let file: Deno.FsFile | undefined;

scope.onmessage = ({ data }) => {
  try {
    if (data.what === "move") scope.postMessage(move(data.path));
    else {
      if (data.what === "close") db?.close();
      else file?.close();
      scope.postMessage({ pages: 0, reason: null });
    }
  } catch (error) {
    scope.postMessage({ pages: 0, reason: (error as Error).message });
  }
};

/** Moves what nobody reads any more; writers go on meanwhile. */
function move(path: string): WalReport {
  if (db === undefined) {
    db = new DatabaseSync(path);
    db.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = 1; PRAGMA synchronous = NORMAL");
    // Closed when all is over: whoever closes a file frees the locks that its process has on it, SQLite's too.
    file = Deno.openSync(path, { read: true, write: true });
  }
  const { log } = db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get() as { readonly log: number };
  // SQLite leaves it to whoever moves the last page, which is the writer, to wait for the disk.
  file?.syncDataSync();
  return { pages: log, reason: null };
}
