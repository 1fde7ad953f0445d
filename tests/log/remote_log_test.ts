import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { LogError, type UngroupedLog, type Writer } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { packRecords, unpackNew, unpackRead } from "../../streams/log/threads/packed_records.ts";
import { packError, PortAnswerer, PortCaller, unpackError } from "../../streams/log/threads/port_calls.ts";
import { RemoteLog } from "../../streams/log/threads/remote_log.ts";
import { serveLog } from "../../streams/log/threads/serve_log.ts";
import type { LearnerSpec } from "../../streams/service/jobs/learner_job.ts";
import { ThreadedLearner } from "../../streams/service/jobs/threaded_learner.ts";
import { commitContract } from "../contracts/commit_contract.ts";
import { compactionContract } from "../contracts/compaction_contract.ts";
import { LogSuite } from "../contracts/log_suite.ts";
import { recordContract } from "../contracts/record_contract.ts";

/** The remote of a log, which owns the log here. */
function remoteOf(log: UngroupedLog): RemoteLog {
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(log, port1);
  const remote = new RemoteLog({ port: port2, hasLatest: log.latest !== undefined });
  const close = remote[Symbol.asyncDispose].bind(remote);
  remote[Symbol.asyncDispose] = async () => {
    await close();
    await served[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
  };
  return remote;
}

const suite = new LogSuite(
  "RemoteLog",
  ({ onStep }) => {
    const remote = remoteOf(new MemoryLog(onStep ? { onStep } : {}));
    const join = () => Promise.reject(new LogError("closed", "Groups are joined where the log is"));
    return Promise.resolve(Object.assign(remote, { join }));
  },
  { excused: { restart: "nothing in memory survives its process" } },
);
recordContract(suite);
compactionContract(suite);
commitContract(suite);

Deno.test("serveLog() closes the writers that were opened through it, after which calls reject", async () => {
  await using log = new MemoryLog();
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(log, port1);
  const remote = new RemoteLog({ port: port2, hasLatest: true });
  await remote.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  const writer = await remote.writer("w");
  await served[Symbol.asyncDispose]();
  await remote[Symbol.asyncDispose]();
  const commit = { records: [], group: "g", offsets: [] };
  await assert.rejects(writer.commit(commit), { name: "LogError", code: "closed" });
  await assert.rejects(remote.bounds("t", 0), { name: "LogError", code: "closed" });
});

/** A log that counts how often each of its writers was closed. */
class Closings extends MemoryLog {
  readonly counts: number[] = [];

  override async writer(id: string): Promise<Writer> {
    const writer = await super.writer(id);
    const at = this.counts.push(0) - 1;
    return {
      id,
      commit: (commit) => writer.commit(commit),
      [Symbol.asyncDispose]: () => {
        this.counts[at] = (this.counts[at] ?? 0) + 1;
        return writer[Symbol.asyncDispose]();
      },
    };
  }
}

Deno.test("serveLog() releases a writer once it is closed at the other end, where commits then reject", async () => {
  await using log = new Closings();
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(log, port1);
  await using remote = new RemoteLog({ port: port2, hasLatest: true });
  await remote.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  const commit = { records: [note("a")], group: "g", offsets: [] };
  for (let n = 0; n < 10; n++) {
    const writer = await remote.writer("w");
    await writer.commit(commit);
    await writer[Symbol.asyncDispose]();
    await writer[Symbol.asyncDispose]();
    await assert.rejects(writer.commit(commit), { name: "LogError", code: "closed" });
  }
  const open = await remote.writer("v");
  await open.commit(commit);
  await served[Symbol.asyncDispose]();
  assert.deepEqual(log.counts, Array.from({ length: 11 }, () => 1));
  assert.equal((await log.bounds("t", 0)).end, 11);
});

Deno.test("RemoteLog[Symbol.asyncDispose]() releases the writers that were left open", async () => {
  await using log = new Closings();
  const { port1, port2 } = new MessageChannel();
  await using _served = serveLog(log, port1);
  const remote = new RemoteLog({ port: port2, hasLatest: true });
  const writers = [await remote.writer("v"), await remote.writer("w")];
  await remote[Symbol.asyncDispose]();
  for (let n = 0; n < 50 && log.counts.includes(0); n++) await turn();
  assert.deepEqual(log.counts, [1, 1]);
  for (const writer of writers) await writer[Symbol.asyncDispose]();
  await remote[Symbol.asyncDispose]();
});

Deno.test("ThreadedLearner releases the writers of a thread that has died", async () => {
  await using log = new Closings();
  const module = `data:text/javascript,onmessage = ({ data }) => {
    const { port } = data.log;
    port.onmessage = () => { throw new Error("no memory"); };
    port.postMessage({ call: 1, method: "openWriter", args: ["w"] });
  };`;
  const opening = ThreadedLearner.open(
    log,
    { model: "base" } as LearnerSpec,
    { module: new URL(module) },
    new AbortController().signal,
  );
  await assert.rejects(opening, /The thread of the learner of base died: .*no memory/);
  assert.deepEqual(log.counts, [1]);
});

Deno.test("RemoteLog.read() rejects with the reason of its signal while it waits, and loses nothing", async () => {
  await using remote = remoteOf(new MemoryLog());
  await remote.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  const stop = new AbortController();
  const reading = remote.read("t", 0, 0, { waitMs: 60_000, signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(reading, (error) => error === reason);
  await remote.append([{ topic: "t", key: "a", value: Uint8Array.of(1), time: 5 }]);
  const { records } = await remote.read("t", 0, 0, { waitMs: 60_000 });
  assert.deepEqual(records.map(({ value }) => value), [Uint8Array.of(1)]);
});

const note = (key: string) => ({ topic: "t", key, value: null, time: 0 });

Deno.test("packRecords() is undone by unpacking, and packs the bytes of a value, not the buffer behind them", () => {
  const large = new Uint8Array(1000).fill(7);
  const records = [
    { topic: "t", key: "a", value: large.subarray(10, 13), time: 1 },
    { topic: "t", key: "b", value: null, time: 2, headers: { from: "here" } },
    { topic: "t", partition: 2, key: null, value: new Uint8Array(0), time: 3 },
    { topic: "u", partition: 2, key: "ü", value: Uint8Array.of(1), time: 1.7e12 },
  ];
  const packed = packRecords(records);
  assert.equal(packed.bytes.byteLength, 4);
  const sent = records.map((record) => ({ headers: undefined, ...record }));
  assert.deepEqual(unpackNew(structuredClone(packed)), [
    { ...sent[0], value: Uint8Array.of(7, 7, 7) },
    ...sent.slice(1),
  ]);
  const read = records.map((record, i) => ({ partition: 0, headers: {}, ...record, offset: 1e12 + i }));
  assert.deepEqual(unpackRead(packRecords(read)), [
    { ...read[0], value: Uint8Array.of(7, 7, 7) },
    ...read.slice(1),
  ]);
  assert.deepEqual(unpackRead(packRecords([])), []);
});

Deno.test("unpackError() restores errors that callers tell apart", () => {
  const fenced = unpackError(structuredClone(packError(new LogError("fenced", "another"))));
  assert.ok(fenced instanceof LogError && fenced.code === "fenced" && fenced.message === "another");
  const beyond = unpackError(structuredClone(packError(new LogError("beyond-end", "lost", { end: 7 }))));
  assert.ok(beyond instanceof LogError && beyond.end === 7);
  const away = unpackError(packError(Object.assign(new Error("away"), { name: "KafkaJSConnectionError" })));
  assert.equal(away.name, "KafkaJSConnectionError");
  assert.ok(unpackError(packError(new RangeError("far"))) instanceof RangeError);
  assert.equal(unpackError(packError("text")).message, "text");
});

Deno.test("PortCaller.call() rejects what cannot be cloned, on the way there or back, and no other call", async () => {
  const { port1, port2 } = new MessageChannel();
  interface Echo {
    say(what: unknown): unknown;
  }
  const answerer = new PortAnswerer<Echo>(port1, {
    say: ([what]) => ({ result: what === "odd" ? () => {} : what }),
  });
  const caller = new PortCaller<Echo>(port2, () => new Error("closed"));
  const calls = [
    caller.call("say", ["a"]),
    caller.call("say", [() => {}]),
    caller.call("say", ["odd"]),
    caller.call("say", ["c"]),
  ];
  const outcomes = await Promise.allSettled(calls);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "rejected", "fulfilled"]);
  assert.deepEqual(await Promise.all([calls[0], calls[3]]), ["a", "c"]);
  caller.close();
  answerer.close();
});
