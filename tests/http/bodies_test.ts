/** Bodies that are slow, many or large once unpacked or parsed: one client's cost the others little. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Bodies } from "../../streams/http/bodies.ts";
import { takeEvents } from "../../streams/http/intake.ts";
import { atOnce } from "../../src/values/portions.ts";
import { checkSequence } from "../../streams/http/json_list.ts";
import type { Problem } from "../../streams/http/contract/problem.ts";
import { LineSplitter } from "../../streams/sources/lines.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { startApi } from "../server/deployment.ts";

const MB = 1 << 20;
const encoder = new TextEncoder();

/** A request with a body of which only the beginning arrives. */
function stuck(bytes: number, headers: HeadersInit = {}): Request {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(bytes)),
  });
  return new Request("http://localhost/", { method: "POST", body, headers });
}

const whole = (bytes: Uint8Array<ArrayBuffer>, headers: HeadersInit = {}) =>
  new Request("http://localhost/", { method: "POST", body: bytes, headers });

async function codeOf(read: Promise<unknown>): Promise<string> {
  return await read.then(() => "read", (error: Problem) => error.code);
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("Bodies refuses a body beyond what all may take together, and takes it once another is released", async () => {
  let now = 0;
  const bodies = new Bodies({ maxBytes: 8 * MB, maxInFlightBytes: 19 * MB, clock: () => now });
  const first = [whole(new Uint8Array(7 * MB)), whole(new Uint8Array(7 * MB))];
  for (const request of first) assert.equal((await bodies.read(request)).length, 7 * MB);
  assert.ok(bodies.inFlight >= 14 * MB && bodies.inFlight <= 19 * MB, String(bodies.inFlight));
  now += 10_000; // a body that has arrived whole is not slow
  assert.equal(await codeOf(bodies.read(whole(new Uint8Array(7 * MB)))), "unavailable");
  bodies.release(first[0]!);
  assert.equal((await bodies.read(whole(new Uint8Array(7 * MB)))).length, 7 * MB);
});

Deno.test("Bodies drops bodies that have stalled when others need room", async () => {
  let now = 0;
  const bodies = new Bodies({ maxBytes: 8 * MB, maxInFlightBytes: 19 * MB, clock: () => now });
  const slow = [stuck(7 * MB), stuck(7 * MB)].map((request) => codeOf(bodies.read(request)));
  await turn();
  const request = whole(new Uint8Array(4 * MB));
  assert.equal(await codeOf(bodies.read(request)), "unavailable");
  bodies.release(request);
  now += 3000;
  assert.equal((await bodies.read(whole(new Uint8Array(4 * MB)))).length, 4 * MB);
  assert.deepEqual(await Promise.all(slow), ["body-timeout", "body-timeout"]);
});

Deno.test("Bodies drops a body that trickles when others need room, and none that is fast enough", async () => {
  for (const [bytes, outcome] of [[16 << 10, "body-timeout"], [64 << 10, "reading"]] as const) {
    let now = 0;
    const bodies = new Bodies({ maxBytes: 8 * MB, maxInFlightBytes: 12 * MB, clock: () => now });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const request = new Request("http://localhost/", { method: "POST", body: readable });
    const reading = codeOf(bodies.read(request));
    await writer.write(new Uint8Array(5 * MB));
    for (; now < 4000; now += 500) {
      await writer.write(new Uint8Array(bytes));
      await turn();
    }
    const other = await codeOf(bodies.read(whole(new Uint8Array(7 * MB))));
    assert.equal(other, outcome === "reading" ? "unavailable" : "read");
    assert.equal(await Promise.race([reading, Promise.resolve("reading")]), outcome);
  }
});

Deno.test("Bodies takes a body of exactly the largest size, whether its length is declared or not", async () => {
  const bodies = new Bodies({ maxBytes: MB, clock: () => 0 });
  for (const headers of [{}, { "content-length": String(MB) }]) {
    assert.equal((await bodies.read(whole(new Uint8Array(MB), headers))).length, MB);
  }
  assert.equal(await codeOf(bodies.read(whole(new Uint8Array(MB + 1)))), "too-large");
});

Deno.test("Bodies has room for small bodies while large ones that do not arrive fill the rest", async () => {
  const bodies = new Bodies({ maxBytes: 8 * MB, clock: () => 0 });
  const declared = (bytes: number) => stuck(1, { "content-length": String(bytes) });
  const flood = Array.from({ length: 300 }, () => codeOf(bodies.read(declared(256 << 10))));
  await turn();
  const large = new Uint8Array(9 << 10);
  assert.equal(
    await codeOf(bodies.read(whole(large, { "content-length": String(large.length) }))),
    "unavailable",
  );
  // As many connections as are allowed by default, less the flood's.
  const slow = Array.from({ length: 700 }, () => declared(8 << 10));
  const waiting = slow.map((request) => codeOf(bodies.read(request)));
  const small = whole(new Uint8Array(8 << 10), { "content-length": String(8 << 10) });
  assert.equal((await bodies.read(small)).length, 8 << 10);
  assert.ok(bodies.inFlight <= 64 * MB);
  bodies.release(small);
  for (const request of slow) bodies.release(request);
  const packed = new Uint8Array(gzipSync(new Uint8Array(MB)));
  const headers = { "content-encoding": "gzip", "content-length": String(packed.length) };
  assert.equal(await codeOf(bodies.read(whole(packed, headers))), "unavailable", "it is large unpacked");
  void flood;
  void waiting;
});

Deno.test("Bodies counts a declared length that does not arrive, and times out", async () => {
  const bodies = new Bodies({ maxBytes: MB, maxInFlightBytes: MB, timeoutMs: 50, clock: () => 0 });
  const request = stuck(10, { "content-length": "200000" });
  const read = codeOf(bodies.read(request));
  await turn();
  assert.equal(bodies.inFlight, 200_000);
  assert.equal(await read, "body-timeout");
  bodies.release(request);
  assert.equal(bodies.inFlight, 0);
});

Deno.test("Bodies holds chunks of one byte without overhead", async () => {
  const bodies = new Bodies({ maxBytes: MB, clock: () => 0 });
  let left = 100_000;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => left-- > 0 ? controller.enqueue(new Uint8Array([left & 0xff])) : controller.close(),
  });
  const read = await bodies.read(new Request("http://localhost/", { method: "POST", body }));
  assert.equal(read.length, 100_000);
  assert.ok(bodies.inFlight < 200_000);
  assert.deepEqual([read[0], read.at(-1)], [99_999 & 0xff, 0]);
});

