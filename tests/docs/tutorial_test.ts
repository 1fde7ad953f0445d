import assert from "node:assert/strict";
import { blocks, readPage, ROOT } from "./pages.ts";

const PLACE = "http://127.0.0.1:8080";

/** A command of the repository, started in a folder of its own as a reader of the tutorial does. */
function command(cwd: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", new URL("deno.json", ROOT).pathname, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Reads a stream until what came matches; it may be read further. */
async function waitFor(stream: ReadableStream<string>, wanted: RegExp): Promise<string> {
  let text = "";
  for await (const part of stream.values({ preventCancel: true })) {
    const [, found] = wanted.exec(text += part) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`It ended before ${wanted}: ${text}`);
}

Deno.test("docs/tutorial/first-hour.md goes from one's own events to lists, clicks and an experiment", async () => {
  const page = await readPage("docs/tutorial/first-hour.md");
  const [shop = "", people = ""] = [...page.matchAll(/^```ts ignore\n([\s\S]*?)^```$/gm)].map(([, body]) =>
    body
  );
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
    await Deno.writeTextFile(`${folder}/make_shop.ts`, shop);
    // A busy machine may take longer to answer than a service should.
    const config = { ...JSON.parse(file("outcomeWindowMs")), http: { answerTimeoutMs: 60_000 } };
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify(config));
    await Deno.writeTextFile(`${folder}/explore.json`, file("boltzmann"));
    await run("make_shop.ts");
    assert.ok(page.includes(await run(script("ingest"), "--from", "my-shop")));
    await using service = command(folder, [script("run"), "--http", "127.0.0.1:0"]).spawn();
    const told = service.stderr.pipeThrough(new TextDecoderStream());
    const url = await waitFor(told, /HTTP at (http:\S+),/);
    assert.ok(page.includes(await run(script("experiment"), "start", "explore.json", "--url", url)));
    assert.ok(people.includes(PLACE) && people.includes("round < 20") && people.includes("2000"));
    const hasty = people.replace(PLACE, url).replace("round < 20", "round < 1").replace("2000", "0");
    await Deno.writeTextFile(`${folder}/people.ts`, hasty);
    await run("people.ts");
    const answer = await fetch(`${url}/v1/recommend`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: "user-3", count: 3 }),
    });
    const { items, experiment } = await answer.json();
    assert.equal(items.length, 3);
    assert.equal(experiment, "explore");
    assert.match(await run(script("experiment"), "status", "--url", url), /^explore: running/);
    service.kill("SIGTERM");
    await service.stdout.cancel();
    assert.equal((await service.status).code, 0);
    await told.cancel();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
