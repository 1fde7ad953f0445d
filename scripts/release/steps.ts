/** The steps of a release: what is committed for it, then what is made of the commit. */

import { FORMATS } from "../../streams/generations/formats.ts";
import { released, sectionOf } from "./changelog.ts";
import { writeChecksums } from "./files.ts";

/** A program that uses the package, as in docs/how-to/use-as-a-library.md. */
const PROGRAM = `import { DEFAULT_SCHEMA, PRIOR, TaskState } from "@meander/core";
import { auc } from "@meander/core/evaluation";
import { BUCKETS } from "@meander/core/experiments";
import { sigmoid } from "@meander/core/nn";
const task = new TaskState({ schema: DEFAULT_SCHEMA }, PRIOR);
const out = { recommendations: [], samples: [], forgotten: [] };
for (const item of ["tent", "stove"]) task.applyItem({ item, time: 0 });
task.apply({ type: "interaction", user: "ann", item: "tent", action: "click", time: 1 }, 0, out);
task.apply({ type: "request", user: "ann", request: "r1", count: 2, time: 2 }, 1, out);
console.log(out.recommendations[0].items[0].item, auc([0, 1], [0.1, 0.2]), BUCKETS, sigmoid(0));
`;
const SAYS = "stove 1 10000 0.5\n";

export interface Checkout {
  readonly root: string;
  /** Receives progress, a line each. */
  readonly say: (line: string) => void;
}

/** The version of a checkout. @throws Error when its manifests differ */
export async function versionOf(root: string): Promise<string> {
  const [all, pure] = await Promise.all(
    ["deno.json", "npm.json"].map(async (name) =>
      JSON.parse(await Deno.readTextFile(`${root}/${name}`)).version
    ),
  );
  if (all !== pure) throw new Error(`Cannot release ${all}: npm.json has ${pure}`);
  return all;
}

/** Dates the changelog, and writes a record of each format. @param date such as `2026-11-28` */
export async function prepare({ root, say }: Checkout, date: string): Promise<void> {
  const version = await versionOf(root);
  const changelog = `${root}/CHANGELOG.md`;
  const text = released(await Deno.readTextFile(changelog), version, date);
  const records = `${root}/tests/compat/${version}`;
  await run("deno", ["run", "-A", "--no-check", "tests/compat/make.ts", root, records], root);
  await Deno.remove(`${root}/tests/compat/next`, { recursive: true }).catch(ignoreMissing);
  await Deno.writeTextFile(changelog, text);
  say(
    `CHANGELOG.md dates ${version}; tests/compat/${version} has its records: review them, commit, tag v${version}`,
  );
}

/** Makes the files of a release from a commit. @throws Error that says what the commit lacks */
export async function make({ root, say }: Checkout, to: string): Promise<void> {
  const version = await versionOf(root);
  const lacks = await missingIn(root, version);
  if (lacks.length > 0) throw new Error(`Cannot release ${version}: ${lacks.join("; ")}`);
  await Deno.mkdir(to);
  const name = `meander-${version}`;
  const pack = `${to}/meander-core-${version}.tgz`;
  await run("git", ["archive", "--prefix", `${name}/`, "-o", `${to}/${name}.tar.gz`, "HEAD"], root);
  await Deno.writeTextFile(
    `${to}/CHANGES.md`,
    `${sectionOf(await Deno.readTextFile(`${root}/CHANGELOG.md`), `## ${version}`)}\n`,
  );
  await run("deno", ["pack", "-c", "npm.json", "-o", pack], root);
  say(`packed ${pack}`);
  await tryPackage(pack, say);
  await run("deno", ["publish", "--dry-run", "--quiet"], root);
  say("JSR accepts it in a dry run");
  say(`${(await writeChecksums(to)).join(", ")} and their checksums are in ${to}`);
}

/** What a commit lacks to be a release. */
async function missingIn(root: string, version: string): Promise<readonly string[]> {
  const lacks: string[] = [];
  if (await run("git", ["status", "--porcelain"], root) !== "") lacks.push("there are uncommitted changes");
  if (!sectionOf(await Deno.readTextFile(`${root}/CHANGELOG.md`), `## ${version}`)) {
    lacks.push("CHANGELOG.md does not have this version: run `prepare`");
  }
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(`${root}/tests/compat/${version}`)) names.push(name);
  } catch (error) {
    ignoreMissing(error);
  }
  for (const [kind, { newest }] of Object.entries(FORMATS)) {
    if (names.some((name) => name.startsWith(`${kind}-${newest}.`))) continue;
    lacks.push(`tests/compat/${version} has no ${kind} of format ${newest}: run \`prepare\``);
  }
  return lacks;
}

/** Installs a package in an empty folder, and runs a program on it. */
async function tryPackage(pack: string, say: (line: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "meander-release-" });
  try {
    await Deno.copyFile(pack, `${folder}/core.tgz`);
    await Deno.writeTextFile(`${folder}/package.json`, '{ "type": "module" }');
    await Deno.writeTextFile(`${folder}/main.js`, PROGRAM);
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "./core.tgz"], folder);
    for (const [command, ...args] of [["node"], ["deno", "run", "--no-lock"]] as const) {
      const says = await run(command, [...args, "main.js"], folder);
      if (says !== SAYS) throw new Error(`Cannot release ${pack}: ${command} prints ${JSON.stringify(says)}`);
      say(`${command} runs a program on it, from an empty folder`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const path = command === "deno" ? Deno.execPath() : command;
  const { success, stdout, stderr } = await new Deno.Command(path, { args: [...args], cwd, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
