/**
 * A thread that moves nothing, and writes down what it was told.
 *
 * @module
 */

import type { WalOrder, WalReport } from "../../streams/log/sqlite/wal/wal_messages.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<WalOrder>) => void;
  postMessage(report: WalReport): void;
};
scope.onmessage = ({ data: { path, what } }) => {
  Deno.writeTextFileSync(path, `${what}\n`, { append: true });
  scope.postMessage({ pages: 0, reason: what === "move" ? "no room" : null });
};
