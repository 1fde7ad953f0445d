import assert from "node:assert/strict";
import { blocks, readPage, ROOT } from "./pages.ts";

/** A command of the repository, started in another folder as a reader of the tutorial does. */
function command(cwd: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "--config", new URL("deno.json", ROOT).pathname, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Reads a stream until its text matches; it may be read further. */
async function waitFor(stream: ReadableStream<string>, wanted: RegExp): Promise<string> {
  let text = "";
  for await (const part of stream.values({ preventCancel: true })) {
    const [, found] = wanted.exec(text += part) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`It ended before ${wanted}: ${text}`);
}

Deno.test("docs/tutorial/first-hour.md leads from your own events to lists and clicks", async () => {
  const page = await readPage("docs/tutorial/first-hour.md");
  const json = blocks(page, "json");
  const file = (wanted: string) => json.find((block) => block.includes(wanted)) ?? "";
  const folder = await Deno.makeTempDir({ prefix: "meander-tutorial-" });
  const script = (name: string) => new URL(`scripts/${name}.ts`, ROOT).pathname;
  const run = async (...args: string[]) => {
    const { success, stdout, stderr } = await command(folder, args).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  try {
    // A busy machine may take longer to answer than a service should.
    const config = { ...JSON.parse(file("outcomeWindowMs")), http: { answerTimeoutMs: 60_000 } };
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(config));
    await run(new URL("fixtures/tutorial/make_shop.ts", ROOT).pathname);
    assert.ok(page.includes(await run(script("ingest"), "--from", "my-shop")));
    await using service = command(folder, [script("run"), "--http", "127.0.0.1:0"]).spawn();
    const told = service.stderr.pipeThrough(new TextDecoderStream());
    const url = await waitFor(told, /HTTP at (http:\S+),/);
    const post = async (path: string, body: unknown) => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${url}/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      assert.ok(answer.ok, await answer.clone().text());
      return await answer.json();
    };
    const bodies = [...page.matchAll(/(\/recommend|\/events) --json \\?\s*'(.*)'$/gm)];
    assert.equal(bodies.length, 5);
    for (const [, path = "", body = ""] of bodies) {
      const { items, accepted } = await post(path, JSON.parse(body));
      if (path === "/recommend") assert.equal(items.length, 3);
      else assert.equal(accepted, 1);
    }
    service.kill("SIGTERM");
    await service.stdout.cancel();
    assert.equal((await service.status).code, 0);
    await told.cancel();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
