/**
 * A process that writes to a SQLite log until it is killed, run by `sqlite_log_test.ts`. Commit n appends the
 * texts `n.0`, `n.1`, `n.2` to partition 0 of `out`, `n` to partition 1, and stores n + 1 as the group's
 * position; then it prints n.
 *
 * Arguments: path, durability, and the number of the step of a commit at which it kills itself (none: never).
 *
 * @module
 */

import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";

const [path = "", durability, killAt] = Deno.args;
let steps = Infinity;
await using log = await SqliteLog.open(path, {
  durability: durability === "power" ? "power" : "process",
  onStep: () => {
    if (steps-- === 0) Deno.kill(Deno.pid, "SIGKILL");
  },
});
await log.createTopics([{ name: "out", partitions: 2, cleanup: "delete" }]);
await using writer = await log.writer("writer");
const encoder = new TextEncoder();
for (let n = 0;; n++) {
  if (n === 3 && killAt !== undefined) steps = Number(killAt);
  const record = (partition: number, text: string) => ({
    topic: "out",
    partition,
    key: null,
    value: encoder.encode(text),
    time: n,
  });
  await writer.commit({
    records: [record(0, `${n}.0`), record(0, `${n}.1`), record(1, `${n}`), record(0, `${n}.2`)],
    group: "group",
    offsets: [{ topic: "out", partition: 0, offset: n + 1 }],
  });
  await Deno.stdout.write(encoder.encode(`${n}\n`));
  if (n === 3 && killAt !== undefined) break;
}
