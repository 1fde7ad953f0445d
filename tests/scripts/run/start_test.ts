/** The first thread of a service: whatever happens to the other, the process ends with a code and a message. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const START = new URL("../../../scripts/run/start.ts", import.meta.url).href;
const CONFIG = fileURLToPath(new URL("../../../deno.json", import.meta.url));

/** The first thread, which passes its argument on as flags. */
const MAIN = `
  import { runThread } from ${JSON.stringify(START)};
  const permissions = { env: false, ffi: false, net: false, read: false, run: false, sys: false, write: false };
  const patienceMs = Deno.args[0] === "loops" ? 200 : 60_000;
  const code = await runThread(new URL(Deno.args[1]), { flags: Deno.args[0], permissions, patienceMs });
  Deno.exit(code);`;

/** What the thread does, by the flags that it gets. */
const ACTS: Readonly<Record<string, string>> = {
  code: "self.postMessage(7)",
  throws: "setTimeout(() => { throw new Error('thrown') })",
  rejects: "Promise.reject(new Error('rejected'))",
  nothing: "Promise.reject(undefined)",
  forbidden: "Deno.readTextFileSync('/etc/hostname')",
  memory: "for (const all = [];;) all.push(new Array(10_000).fill(0.5 + all.length))",
  waits: "setTimeout(() => console.log('waits'))",
  loops: "console.log('loops'); for (;;);",
};

interface Outcome {
  readonly code: number;
  readonly said: string;
}

async function run(
  act: string,
  { signal, load = "" }: { signal?: Deno.Signal; load?: string } = {},
): Promise<Outcome> {
  const thread = `${load};
    self.onmessage = ({ data: { flags, stop } }) => {
      if (stop !== undefined) return self.postMessage(stop === "SIGTERM" ? 5 : 6);
      setInterval(() => {}, 60_000);
      ${ACTS[act]};
    };
    self.postMessage("ready");`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--no-check",
      "--config",
      CONFIG,
      "--v8-flags=--max-old-space-size=48",
      `data:application/typescript,${encodeURIComponent(MAIN)}`,
      act,
      `data:application/javascript,${encodeURIComponent(thread)}`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const errors = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  if (signal !== undefined) {
    await output.read(); // it is at work
    child.kill(signal);
    if (act === "waits") child.kill(signal);
  }
  const { code } = await child.status;
  await output.cancel();
  return { code, said: await errors };
}

Deno.test("runThread() returns the code that its thread sends", async () => {
  assert.deepEqual(await run("code"), { code: 7, said: "" });
});

Deno.test("runThread() returns 1 and says what happened, whatever kills the thread", async () => {
  const words: Record<string, RegExp> = {
    throws: /thrown/,
    rejects: /rejected/,
    nothing: /undefined/,
    forbidden: /Requires read access to "\/etc\/hostname"/,
  };
  for (const [act, word] of Object.entries(words)) {
    const { code, said } = await run(act);
    assert.equal(code, 1, act);
    assert.match(said, word, act);
  }
  const { code, said } = await run("waits", {
    load: "await import('data:application/javascript,nowhere()')",
  });
  assert.equal(code, 1);
  assert.match(said, /nowhere is not defined/);
});

Deno.test("runThread() goes down with a thread that is out of memory", async () => {
  const { code, said } = await run("memory");
  assert.notEqual(code, 0);
  assert.match(said, /out of memory/);
});

Deno.test("runThread() passes signals on, and ends at once while the thread is being loaded", async () => {
  assert.equal((await run("waits", { signal: "SIGTERM" })).code, 5);
  assert.equal((await run("waits", { signal: "SIGINT" })).code, 6);
  const load = "console.log('loads'); await new Promise((resolve) => setTimeout(resolve, 10_000))";
  assert.deepEqual(await run("waits", { signal: "SIGTERM", load }), { code: 0, said: "" });
});

Deno.test("runThread() ends without a thread that does not respond to a signal", async () => {
  const { code, said } = await run("loops", { signal: "SIGTERM" });
  assert.equal(code, 0);
  assert.match(said, /^ending 200 ms after SIGTERM without its thread, which does not respond\n$/);
});
