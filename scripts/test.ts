/**
 * Runs the test suite and closes with a line `N passed, N failed` that any CI can read. Folders are tested side by
 * side, as many as there are processors; the output of each is printed in one piece when it is done.
 *
 * Arguments go to `deno test`, for example `deno task test tests/metrics --filter auc`; with a path among them there is
 * one process, whose output comes as it is made.
 *
 * @module
 */

/** The longest ones, which start first so that none is left over at the end. */
const LONGEST = [
  "tests/replay",
  "tests/protocol",
  "tests/log",
  "tests/chaos",
  "tests/service",
  "tests/server",
  "tests/scripts",
];
const SOURCES = ["src", "streams"];

/** Counts of a process of `deno test`. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const FAILED: Counts = { passed: 0, failed: 1, skipped: 0 };

async function foldersOfTests(): Promise<string[]> {
  const folders = [];
  for await (const { name, isDirectory } of Deno.readDir("tests")) {
    if (isDirectory && await hasTests(`tests/${name}`)) folders.push(`tests/${name}`);
  }
  const rank = (folder: string) => (LONGEST.indexOf(folder) + 1 || Infinity);
  return [...folders.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)), ...SOURCES];
}

async function hasTests(folder: string): Promise<boolean> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory ? await hasTests(`${folder}/${name}`) : name.endsWith("_test.ts")) return true;
  }
  return false;
}

/** Runs `deno test` and forwards its output, as it comes or in one piece. */
async function runTests(args: readonly string[], isLive: boolean): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--doc", "--no-check", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: isLive ? "inherit" : "piped",
  }).spawn();
  const parts: Uint8Array[] = [];
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const part of stream) {
      parts.push(part);
      if (isLive) await Deno.stdout.write(part);
    }
  };
  await Promise.all([collect(child.stdout), isLive ? undefined : collect(child.stderr)]);
  const { success } = await child.status;
  const whole = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  if (!isLive) print(whole);
  return countsOf(new TextDecoder().decode(whole), success);
}

/** The counts of the summary line; without one, or with one that contradicts the exit code, a failure. */
function countsOf(output: string, success: boolean): Counts {
  // deno-lint-ignore no-control-regex -- the summary line is coloured on a terminal
  const plain = output.slice(-4000).replace(/\x1b\[[0-9;]*m/g, "");
  const summary = /(\d+) passed[^|]*\| (\d+) failed(?:[^|]*\| (\d+) ignored)?/.exec(plain);
  if (summary === null) return FAILED;
  const [passed = 0, failed = 0, skipped = 0] = summary.slice(1).map((count) => Number(count ?? 0));
  return { passed, failed: success ? failed : Math.max(1, failed), skipped };
}

function print(text: string | Uint8Array): void {
  let rest = typeof text === "string" ? new TextEncoder().encode(text) : text;
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

const hasPath = Deno.args.some((arg) => !arg.startsWith("-"));
const counts: Counts[] = [];
if (hasPath) counts.push(await runTests(Deno.args, true));
else {
  const waiting = await foldersOfTests();
  const work = async () => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      counts.push(await runTests([...Deno.args, folder], false));
    }
  };
  await Promise.all(Array.from({ length: Math.min(navigator.hardwareConcurrency, 4) }, work));
}
const sum = (key: keyof Counts) => counts.reduce((total, one) => total + one[key], 0);
const skips = sum("skipped") === 0 ? "" : `${sum("skipped")} skipped: their reasons are above\n`;
print(`\n${skips}${sum("passed")} passed, ${sum("failed")} failed\n`);
Deno.exit(sum("failed") === 0 ? 0 : 1);
