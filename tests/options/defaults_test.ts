/** Options are declared once: what their docs and other code say is what their declaration says. */

import assert from "node:assert/strict";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Declared } from "../../src/options/option.ts";
import { configRows } from "../../scripts/generate/configuration_page.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

async function* filesIn(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesIn(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

/** The product's files by path, without comments that hold examples. */
const files = new Map<string, string>();
for (const folder of ["src", "streams", "scripts"]) {
  for await (const path of filesIn(ROOT + folder)) {
    files.set(relative(ROOT, path), await Deno.readTextFile(path));
  }
}

interface Declaration {
  readonly file: string;
  readonly interfaceName: string;
  readonly options: Declared;
}

/** Every `const X_OPTIONS = {…} satisfies OptionsOf<X>`. */
async function declarations(): Promise<readonly Declaration[]> {
  const found: Declaration[] = [];
  for (const [file, text] of files) {
    const parts = text.matchAll(
      /export const (\w+) = \{(?:(?!\nexport ).)*?\n\} satisfies OptionsOf<\s*(?:(?:Omit|Pick)<\s*)?(\w+)/gs,
    );
    for (const [, name = "", interfaceName = ""] of parts) {
      const module: Readonly<Record<string, unknown>> = await import(`file://${ROOT}${file}`);
      found.push({ file, interfaceName, options: module[name] as Declared });
    }
  }
  return found;
}

/** What the docs of an interface say of defaults, by field. */
function documented(text: string, interfaceName: string): ReadonlyMap<string, string> {
  const [, body = ""] = new RegExp(`interface ${interfaceName}\\b[^{]*\\{(.*?)\\n\\}`, "s").exec(text) ?? [];
  const fields = body.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s+readonly (\w+)\?:/gs);
  return new Map([...fields].flatMap(([, doc = "", name = ""]) => {
    const [, value] = /@default \{(.+?)\}\s*$/s.exec(doc.replaceAll(/\n\s*\*/g, "")) ?? [];
    return value === undefined ? [] : [[name, value] as const];
  }));
}

const declared = await declarations();

Deno.test("the docs of options have the defaults of their declarations", () => {
  const odd: string[] = [];
  let compared = 0;
  for (const { file, interfaceName, options } of declared) {
    for (const [name, text] of documented(files.get(file) ?? "", interfaceName)) {
      const option = options[name];
      if (option === undefined || option.words !== undefined) continue;
      const wanted = JSON.stringify(option.value);
      if (text.replaceAll(" ", "") !== wanted) {
        odd.push(`${file}: ${interfaceName}.${name}: ${text} for ${wanted}`);
      }
      compared++;
    }
  }
  assert.deepEqual(odd, []);
  assert.ok(declared.length >= 16 && compared > 80, `${declared.length} declarations, ${compared} compared`);
});

Deno.test("the docs of what passes options on have the defaults of their declarations", () => {
  const values = new Map<string, Set<string>>();
  for (const { options } of declared) {
    for (const [name, { value }] of Object.entries(options)) {
      if (value === undefined) continue;
      values.set(name, (values.get(name) ?? new Set()).add(JSON.stringify(value)));
    }
  }
  const odd: string[] = [];
  for (const [file, text] of files) {
    for (const [, interfaceName = ""] of text.matchAll(/interface (\w+)/g)) {
      if (declared.some((one) => one.file === file && one.interfaceName === interfaceName)) continue;
      for (const [name, doc] of documented(text, interfaceName)) {
        const known = values.get(name);
        if (known === undefined || OTHERS.has(`${file} ${name}`) || !/^[\d"\[]|^true$|^false$/.test(doc)) {
          continue;
        }
        if (!known.has(doc.replaceAll(/[ _]/g, ""))) {
          odd.push(`${file}: ${interfaceName}.${name}: ${doc} for ${[...known]}`);
        }
      }
    }
  }
  assert.deepEqual(odd, []);
});

/** What has the name of an option and is none, by file. */
const OTHERS: ReadonlySet<string> = new Set([
  "src/codec/record.ts capacity", // of a buffer
  "src/users/inspection.ts most", // users that are looked at
  "src/nn/optimisers/adagrad.ts learningRate", // whoever learns gives one
  "src/nn/optimisers/adam.ts learningRate",
  "src/nn/optimisers/adagrad.ts epsilon", // inside a root
  "src/nn/optimisers/adam.ts epsilon",
  "src/learner/calibration.ts scale", // of logits
  "src/draws/policy.ts deviations", // of scores
  "src/features/serving.ts lifelong", // what a model can, not what is wanted
  "src/embeddings/table.ts scale", // of a step
  "src/experiments/sample_ratio.ts alpha", // of the test of shares
  "streams/dashboard/snapshot.ts tableBytes", // there is no learner
  "streams/http/backlog.ts maxWaiting", // bodies, not requests
  "streams/http/backlog.ts waitMs", // for room
  "streams/report/progress.ts intervalMs", // between two lines
  "scripts/evaluate.ts ranking", // of a protocol that asks for no model unless it is told to
  "scripts/evaluate/next_item.ts ranking",
  "scripts/evaluate/next_item.ts count", // of places that are judged
  "scripts/evaluate/next_item_report.ts count",
  "scripts/evaluate/next_item.ts sources", // of candidates
  "src/metrics/clustered_mean.ts confidence", // of an interval, not of a verdict
]);

/** Names of options, without those of parts of lists, such as conditions. */
function optionNames(): ReadonlySet<string> {
  const keys = configRows().map(({ key }) => key).filter((key) => !/[<[]/.test(key));
  return new Set([
    ...keys.map((key) => key.split(".").at(-1) ?? ""),
    ...declared.flatMap(({ options }) => Object.keys(options)),
  ]);
}

/** A number above 0, a word or a constant, but not the field of a declaration. */
const LITERAL = String
  .raw`(?:(?!0(?![\d._]))\d[\d_.e-]*|"[^"]+"|true|\[[^\]]+\]|(?!DEFAULT_)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?![.([]))`;
const FALLBACK = new RegExp(String.raw`(?:\.(\w+)\)? \?\?|[{,]\s*(?:\w+: )?(\w+) =) ${LITERAL}`, "g");

/** What falls back on a literal where an option is absent, as `name: file:line code`. */
function secondDefaults(file: string, text: string, names: ReadonlySet<string>): string[] {
  const code = text.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, (comment) => comment.replaceAll(/[^\n]/g, ""));
  return [...code.matchAll(FALLBACK)].flatMap(({ 0: hit, 1: fallen, 2: taken, index }) => {
    const name = fallen ?? taken ?? "";
    if (!names.has(name) || OTHERS.has(`${file} ${name}`)) return [];
    return [`${file}:${code.slice(0, index).split("\n").length}: ${hit}`];
  });
}

Deno.test("no code has a second default of an option", () => {
  const names = optionNames();
  assert.ok(names.size > 120, `${names.size} names`);
  assert.deepEqual([...files].flatMap(([file, text]) => secondDefaults(file, text, names)), []);
});

Deno.test("a second default is found however it is written", () => {
  const names = new Set(["retryMs", "widths"]);
  const found = (code: string) => secondDefaults("a.ts", code, names).length;
  assert.equal(found("const a = options.retryMs ?? 60_000;"), 1);
  assert.equal(found("const { x, retryMs = 60_000 } = options;"), 1);
  assert.equal(found("function f({ retryMs: own, widths = [64] }) {}"), 1);
  assert.equal(found("const a = (options ?? {}).retryMs ?? RETRY_MS;"), 1);
  assert.equal(found("const a = options.retryMs ?? OPTIONS.retryMs.value; // retryMs = 5"), 0);
});