Deno.test("Bodies holds little for a body that trickles, and reads much at a time of a fast one", async () => {
  const bodies = new Bodies({ maxBytes: 8 * MB, clock: () => 0 });
  const asked: number[] = [];
  /** A body as Deno gives one that still arrives: it fills the buffers that it is given. */
  const arriving = (bytes: number, atOnce: number) =>
    new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 64 << 10, // as Deno's have
      pull(controller) {
        const length = controller.byobRequest!.view!.byteLength;
        asked.push(length);
        const part = Math.min(length, atOnce, bytes);
        bytes -= part;
        if (part === 0) return new Promise<void>(() => {});
        controller.byobRequest!.respond(part);
        return Promise.resolve();
      },
    });
  const request = (body: ReadableStream) => new Request("http://localhost/", { method: "POST", body });
  void codeOf(bodies.read(request(arriving(100, 1))));
  for (let n = 0; n < 100; n++) await turn();
  assert.ok(Math.max(...asked) <= 8 << 10, `${asked.at(-1)} bytes for the next byte`);
  assert.ok(bodies.inFlight <= 8 << 10, `${bodies.inFlight} bytes for 100`);
  asked.length = 0;
  void codeOf(bodies.read(request(arriving(4 * MB, MB))));
  for (let n = 0; n < 100; n++) await turn();
  assert.ok(asked.length < 100, `${asked.length} reads`);
});

