import assert from "node:assert/strict";
import { blocks, pages, readPage, ROOT } from "./pages.ts";

/** What a command of Deno prints, with a program on its standard input; it must succeed. */
async function deno(args: readonly string[], program = ""): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  await new Blob([program]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await output;
  assert.ok(success, new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout));
  return new TextDecoder().decode(stdout);
}

Deno.test("README's example prints the output that is pasted below it", async () => {
  const readme = await readPage("README.md");
  const [example = ""] = blocks(readme, "ts");
  const [, output] = /^```text\n([\s\S]*?)^```$/m.exec(readme.slice(readme.indexOf(example))) ?? [];
  assert.equal(await deno(["run", "-A", "--ext=ts", "-"], example), output);
});

Deno.test("the examples of docs and of mod.ts pass", async () => {
  const files = ["mod.ts", ...(await pages()).filter((page) => page.startsWith("docs/"))];
  assert.match(await deno(["test", "-A", "--doc", ...files]), /ok \| \d+ passed \| 0 failed/);
});
