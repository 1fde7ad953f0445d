/** Clients that connect and stay silent, or stop halfway: they are bounded in number and time, and harm nobody. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { Bodies } from "../../streams/http/bodies.ts";
import type { Connection } from "../../streams/server/app.ts";
import { type ConnectionOptions, Connections } from "../../streams/server/connections.ts";
import { serve } from "../../streams/server/serve.ts";
import { readAll as readRecords } from "../../streams/log/reading.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { until } from "../service/deployment.ts";
import { startApi } from "./deployment.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

function start(bounds: ConnectionOptions) {
  const cancelled = Promise.withResolvers<void>();
  const app = new Hono<{ Bindings: Connection }>()
    .get("/", (context) => context.text("done"))
    .get("/large", (context) => context.text("x".repeat(32 << 20)))
    .get("/flood", () => {
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
        cancel: () => cancelled.resolve(),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    })
    .get("/stream", () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(encoder.encode(": hello\n\n")),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
  const server = serve(app, { hostname: "127.0.0.1", port: 0 }, bounds);
  return { server, port: Number(new URL(server.url).port), cancelled: cancelled.promise };
}

/** A clock that a test moves, so that nothing depends on the speed of the machine. */
class HandClock {
  #now = 0;
  #reads = 0;

  readonly read = (): number => {
    this.#reads++;
    return this.#now;
  };

  /** Moves on, and waits until the server has looked for silent connections after that. */
  async move(ms: number): Promise<void> {
    this.#now += ms;
    const before = this.#reads;
    await until(() => Promise.resolve(this.#reads > before + 1), "it looks at its connections");
  }
}

const connect = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });

/** Reads until the server closes or resets the connection. */
async function readAll(connection: Deno.Conn): Promise<string> {
  let text = "";
  const room = new Uint8Array(1 << 16);
  for (;;) {
    const read = await connection.read(room).catch(() => null); // a reset is an end, too
    if (read === null) return text;
    text += decoder.decode(room.subarray(0, read));
  }
}

async function ask(connection: Deno.Conn): Promise<string> {
  await connection.write(encoder.encode(REQUEST));
  const room = new Uint8Array(1 << 12);
  return decoder.decode(room.subarray(0, await connection.read(room) ?? 0));
}

Deno.test("a connection is closed that sends nothing, half a request's head, or nothing after an answer", async () => {
  let now = 0;
  // Time goes by as it looks at its connections, so that a response is not cut off before the client gets it.
  const { server, port } = start({ headTimeoutMs: 500, idleTimeoutMs: 200, clock: () => now += 50 });
  await using _server = server;
  for (const sent of ["", "GET / HTTP/1.1\r\nhost: loc", REQUEST]) {
    using connection = await connect(port);
    await connection.write(encoder.encode(sent));
    assert.equal((await readAll(connection)).startsWith("HTTP/1.1 200"), sent === REQUEST);
  }
});

Deno.test("an answer that is not a stream is sent at once, with its length", async () => {
  const { server, port } = start({});
  await using _server = server;
  using connection = await connect(port);
  assert.match(await ask(connection), /^HTTP\/1.1 200 [^]*content-length: 4\r\n[^]*\r\n\r\ndone$/i);
});

Deno.test("a client that does not read its answer is cut off", async () => {
  const clock = new HandClock();
  const { server, port } = start({ idleTimeoutMs: 200, clock: clock.read });
  await using _server = server;
  using connection = await connect(port);
  await connection.write(encoder.encode(REQUEST.replace("/ ", "/large ")));
  await connection.read(new Uint8Array(1)); // it has begun
  await clock.move(200);
  assert.ok((await readAll(connection)).length < 32 << 20);
});

Deno.test("a client that does not read its stream is cut off, and the stream is cancelled", async () => {
  const { server, port, cancelled } = start({ idleTimeoutMs: 200 });
  await using _server = server;
  using connection = await connect(port);
  await connection.write(encoder.encode(REQUEST.replace("/ ", "/flood ")));
  await cancelled;
});

Deno.test("connections stay open that are used repeatedly, or whose answer is a stream", async () => {
  const clock = new HandClock();
  const { server, port } = start({ idleTimeoutMs: 400, clock: clock.read });
  await using _server = server;
  using stream = await connect(port);
  await stream.write(encoder.encode(REQUEST.replace("/ ", "/stream ")));
  using connection = await connect(port);
  for (let n = 0; n < 10; n++) {
    assert.match(await ask(connection), /^HTTP\/1.1 200/);
    await clock.move(300);
  }
  const room = new Uint8Array(1 << 12);
  assert.ok(await stream.read(room));
  const more = stream.read(room).catch(() => null);
  assert.match(await ask(connection), /^HTTP\/1.1 200/);
  assert.equal(await Promise.race([more, Promise.resolve("nothing yet")]), "nothing yet");
});

Deno.test("beyond maxConnections, the connection that has been idle for longest is closed", async () => {
  const { server, port } = start({ maxConnections: 8 });
  await using _server = server;
  const idle: Deno.Conn[] = [];
  for (let n = 0; n < 8; n++) {
    idle.push(await connect(port));
    await ask(idle[n]!);
  }
  const [first, ...others] = idle;
  using late = await connect(port);
  assert.match(await ask(late), /^HTTP\/1.1 200/);
  assert.equal(await readAll(first!), "");
  for (const other of others) assert.match(await ask(other), /^HTTP\/1.1 200/);
  for (const each of idle) each.close();
});

