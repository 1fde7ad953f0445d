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

Deno.test("the first example of docs/how-to/use-as-a-library.md prints the output that is pasted below it", async () => {
  const page = await readPage("docs/how-to/use-as-a-library.md");
  const [example = ""] = blocks(page, "ts");
  const [, output] = /^```text\n([\s\S]*?)^```$/m.exec(page.slice(page.indexOf(example))) ?? [];
  assert.equal(await deno(["run", "-A", "--ext=ts", "-"], example), output);
});

Deno.test("the examples of docs and of the entry points pass", async () => {
  const { exports }: { readonly exports: Readonly<Record<string, string>> } = JSON.parse(
    await readPage("deno.json"),
  );
  const files = [...Object.values(exports), ...(await pages()).filter((page) => page.startsWith("docs/"))];
  // Their types are checked beside those of the code, see .ci/run.
  assert.match(await deno(["test", "-A", "--doc", "--no-check", ...files]), /ok \| \d+ passed \| 0 failed/);
});
