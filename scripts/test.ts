/**
 * Runs the test suite and closes with a line `N passed, N failed` that any CI can read. Processes run in parallel, two
 * more than there are processors, as some wait for a broker or a clock, but at most four: one for each folder that takes
 * long, and some for all others; the output of each is printed in one piece when it is done. The files of a process are
 * imported by one module, as a fifth of the time would go into loading the same code for each, and those that use the
 * common broker by another; those with hooks of their own, which would be called for all tests, are run by themselves.
 *
 * `--thorough` makes tests go further than every run can afford (tests/breadth.ts), as before a release. Other arguments
 * go to `deno test`, for example `deno task test tests/metrics --filter auc`; with a path among them there is one process,
 * whose output is printed as it comes.
 */

import { pathToFileURL } from "node:url";
import { startBroker } from "./kafka/dev_broker.ts";
import { OWN_PORTS, partOfPorts } from "./kafka/java_process.ts";

/** The folders that take the most time, longest first, so that no long one is left over at the end. */
const LONGEST =
  "service log replay scripts generations server backup chaos task retrieval experiments docs mapping engine nn learner " +
  "protocol faults dashboard reference";
/** How many of the other folders share a process. */
const SHARING = 5;
/** Match files with hooks before or after tests, and files that only start the common broker. */
const HOOKS = /\bDeno\.test\.(before|after)|\btestBroker\(\{/, BROKER = /\btestBroker\(\)/;
/**
 * Tests, and the commands that they start, make many short-lived objects: this much room for them saves a sixth of the
 * processor time.
 */
const YOUNG_SPACE = "--min-semi-space-size=16,--max-semi-space-size=64";
/** A process that takes longer hangs: it is killed, and its output shows in which test. */
const LIMIT_MS = 15 * 60_000;

/** Counts of a process of `deno test`. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed: names and places of tests, or the files that did not finish. */
  readonly failures: readonly string[];
}

/** Test files by process, in the order in which these start. */
async function filesByProcess(): Promise<readonly (readonly string[])[]> {
  const byFolder = Map.groupBy(await filesOfTests("tests"), folderOf);
  const long = LONGEST.split(" ").filter((name) => byFolder.has(name));
  const brief = [...byFolder.keys()].filter((name) => !long.includes(name)).sort();
  const shared = Object.values(Object.groupBy(brief, (_, n) => Math.floor(n / SHARING)));
  return [...long.map((name) => [name]), ...shared]
    .map((names = []) => names.flatMap((name) => byFolder.get(name) ?? []));
}

/** The folder below `tests` that a file is in. */
function folderOf(file: string): string {
  return file.split("/")[1] ?? "";
}

async function filesOfTests(folder: string): Promise<string[]> {
  const files = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesOfTests(`${folder}/${name}`));
    else if (name.endsWith("_test.ts")) files.push(`${folder}/${name}`);
  }
  return files.sort();
}

/** Arguments for `deno test` in place of files: modules that import them, and files with hooks. */
async function inOnePiece(files: readonly string[], into: string): Promise<readonly string[]> {
  const folders = [...new Set(files.map(folderOf))].join("_");
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  const { alone = [], ...together } = Object.groupBy(files, (_, i) => {
    const text = texts[i] ?? "";
    return HOOKS.test(text) ? "alone" : BROKER.test(text) ? "broker" : "none";
  });
  const modules = Object.entries(together).map(async ([what, files]) => {
    const module = `${into}/${folders}_${what}_test.ts`;
    const imports = files.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`);
    await Deno.writeTextFile(module, imports.join(""));
    return module;
  });
  return [...await Promise.all(modules), ...alone];
}

/** Starts a broker for all processes, if one can run here: tests/log/kafka_broker.ts finds it by this variable. */
async function commonBroker(): Promise<AsyncDisposable | undefined> {
  const broker = await startBroker().catch(() => undefined); // tests report why they have none
  if (broker !== undefined) Deno.env.set("BROKER_OF_TESTS", broker.address);
  return broker;
}

let processes = 0;

/** Runs `deno test` and forwards its output, as it comes or in one piece. */
async function runTests(args: readonly string[], isLive: boolean): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--config", "deno.json", "--allow-all", "--doc", "--no-check", ...args],
    env: { DENO_V8_FLAGS: YOUNG_SPACE, [OWN_PORTS]: partOfPorts(processes++) },
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

const args = Deno.args.filter((arg) => arg !== "--thorough");
if (args.length < Deno.args.length) Deno.env.set("BREADTH_OF_TESTS", "thorough");
const hasPath = args.some((arg, n) => !arg.startsWith("-") && args[n - 1] !== "--filter");
const counts: Counts[] = [];
if (hasPath) counts.push(await runTests(args, true));
else {
  const waiting = [...await filesByProcess()];
  const modules = await Deno.makeTempDir({ prefix: "meander-tests-" });
  // A filter may leave no test that needs it.
  await using _broker = args.length === 0 ? await commonBroker() : undefined;
  const work = async () => {
    for (let files = waiting.shift(); files !== undefined; files = waiting.shift()) {
      counts.push(await runTests([...args, ...await inOnePiece(files, modules)], false));
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
