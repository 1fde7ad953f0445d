/**
 * What it costs and brings that tasks learn from each other: the queries of the next-item protocol (docs/reference/protocols.md),
 * with the users on some partitions. The task of the user is asked; every so many behaviours all tasks commit, and
 * learn what the others have.
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc tests/bench/signals.ts
 * deno run -A --v8-flags=--expose-gc tests/bench/signals.ts --format taobao \
 *   --data ../shared/data/taobao-userbehavior/stream-2017-11-26.csv
 * ```
 *
 * @module
 */

import process from "node:process";
import { Command, Option } from "commander";
import type { ItemRecord } from "../../src/events/event.ts";
import { REPLAY_MAX_JUMP_MS } from "../../src/users/event_clock.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { count, print, runCommand } from "../../scripts/flags/command_line.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openSource } from "../../streams/sources/open.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { FakeServing } from "../engine/fake_serving.ts";

interface Flags {
  readonly data: string;
  readonly format: (typeof DATA_SETS)[number];
  readonly limit?: number;
  readonly commit: number;
}

/** The data sets that it is about. */
const DATA_SETS = ["ml-100k", "taobao"] as const;
const K = 20;

const program = new Command("signals.ts")
  .option("--data <path>", "the data", "../shared/data/ml-100k")
  .addOption(new Option("--format <name>", "its format").choices([...DATA_SETS]).default("ml-100k"))
  .option("--limit <n>", "stop after this many behaviours", count)
  .option("--commit <n>", "behaviours between commits, of all tasks", count, 100);

/** Processor time of the process, microseconds. */
function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Bytes that are in use after a collection, in the heap and in buffers. */
function held(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function main(flags: Flags): Promise<number> {
  const records = await Array.fromAsync(openSource(flags.format, flags.data));
  if (flags.format === "ml-100k") records.sort((a, b) => placeOf(a) - placeOf(b) || a.line - b.line);
  const say = (cells: readonly string[]) =>
    print(Deno.stdout, `${cells.map((cell) => cell.padStart(11)).join("")}\n`);
  say(["tasks", "shared", "HR@20", "MRR@20", "own µs", "others µs", "bytes", "MB a task"]);
  for (const [tasks, shared] of [[1, false], [4, false], [4, true], [8, false], [8, true]] as const) {
    say([`${tasks}`, shared ? "yes" : "no", ...run(records, tasks, shared, flags)]);
  }
  return 0;
}

/** Where the protocol puts a record of MovieLens: items first, then by time and user; the rest by its line. */
function placeOf(record: SourceRecord): number {
  return record.kind === "event" ? record.event.time * 1000 + Number(record.event.user) : 0;
}

/** Runs it on so many tasks; the figures as texts: microseconds and bytes of a signal. */
function run(
  records: readonly SourceRecord[],
  tasks: number,
  shared: boolean,
  { format, limit = Infinity, commit }: Flags,
): string[] {
  const before = held();
  const isMovies = format === "ml-100k";
  const options: TaskOptions = { maxJumpMs: REPLAY_MAX_JUMP_MS, ...PROFILES[format], ranking: "blend" };
  const states = Array.from({ length: tasks }, () => new TaskState(options, new FakeServing()));
  if (shared) { for (const { retrieval } of states) retrieval.state.share(); }
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  const items = new Map<string, ItemRecord>();
  const own = new Map<string, string[]>();
  const spent = { own: 0, others: 0 };
  let [offset, behaviours, bytes, hits, reciprocal, queries] = [0, 0, 0, 0, 0, 0];
  for (const record of records) {
    if (behaviours >= limit) break;
    if (record.kind === "item") items.set(record.item.item, record.item);
    if (record.kind !== "event" || record.event.type !== "interaction") continue;
    const { event } = record;
    const { user, item, time, action, value = 0 } = event;
    const task = states[partitionOf(user, tasks)]!;
    const mine = own.get(user) ?? [];
    own.set(user, mine);
    if (isMovies ? value >= 4 : action === "view" && mine.length > 0) {
      const exclude = isMovies ? mine : [];
      task.apply({ type: "request", user, time, request: `q${offset}`, count: K, exclude }, offset++, out);
      const place = out.recommendations.pop()!.items.findIndex((other) => other.item === item);
      queries++;
      if (place >= 0) hits++;
      if (place >= 0) reciprocal += 1 / (place + 1);
    }
    // An item is in the catalogue, which all tasks read, from its first touch on.
    const listed = items.get(item);
    if (listed !== undefined) { for (const state of states) state.applyItem({ ...listed, time }); }
    items.delete(item);
    mine.push(item);
    const begun = micros();
    task.apply(event, offset++, out);
    spent.own += micros() - begun;
    out.samples.length = 0;
    if (++behaviours % commit > 0) continue;
    const journals = states.map((state) => {
      state.dirtyUsers.clear();
      state.dirtyItems.clear();
      state.numbers.changes();
      return state.retrieval.state.changes().signals;
    });
    const start = micros();
    states.forEach((state, p) =>
      journals.forEach((journal, partition) => {
        if (journal !== null && partition !== p) state.learnOthers({ partition, journal, next: offset });
      })
    );
    spent.others += micros() - start;
    for (const journal of journals) bytes += journal?.length ?? 0;
  }
  const memory = held() - before;
  // Each behaviour is a signal, and most are a positive beside it.
  const learnt = states.reduce((sum, { retrieval }) => sum + retrieval.state.signals, 0) - behaviours;
  return [
    (hits / queries).toFixed(4),
    (reciprocal / queries).toFixed(4),
    (spent.own / behaviours).toFixed(1),
    learnt > 0 ? (spent.others / learnt).toFixed(1) : "-",
    learnt > 0 ? (bytes / behaviours).toFixed(0) : "-",
    (memory / tasks / 1e6).toFixed(1),
  ];
}

program.parse(Deno.args, { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
