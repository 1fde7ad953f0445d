/**
 * Runs the test suite and closes with a line `N passed, N failed` that any CI can read.
 * Arguments go to `deno test`, for example `deno task test tests/metrics --filter auc`.
 *
 * @module
 */

const paths = Deno.args.some((arg) => !arg.startsWith("-")) ? [] : ["tests", "src", "streams"];
const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "--allow-all", "--doc", "--no-check", ...Deno.args, ...paths],
  stdin: "null",
  stdout: "piped",
  stderr: "inherit",
}).spawn();

const decoder = new TextDecoder();
let tail = "";
for await (const chunk of child.stdout) {
  await Deno.stdout.write(chunk);
  tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4000);
}
const { code } = await child.status;
// deno-lint-ignore no-control-regex -- the summary line is coloured on a terminal
const summary = tail.replace(/\x1b\[[0-9;]*m/g, "").match(
  /(\d+) passed[^|]*\| (\d+) failed(?:[^|]*\| (\d+) ignored)?/,
);
const [passed, failed, skipped] = [summary?.[1] ?? "0", summary?.[2] ?? "1", summary?.[3] ?? "0"];
const skips = skipped === "0" ? "" : `${skipped} skipped: their reasons are above\n`;
await Deno.stdout.write(new TextEncoder().encode(`\n${skips}${passed} passed, ${failed} failed\n`));
Deno.exit(code);
