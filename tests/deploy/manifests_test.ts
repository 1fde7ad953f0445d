/** The deployment files agree with the code, and tools that know their formats accept them. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { readPage, ROOT } from "../docs/pages.ts";
import { outputOf } from "./tools.ts";

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly mountPath: string }[];
}

const { tasks, version } = JSON.parse(await readPage("deno.json"));
const run: string = tasks.run.command;
const containerfile = await readPage("deploy/container/Containerfile");

/** The words of a list-form command of the Containerfile. */
function wordsOf(name: string): readonly string[] {
  const [, list = "[]"] =
    new RegExp(`^${name} (\\[[\\s\\S]*?\\])$`, "m").exec(containerfile.replaceAll("\\\n", "")) ?? [];
  return JSON.parse(list);
}

/** Runs `run` with flags up to its check for contradictory ones, before anything starts. */
async function understands(flags: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "scripts/run.ts", ...flags, "--verbose", "--quiet"],
    cwd: fileURLToPath(ROOT),
    stdin: "null",
  }).output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /^error: Cannot use --verbose with --quiet/m);
}

/** Runs a tool; reports loudly when it is missing. */
async function runTool(command: string, args: readonly string[], what: string): Promise<void> {
  const ended = await outputOf(command, args, fileURLToPath(ROOT));
  if (ended === undefined) {
    return void await Deno.stderr.write(
      new TextEncoder().encode(`SKIPPED: ${what}, as there is no ${command}\n`),
    );
  }
  const [told, wrong] = [ended.stdout, ended.stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(ended.code, 0, `${told}${wrong}`);
  // systemd only warns of what it ignores.
  assert.doesNotMatch(wrong ?? "", /ignoring|Unknown/);
}

Deno.test("the container uses the Deno of CI, the flags of the task, and files that exist", async () => {
  const [, deno] = /npx -y deno@([\d.]+) /.exec(await readPage(".ci/run")) ?? [];
  assert.ok(containerfile.includes(`deno:bin-${deno}\n`));
  const entry = wordsOf("ENTRYPOINT");
  for (const flag of run.split(" ").filter((word) => /^(--v8|-P|--no-prompt)/.test(word))) {
    assert.ok(entry.includes(flag), flag);
  }
  for (const variable of run.split(" ").filter((word) => word.startsWith("MALLOC_"))) {
    assert.ok(containerfile.includes(variable), variable);
  }
  for (const [file] of containerfile.matchAll(/(?:scripts|streams|deploy)\/[\w/]+\.ts/g)) {
    assert.ok((await Deno.stat(new URL(file, ROOT))).isFile, file);
  }
  const [script, ...flags] = wordsOf("CMD");
  assert.equal(script, "scripts/run.ts");
  await understands(flags);
});

Deno.test("the manifests of Kubernetes start the engine with valid flags, and expose the port it listens on", async () => {
  const documents = parseAllDocuments(await readPage("deploy/kubernetes/meander.yaml")).map((one) => {
    assert.deepEqual("errors" in one ? one.errors : [], []);
    return "toJS" in one ? one.toJS() : assert.fail();
  });
  const set = documents.find(({ kind }) => kind === "StatefulSet");
  const { spec } = set.spec.template;
  const [container]: readonly Container[] = spec.containers;
  assert.ok(container !== undefined);
  const [script, ...flags] = container.args;
  assert.equal(script, "scripts/run.ts");
  await understands(flags);
  const port = flags[flags.indexOf("--http") + 1]?.split(":")[1];
  assert.deepEqual(container.ports, [{ name: "http", containerPort: Number(port) }]);
  for (const flag of ["--snapshots", "--members"]) {
    assert.match(flags[flags.indexOf(flag) + 1] ?? "", /^\/data\//, flag);
  }
  assert.equal(spec.containers[0].image, `meander:${version}`);
  const [, patienceMs = ""] = /^const PATIENCE_MS = (\d+);$/m.exec(await readPage("scripts/run/thread.ts")) ??
    [];
  assert.ok(spec.terminationGracePeriodSeconds * 1000 > Number(patienceMs) + 2000);
  const scaler = documents.find(({ kind }) => kind === "HorizontalPodAutoscaler");
  assert.ok(scaler.spec.maxReplicas <= 4, "partitions of a new deployment on Kafka");
});

Deno.test("kubernetes-validate accepts the manifests", async () => {
  await runTool(
    "kubernetes-validate",
    ["--strict", "deploy/kubernetes/meander.yaml"],
    "the schemas of Kubernetes",
  );
});

Deno.test("systemd-analyze accepts the unit, which starts the engine with valid flags", async () => {
  const unit = await readPage("deploy/systemd/meander.service");
  const [, flags = ""] = /^ExecStart=\/usr\/local\/bin\/deno task --quiet run (.*)$/m.exec(unit) ?? [];
  await understands(flags.split(" "));
  const folder = await Deno.makeTempDir({ prefix: "meander-unit-" });
  try {
    // The unit's paths are those of its target machine.
    const here = unit.replace("/usr/local/bin/deno", Deno.execPath()).replace(/^Documentation=.*$/m, "");
    await Deno.writeTextFile(`${folder}/meander.service`, here);
    await runTool("systemd-analyze", ["verify", `${folder}/meander.service`], "the unit");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
