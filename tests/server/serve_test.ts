import assert from "node:assert/strict";
import { Hono } from "hono";
import type { Connection } from "../../streams/server/app.ts";
import { serve } from "../../streams/server/serve.ts";

/** A server whose answer waits until it is released. */
function startSlow() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const app = new Hono<{ Bindings: Connection }>().get("/", async (context) => {
    asked.resolve();
    await answer.promise;
    return context.text("done");
  });
  const server = serve(app, { hostname: "127.0.0.1", port: 0 });
  return { server, asked: asked.promise, answer: answer.resolve };
}

Deno.test("HttpServer.stop() waits for answers under way", async () => {
  const { server, asked, answer } = startSlow();
  const response = fetch(server.url).then((got) => got.text());
  await asked;
  const stopped = server.stop();
  answer();
  assert.equal(await response, "done");
  await stopped;
  await server.ended;
});

Deno.test("HttpServer.stop() waits no longer than its patience, whether the client still waits or has gone", async () => {
  for (const gone of [false, true]) {
    const { server, asked, answer } = startSlow();
    const leaving = new AbortController();
    const response = fetch(server.url, { signal: leaving.signal }).then((got) => got.text()).catch(() =>
      "gone"
    );
    await asked;
    if (gone) leaving.abort();
    await server.stop(20);
    answer();
    assert.equal(await response, gone ? "gone" : "done");
    await server.ended;
  }
});
