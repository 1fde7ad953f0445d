/** The package for npm: it is packed, installed and used as docs/how-to/use-as-a-library.md says, by Node. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { blocks, readPage, ROOT } from "./pages.ts";

/** A DIEN that learns from answers and answers again, which takes the kernels forward and backward. */
const LEARNS = `
const sizes = modelSizes(DEFAULT_SCHEMA, 8);
const make = () => createModel("dien", sizes, {}, mulberry32(1));
const learner = new Learner(make(), { schema: DEFAULT_SCHEMA, embeddingWidth: 8 });
const serving = new ServingModel(make(), DEFAULT_SCHEMA, 8);
const task = new TaskState({ schema: DEFAULT_SCHEMA, outcomeWindowMs: 100, allowedLatenessMs: 0 }, serving);
const out = { recommendations: [], samples: [], forgotten: [] };
const items = Array.from({ length: 30 }, (_, n) => "i" + n);
for (const item of items) task.applyItem({ item, time: 0, category: "c" + item.length });
let offset = 0;
for (let n = 0; n < 300; n++) {
  const user = "u" + n % 7, time = 1000 * n;
  task.apply({ type: "request", user, count: 5, request: "r" + n, candidates: items.slice(n % 20, n % 20 + 8), time }, offset++, out);
  task.apply({ type: "interaction", user, item: items[n % 20], action: "click", request: "r" + n, time: time + 1 }, offset++, out);
  if (out.samples.length < 16) continue;
  learner.learn(out.samples.splice(0));
  serving.apply(decodeVersion(encodeVersion(learner.version("full", serving.version + 1, serving.version))));
}
console.log(JSON.stringify({ version: serving.version, lists: out.recommendations.slice(-20).map(({ items }) => items) }));
`;
const NAMES =
  "createModel, decodeVersion, DEFAULT_SCHEMA, encodeVersion, Learner, modelSizes, mulberry32, ServingModel, TaskState";

/** What a script has learnt, and its last lists. */
interface Learnt {
  readonly version: number;
  readonly lists: readonly (readonly { readonly item: string; readonly score: number }[])[];
}
/** Engines have their own logarithms and exponentials, which differ in the last digit. */
const CLOSE = 1e-5;

const idsOf = (list: Learnt["lists"][number]) => list.map(({ item }) => item);

const hasNode = await new Deno.Command("node", { args: ["--version"] }).output().then(
  ({ success }) => success,
  () => false,
);
if (!hasNode) {
  await Deno.stderr.write(new TextEncoder().encode("SKIPPED: the package for npm, as there is no node\n"));
}

/** Runs a command to its end. @returns what it printed */
async function run(command: string, args: readonly string[], cwd: string | URL): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd, stdin: "null" })
    .output();
  const text = new TextDecoder();
  assert.ok(success, `${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

Deno.test("npm.json has the version of deno.json", async () => {
  const [own, all] = await Promise.all(
    ["npm.json", "deno.json"].map(async (page) => JSON.parse(await readPage(page))),
  );
  assert.equal(own.version, all.version);
});

Deno.test({
  name:
    "the npm package runs in Node as docs/how-to/use-as-a-library.md says, and learns the same as in Deno",
  ignore: !hasNode,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "meander-npm-" });
    try {
      const words = ["pack", "-c", "npm.json", "-o", `${folder}/core.tgz`, "--allow-dirty"];
      await run(Deno.execPath(), words, ROOT);
      await Deno.writeTextFile(`${folder}/package.json`, '{ "type": "module" }');
      await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "./core.tgz"], folder);

      const page = await readPage("docs/how-to/use-as-a-library.md");
      const [example = ""] = blocks(page, "js ignore");
      await Deno.writeTextFile(`${folder}/example.js`, example);
      const [, says] = /\/\/ (\[.*\])$/m.exec(example) ?? [];
      assert.equal(await run("node", ["example.js"], folder), `${says}\n`);

      const parts = `import { auc } from "@meander/core/evaluation";
import { BUCKETS } from "@meander/core/experiments";
import { sigmoid } from "@meander/core/nn";
console.log(auc([0, 1], [0.1, 0.2]), BUCKETS, sigmoid(0));`;
      await Deno.writeTextFile(`${folder}/parts.js`, parts);
      assert.equal(await run("node", ["parts.js"], folder), "1 10000 0.5\n");

      const core = fileURLToPath(new URL("core.ts", ROOT));
      await Deno.writeTextFile(`${folder}/node.js`, `import { ${NAMES} } from "@meander/core";${LEARNS}`);
      await Deno.writeTextFile(
        `${folder}/deno.js`,
        `import { ${NAMES} } from ${JSON.stringify(core)};${LEARNS}`,
      );
      const learnt: Learnt = JSON.parse(await run("node", ["node.js"], folder));
      const want: Learnt = JSON.parse(
        await run(Deno.execPath(), ["run", "-q", "-A", "--no-check", "deno.js"], folder),
      );
      assert.ok(learnt.version > 5, `version ${learnt.version}`);
      assert.equal(learnt.version, want.version);
      assert.deepEqual(learnt.lists.map(idsOf), want.lists.map(idsOf));
      for (const [n, list] of learnt.lists.entries()) {
        for (const [at, { score }] of list.entries()) {
          assert.ok(Math.abs(score - (want.lists[n]?.[at]?.score ?? NaN)) < CLOSE, `list ${n}, place ${at}`);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a program next to a clone imports it as docs/how-to/use-as-a-library.md says", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-beside-" });
  try {
    const [settings = ""] = blocks(await readPage("docs/how-to/use-as-a-library.md"), "json ignore");
    await Deno.writeTextFile(`${folder}/deno.json`, settings.replace("../meander", fileURLToPath(ROOT)));
    const program = `import { MODEL_NAMES } from "@meander/meander";
import { auc } from "@meander/meander/evaluation";
console.log(MODEL_NAMES[0], auc([0, 1], [0.1, 0.2]));`;
    await Deno.writeTextFile(`${folder}/main.ts`, program);
    assert.equal(await run(Deno.execPath(), ["run", "-q", "-A", "--no-lock", "main.ts"], folder), "base 1\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
