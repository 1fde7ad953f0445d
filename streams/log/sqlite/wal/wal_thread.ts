/** The thread that moves a write-ahead log into its database; started by `wal_mover.ts`. */

import { DatabaseSync } from "node:sqlite";
import { reasonOf } from "../../../../src/values/reason.ts";
import { isNoRoom } from "../end/no_room.ts";
import type { WalOrder, WalReport } from "./wal_messages.ts";

/** The thread's side of its channel. */
interface ThreadScope {
  onmessage: (event: MessageEvent<WalOrder>) => void;
  postMessage(report: WalReport): void;
}

const scope = self as unknown as ThreadScope; // the library types `self` as a window's
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
    scope.postMessage({ pages: 0, reason: reasonOf(error), noRoom: isNoRoom(error) });
  }
};

/** Moves pages that no reader needs; writers continue meanwhile. */
function move(path: string): WalReport {
  if (db === undefined) {
    db = new DatabaseSync(path);
    db.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = 1; PRAGMA synchronous = NORMAL");
    // Closed at the very end: closing a file frees all locks of the process on it, SQLite's too.
    file = Deno.openSync(path, { read: true, write: true });
  }
  const { log } = db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get() as { readonly log: number }; // its columns
  // In SQLite, the connection that moves the last page waits for the disk: that would be the writer.
  file?.syncDataSync();
  return { pages: log, reason: null };
}
