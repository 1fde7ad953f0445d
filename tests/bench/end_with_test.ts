import assert from "node:assert/strict";

const END_WITH = new URL("end_with.ts", import.meta.url).href;

/** The output of a bench that starts shell commands as services and waits for something that never comes. */
async function wait(...lines: readonly string[]) {
  const program = `
    import { endWith } from ${JSON.stringify(END_WITH)};
    for (const line of ${
    JSON.stringify(lines)
  }) endWith(new Deno.Command("sh", { args: ["-c", line] }).spawn());
    setTimeout(() => Deno.exit(7), 60_000);`;
  const bench = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await bench.output(); // until every process has closed its ends of the pipes
  return [code, new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)];
}

Deno.test("endWith() ends a bench, and its other services, when one of them fails", async () => {
  const said = "The service has ended with 3; run it by hand to see why\n";
  assert.deepEqual(await wait("exit 3", "sleep 1; echo survived"), [1, "", said]);
});
