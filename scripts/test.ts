/**
 * Runs the test suite and closes with a line `N passed, N failed` that any CI can read. Folders are tested side by
 * side, two more than there are processors, as some wait for a broker or a clock; the output of each is printed in one
 * piece when it is done. The files of a folder are imported by one module, as a fifth of the time would go into loading
 * the same code for each, and those that use a broker by another; those with hooks of their own, which would be called
 * for all tests, are run by themselves.
 *
 * Arguments go to `deno test`, for example `deno task test tests/metrics --filter auc`; with a path among them there is
 * one process, whose output comes as it is made.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

/** The tests that take most processor time, started first so that none is left over at the end. */
const LONGEST = [
  "tests/service",
  "tests/log",
  "tests/replay",
  "tests/scripts",
  "tests/chaos",
  "tests/server",
  "tests/backup",
  "tests/docs",
  "tests/protocol",
  "tests/dashboard",
];
/** What a file has that calls something before or after each test, or all; and what only starts a common broker. */
const HOOKS = /\bDeno\.test\.(before|after)|\btestBroker\(\{/, BROKER = /\btestBroker\(\)/;
/** Tests make many objects that live briefly: with this room for them, a sixth of the processor time is saved. */
const YOUNG_SPACE = "--v8-flags=--min-semi-space-size=16,--max-semi-space-size=64";
/** A folder that takes longer hangs: it is ended, and its output tells in which test. */
const LIMIT_MS = 15 * 60_000;

/** Counts of a process of `deno test`. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed: names and places of tests, or the folder that came to no end. */
  readonly failures: readonly string[];
}

async function foldersOfTests(): Promise<string[]> {
  const folders = [];
  for await (const { name, isDirectory } of Deno.readDir("tests")) {
    if (isDirectory && await hasTests(`tests/${name}`)) folders.push(`tests/${name}`);
  }
  const rank = (folder: string) => (LONGEST.indexOf(folder) + 1 || Infinity);
  return folders.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

async function hasTests(folder: string): Promise<boolean> {
  return (await filesOfTests(folder)).length > 0;
}

async function filesOfTests(folder: string): Promise<string[]> {
  const files = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesOfTests(`${folder}/${name}`));
    else if (name.endsWith("_test.ts")) files.push(`${folder}/${name}`);
  }
  return files.sort();
}

/** What to give to `deno test` in place of a folder: modules that import the files, and those with hooks. */
async function inOnePiece(folder: string, into: string): Promise<readonly string[]> {
  const files = await filesOfTests(folder);
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  const { alone = [], ...together } = Object.groupBy(files, (_, i) => {
    const text = texts[i] ?? "";
    return HOOKS.test(text) ? "alone" : BROKER.test(text) ? "broker" : "none";
  });
  const modules = Object.entries(together).map(async ([what, files]) => {
    const module = `${into}/${folder.replaceAll("/", "_")}_${what}_test.ts`;
    const imports = files.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`);
    await Deno.writeTextFile(module, imports.join(""));
    return module;
  });
  return [...await Promise.all(modules), ...alone];
}

/** Runs `deno test` and forwards its output, as it comes or in one piece. */
async function runTests(args: readonly string[], isLive: boolean): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--config", "deno.json", "--allow-all", "--doc", "--no-check", YOUNG_SPACE, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: isLive ? "inherit" : "piped",
  }).spawn();
  const limit = isLive ? undefined : setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream) {
      parts.push(part);
      if (isLive) await Deno.stdout.write(part);
    }
  };
  await Promise.all([collect(child.stdout), isLive ? undefined : collect(child.stderr)]);
  const { success } = await child.status;
  clearTimeout(limit);
  const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
  if (!isLive) print(whole);
  return countsOf(new TextDecoder().decode(whole), success, args.join(" "));
}

/** The counts of the summary line; without one, or with one that contradicts the exit code, a failure. */
function countsOf(output: string, success: boolean, what: string): Counts {
  // deno-lint-ignore no-control-regex -- the output is coloured on a terminal
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const summary = /(\d+) passed[^|]*\| (\d+) failed(?:[^|]*\| (\d+) ignored)?/.exec(plain.slice(-4000));
  if (summary === null) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`${what} ended without a summary`] };
  }
  const [passed = 0, failed = 0, skipped = 0] = summary.slice(1).map((count) => Number(count ?? 0));
  const listed = plain.split("\n FAILURES \n").at(1)?.split("\nFAILED |")[0]?.trim() ?? "";
  const failures = listed === "" ? [] : listed.split("\n");
  if (!success && failures.length === 0) failures.push(`${what} ended with an error`);
  return { passed, failed: success ? failed : Math.max(1, failed), skipped, failures };
}

function print(text: string | Uint8Array): void {
  let rest = typeof text === "string" ? new TextEncoder().encode(text) : text;
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

const hasPath = Deno.args.some((arg, n) => !arg.startsWith("-") && Deno.args[n - 1] !== "--filter");
const counts: Counts[] = [];
if (hasPath) counts.push(await runTests(Deno.args, true));
else {
  const waiting = await foldersOfTests();
  const modules = await Deno.makeTempDir({ prefix: "meander-tests-" });
  const work = async () => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      counts.push(await runTests([...Deno.args, ...await inOnePiece(folder, modules)], false));
    }
  };
  await Promise.all(Array.from({ length: Math.min(navigator.hardwareConcurrency + 2, 4) }, work));
  await Deno.remove(modules, { recursive: true });
}
const sum = (key: "passed" | "failed" | "skipped") => counts.reduce((total, one) => total + one[key], 0);
const skips = sum("skipped") === 0 ? "" : `${sum("skipped")} skipped: their reasons are above\n`;
const failures = counts.flatMap(({ failures }) => failures).map((failure) => `failed: ${failure}\n`).join("");
print(`\n${failures}${skips}${sum("passed")} passed, ${sum("failed")} failed\n`);
Deno.exit(sum("failed") === 0 ? 0 : 1);
