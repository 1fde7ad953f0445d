/**
 * Which modules a simulated world replaces, as an import map for the process of the simulation.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

/** Module replaced by one in this folder. */
const REPLACED: Readonly<Record<string, string>> = {
  "node:timers": "shims/node_timers.ts",
  "node:timers/promises": "shims/node_timers_promises.ts",
  "node:sqlite": "shims/node_sqlite.ts",
  "./streams/server/serve.ts": "shims/serve.ts",
  "./streams/http/deadline.ts": "shims/deadline.ts",
  "./streams/log/sqlite/wal/wal_mover.ts": "shims/wal_mover.ts",
  "./streams/log/kafka/protocol/patch.ts": "cluster.ts",
};

/** All imports of the project, with the replacements. */
export function replacements(): Record<string, string> {
  const local = (name: string) => name.startsWith("./") ? new URL(name, ROOT).href : name;
  const imports = Object.entries(manifest.imports).map(([name, target]) => [name, local(target)]);
  const replaced = Object.entries(REPLACED).map(([name, file]) => [
    local(name),
    new URL(file, import.meta.url).href,
  ]);
  return Object.fromEntries([...imports, ...replaced]);
}
