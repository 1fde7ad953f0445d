/** The log in memory as a kind, for commands whose records need not outlive them. */

import { type LogKind, NO_NEEDS } from "../kind.ts";
import { MemoryLog } from "../memory_log.ts";

export const MEMORY_KIND: LogKind = {
  kind: "memory",
  section: null,
  options: {},
  places: {},
  flags: {},
  capabilities: {
    indexesKeys: true,
    canErase: true,
    isShared: false,
    hasRetention: false,
    canVerify: false,
    isDurable: false,
  },
  partitions: 1,
  answerIntervalMs: 0,
  fileOf: () => null,
  placeOf: () => "memory",
  needsOf: () => NO_NEEDS,
  resolve: () => Promise.resolve({}),
  open: () => Promise.resolve(new MemoryLog()),
};