Deno.test("Bodies unpacks one body at a time, and counts the unpacked bytes", async () => {
  const bodies = new Bodies({ maxBytes: 8 * MB, maxInFlightBytes: 23 * MB, clock: () => 0 });
  const packed = new Uint8Array(gzipSync(new Uint8Array(7 * MB)));
  const headers = { "content-encoding": "gzip" };
  const codes = await Promise.all(
    Array.from({ length: 5 }, () => codeOf(bodies.read(whole(packed, headers)))),
  );
  assert.deepEqual(codes.toSorted(), ["read", "read", "unavailable", "unavailable", "unavailable"]);
  const bomb = new Uint8Array(gzipSync(new Uint8Array(9 * MB)));
  assert.equal(await codeOf(bodies.read(whole(bomb, headers))), "too-large");
});

Deno.test("LineSplitter cuts no more lines than are wanted, and skips blank ones without allocating", () => {
  const splitter = new LineSplitter(10);
  assert.equal(splitter.push(encoder.encode("0\n".repeat(100_000))).length, 11);
  const blanks = new LineSplitter();
  const text = " \n\t\r\n\n\r\nlast\r\n \n";
  for (let cut = 0; cut <= text.length; cut++) {
    const parts = [text.slice(0, cut), text.slice(cut)];
    const each = new LineSplitter();
    const lines = [...parts.flatMap((part) => each.push(encoder.encode(part))), ...each.end()];
    assert.deepEqual(lines.map(({ number, size }) => [number, size]), [[5, 4]]);
  }
  let allocated = 0;
  const chunk = new Proxy(encoder.encode("\r\n".repeat(1000)), {
    get(target, name) {
      if (name === "subarray") allocated++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  blanks.push(chunk);
  assert.ok(allocated <= 1, `${allocated} views of blank lines`);
});

Deno.test("takeEvents() refuses a list of too many or too large entries before parsing it", () => {
  const options = { topics: topicNames(), now: 1_700_000_000_000, maxEntries: 3 };
  const take = (text: string) => {
    try {
      return atOnce(takeEvents(encoder.encode(text), "json", options)).rejected.length;
    } catch (error) {
      return (error as Problem).code;
    }
  };
  const keys = `{${Array.from({ length: 120_000 }, (_, n) => `"key${n}":1`).join(",")}}`;
  // The end is not JSON: a parser would say so.
  assert.equal(take(`[{},{"a":[1,2,3,"]"]},{},{},!`), "too-large");
  assert.equal(take(`[${keys},!`), "too-large");
  assert.equal(take(`[{},${keys} !`), "too-large");
  assert.equal(take(` ${keys}!`), "too-large");
  assert.equal(take(`[{},"\\",[,,,,,", {"a": [1, 2, 3, 4]}]`), 3);
});

Deno.test("checkSequence() refuses too many values before they are parsed", () => {
  const check = (text: string) => checkSequence(encoder.encode(text), 3);
  const many = { code: "too-large" };
  check('{"a": [1, 2, 3, [4], {}]}\n[1, 2, 3, "]\n\n\n\n\n\n\n\n"]\n{}');
  assert.throws(() => check("{}".repeat(8)), many);
  assert.throws(() => check("0\n".repeat(8)), many);
});

Deno.test("a body beyond maxInFlightBytes gets 503 with retry-after, and room is free again after answers", async () => {
  const most = 200 << 10; // so little counts as soon as it is declared
  await using api = await startApi({ maxBodyBytes: most, maxInFlightBytes: most });
  const port = Number(new URL(api.url).port);
  const lines = { "content-type": "application/x-ndjson" };
  const large = () => api.post("/v1/events", new Uint8Array(most / 2).fill(0x20), lines);
  const head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n";
  /** Sends a body while another client's does not arrive. */
  const beside = async () => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(encoder.encode(`${head}content-length: ${most}\r\n\r\n`));
    return await large();
  };
  let answer = await beside();
  // On a busy machine it may be heard before the other.
  for (let n = 0; answer.json.code !== "unavailable" && n < 100; n++) answer = await beside();
  assert.deepEqual([answer.status, answer.json.code, answer.headers.get("retry-after")], [
    503,
    "unavailable",
    "1",
  ]);
  assert.match(answer.json.detail, /http\.maxInFlightBytes/);
  for (let n = 0; answer.status === 503 && n < 100; n++) answer = await large();
  assert.equal(answer.json.code, "bad-body"); // blank
});
