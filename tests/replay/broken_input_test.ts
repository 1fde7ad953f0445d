import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Rejection } from "../../src/events/rejection.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { replay } from "../../streams/replay/replay.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { BREAKS, seeded } from "../events/broken_lines.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { smallReplay } from "./harness.ts";
import { breadth } from "../breadth.ts";

const LINES = breadth(20_000, 50_000);
const USERS = 500;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

Deno.test("replay() of many lines, a tenth of them broken, rejects exactly those, in constant memory", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/events.jsonl`;
  const broken = await writeLines(file);
  assert.ok(new Set(broken.values()).size > 20, "kinds of broken lines");
  assert.ok(Math.abs(broken.size - LINES / 10) < LINES / 100, `${broken.size} broken lines`);

  const options = smallReplay("base", { retain: false, roundEvents: 1024 });
  /** Bytes alive after a round of the first and of the last quarter of the file. */
  const alive: number[] = [];
  await using log = new CollectingLog();
  const { rejections, task, events } = await replay(log, openSource("meander", file), {
    ...options,
    learning: { ...options.learning, batchRows: 256, checkpointBatches: 50 },
    onRound: (view) => {
      if (view.events < ([0.25, 0.85][alive.length] ?? Infinity) * LINES) return;
      collectGarbage();
      collectGarbage(); // frees the buffers that the first one released
      const { heapUsed, external } = Deno.memoryUsage();
      alive.push(heapUsed + external);
    },
  });

  assert.equal(events, LINES - broken.size);
  assert.equal(task.counters.events, LINES - broken.size);
  assert.deepEqual(log.refused, broken, "line by line, code by code");
  assert.equal(rejections.count, broken.size);
  assert.ok(rejections.groups.every(({ examples }) => examples.length > 0 && examples.length <= 3));

  // The file is 7 MB. If its events, rejections or states were kept, the difference would be above 20 MB. What may
  // grow: ten figures for each of the few batches learnt, 14 bytes per judged row, and what this test collects; the log
  // holds between one batch of the feeder and two.
  const [early = 0, late = Infinity] = alive;
  assert.ok(late < early + 12e6, `${early} bytes at a quarter, ${late} at the end`);
});

/** Writes the file. @returns the code with which each broken line must be rejected, by line */
async function writeLines(path: string): Promise<Map<number, string>> {
  const random = seeded(21);
  const below = (n: number) => Math.floor(random() * n);
  const small = BREAKS.filter(({ name }) => !/1 Mi?B|deep/.test(name));
  const broken = new Map<number, string>();
  using file = await Deno.open(path, { write: true, create: true });
  const encoder = new TextEncoder();
  const writer = file.writable.getWriter();
  let part: Uint8Array[] = [];
  for (let line = 1; line <= LINES; line++) {
    if (line > 1 && random() < 0.1) {
      const way = BREAKS[broken.size] ?? small[below(small.length)] ?? assert.fail();
      broken.set(line, way.code);
      part.push(way.make(random));
    } else {
      part.push(encoder.encode(JSON.stringify(soundEvent(line, below))));
    }
    part.push(encoder.encode("\n"));
    if (line % 1000 !== 0) continue;
    await writer.write(new Uint8Array(await new Blob(part as BlobPart[]).arrayBuffer()));
    part = [];
  }
  await writer.close();
  return broken;
}

function soundEvent(line: number, below: (n: number) => number): object {
  const common = { id: `e${line}`, user: `u${below(USERS)}`, time: 1_700_000_000_000 + line * 500 };
  const item = `i${below(200)}`;
  if (below(100) > 0) return { type: "interaction", ...common, item, action: "click" };
  return { type: "impression", ...common, items: [item, "other", "another"] };
}

/** Keeps the place and the code of every rejection before the replay drops it. */
class CollectingLog extends MemoryLog {
  readonly refused = new Map<number, string>();

  override async trim(topic: string, partition: number, before: number): Promise<void> {
    if (topic === topicNames().rejected) {
      for (
        const { value } of (await this.read(topic, partition, 0, { maxRecords: 1e6, maxBytes: 1e9 })).records
      ) {
        const rejection = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0))) as Rejection;
        this.refused.set("line" in rejection ? rejection.line : -1, rejection.code);
      }
    }
    await super.trim(topic, partition, before);
  }
}