Deno.test("one more connection gets a 503 when all are busy", async () => {
  const { server, port } = start({ maxConnections: 3 });
  await using _server = server;
  const busy = await Promise.all(Array.from({ length: 3 }, () => connect(port)));
  for (const each of busy) {
    await each.write(encoder.encode(REQUEST.replace("/ ", "/stream ")));
    await each.read(new Uint8Array(1 << 12));
  }
  using late = await connect(port);
  assert.match(await readAll(late), /^HTTP\/1.1 503 [^]*retry-after: 1\r\n/);
  for (const each of busy) each.close();
});

Deno.test("when all wait for bodies that do not arrive, the oldest makes room for a new request", async () => {
  const { read } = Bodies.prototype, { now } = performance;
  let begun = 0, aheadMs = 0;
  Bodies.prototype.read = function (...given) {
    const reading = read.apply(this, given);
    begun++;
    return reading;
  };
  performance.now = () => now.call(performance) + aheadMs;
  try {
    await using api = await startApi({ maxConnections: 4 });
    const { hostname, port } = new URL(api.url);
    const head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const slow: Deno.Conn[] = [];
    for (const length of [100, 100, 900_000, 900_000]) {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      await connection.write(encoder.encode(`${head}content-length: ${length}\r\n\r\n[`));
      slow.push(connection);
    }
    await until(() => Promise.resolve(begun === slow.length), "all bodies are being read");
    assert.equal((await api.get("/health")).status, 503, "none is slow yet");
    aheadMs = 2500; // so long a body may be slow
    assert.equal((await api.get("/health")).status, 200);
    assert.equal(await readAll(slow[0]!), "");
    for (const each of slow) each.close();
  } finally {
    Bodies.prototype.read = read;
    performance.now = now;
  }
});

Deno.test("bodies from one network, though none is slow yet, keep no other network out", async () => {
  const MOST = 3;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let network = "192.0.2.1", asked = 0;
  const from = {
    async accept() {
      const connection = await listener.accept();
      return Object.defineProperty(connection, "remoteAddr", { value: { hostname: network } });
    },
    close: () => listener.close(),
  };
  const answer = async (request: Request) => {
    asked++;
    return new Response(await request.text());
  };
  const failed = () => new Response(null, { status: 500 });
  // deno-lint-ignore no-explicit-any -- what the server uses of a listener
  const connections = new Connections(from as any, answer, failed, {
    maxConnections: MOST,
    isArriving: (request) => request.method === "POST",
  });
  const { port } = listener.addr;
  const stalling: Deno.Conn[] = [];
  const stall = async () => {
    const connection = await connect(port);
    await connection.write(encoder.encode("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx"));
    stalling.push(connection);
    return connection;
  };
  for (let i = 0; i < MOST; i++) await stall();
  await until(() => Promise.resolve(asked === MOST), "all are busy");
  assert.match(await readAll(await stall()), /^HTTP\/1.1 503/, "no room is made for the same network");
  network = "192.0.2.2";
  const other = await connect(port);
  assert.match(await ask(other), /^HTTP\/1.1 200/);
  assert.equal(await readAll(stalling[0]!), "", "the oldest was closed");
  for (const connection of [...stalling, other]) connection.close();
  connections.close();
  await connections.ended;
});

Deno.test("a request is carried out whose client has shut down its side, even if it gets no answer", async () => {
  await using api = await startApi();
  const { hostname, port } = new URL(api.url);
  const body = JSON.stringify({ user: "ann", request: "half", count: 2 });
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(encoder.encode(
    "POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" +
      `content-length: ${body.length}\r\n\r\n${body}`,
  ));
  await connection.closeWrite();
  assert.match(await readAll(connection), /^$|^HTTP\/1.1 200 [^]*"request":"half"/);
  const { recommendations } = topicNames();
  const isAnswered = async (partition: number) => {
    const records = await Array.fromAsync(readRecords(api.log, recommendations, partition));
    return records.some(({ value }) => decoder.decode(value ?? undefined).includes('"request":"half"'));
  };
  await until(async () => await isAnswered(0) || await isAnswered(1), "it is answered on the log");
  assert.equal((await api.post("/v1/recommend", { user: "ann" })).status, 200);
});

Deno.test("a server that runs out of file descriptors survives and answers later requests", async () => {
  const program = `
    import { Hono } from "hono";
    import { serve } from "./streams/server/serve.ts";
    Deno.addSignalListener("SIGTERM", () => {}); // as run does: Deno exits if its first one gets no descriptor
    const server = serve(new Hono().get("/", (context) => context.text("done")), { hostname: "127.0.0.1", port: 0 });
    console.log(new URL(server.url).port);`;
  const child = new Deno.Command("sh", {
    args: ["-c", `ulimit -n 100; exec "$0" run -q -A --no-check --ext=ts -`, Deno.execPath()],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(encoder.encode(program));
  await input.close();
  const output = child.stdout.getReader();
  const port = Number(decoder.decode((await output.read()).value));
  const silent: Deno.Conn[] = [];
  for (let n = 0; n < 300; n++) silent.push(await connect(port));
  using connection = await connect(port);
  assert.match(await ask(connection), /^HTTP\/1.1 200/);
  for (const each of silent) each.close();
  child.kill("SIGKILL");
  await output.cancel();
  await child.status;
});
