/** Options are declared once: their docs, and other code, agree with the declaration. */

import assert from "node:assert/strict";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
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

/** Defaults by the docs of an interface, by field. */
function documented(text: string, interfaceName: string): ReadonlyMap<string, string> {
  const [, body = ""] = new RegExp(`interface ${interfaceName}\\b[^{]*\\{(.*?)\\n\\}`, "s").exec(text) ?? [];
  const fields = body.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s+readonly (\w+)\?:/gs);
  return new Map([...fields].flatMap(([, doc = "", name = ""]) => {
    const [, value] = /@default \{(.+?)\}\s*$/s.exec(doc.replaceAll(/\n\s*\*/g, "")) ?? [];
    return value === undefined ? [] : [[name, value] as const];
  }));
}

const declared = await declarations();

Deno.test("docs of options state the defaults of their declarations", () => {
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

Deno.test("docs of options that are passed on state the defaults of their declarations", () => {
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

/** Names that are those of options but mean something else, by file. */
const OTHERS: ReadonlySet<string> = new Set([
  "src/codec/record.ts capacity", // of a buffer
  "src/codec/byte_writer.ts capacity",
  "streams/log/kafka/protocol/wire.ts capacity",
  "src/users/inspection.ts most", // users that are scanned
  "src/retrieval/items/item_scores.ts columns", // of sums
  "src/retrieval/folds/occasions.ts halfLifeMs", // of counts by occasion
  "src/nn/optimisers/adagrad.ts learningRate", // every learner sets one
  "src/nn/optimisers/adam.ts learningRate",
  "src/nn/optimisers/adagrad.ts epsilon", // inside a root
  "src/nn/optimisers/adam.ts epsilon",
  "src/learner/calibration.ts scale", // of logits
  "src/draws/policy.ts deviations", // of scores
  "src/features/serving.ts lifelong", // what a model can do, not what is wanted
  "src/embeddings/table.ts scale", // of a step
  "src/experiments/sample_ratio.ts alpha", // of the test of shares
  "streams/dashboard/snapshot.ts tableBytes", // there is no learner
  "streams/http/backlog.ts maxWaiting", // bodies, not requests
  "streams/http/backlog.ts waitMs", // for room
  "streams/report/progress.ts intervalMs", // between two lines
  ...["foreign", "taobao", "sparrow", "open_bandit"].map((name) => `streams/sources/${name}.ts columns`), // of a known format
  "scripts/research/protocols/sparrow_samples.ts columns",
  "streams/sources/csv.ts separator", // the format's own
  "scripts/map.ts registry", // where its schemas are, or the format of a file
  "scripts/evaluate.ts ranking", // of a protocol that uses no model unless told to
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

/** Operators that replace an absent value. */
const FALLBACKS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.QuestionQuestionToken,
  ts.SyntaxKind.QuestionQuestionEqualsToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.BarBarEqualsToken,
]);

/** Whether it is a literal value, but neither 0 nor empty nor the field of a declaration. */
function isLiteral(node: ts.Expression): boolean {
  if (ts.isNumericLiteral(node)) return Number(node.text) !== 0;
  if (ts.isStringLiteralLike(node)) return node.text !== "";
  if (ts.isParenthesizedExpression(node)) return isLiteral(node.expression);
  if (ts.isBinaryExpression(node)) return isLiteral(node.left) && isLiteral(node.right);
  if (ts.isArrayLiteralExpression(node)) return node.elements.length > 0 && node.elements.every(isLiteral);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
  return ts.isIdentifier(node) && /^(?!DEFAULT_)[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(node.text);
}

/** The last name of `a.b.c`, `a["c"]` or `c`. */
function lastName(node: ts.Node): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node)) return lastName(node.expression);
  const isIndexed = ts.isElementAccessExpression(node) && ts.isStringLiteral(node.argumentExpression);
  return isIndexed ? node.argumentExpression.text : "";
}

/** Names for which a node falls back to a literal. */
function fallenBack(node: ts.Node): readonly string[] {
  if (ts.isBinaryExpression(node)) {
    return FALLBACKS.has(node.operatorToken.kind) && isLiteral(node.right) ? [lastName(node.left)] : [];
  }
  if (ts.isBindingElement(node) || ts.isParameter(node)) {
    if (node.initializer === undefined || !isLiteral(node.initializer)) return [];
    return [lastName(ts.isBindingElement(node) ? node.propertyName ?? node.name : node.name)];
  }
  if (ts.isConditionalExpression(node)) {
    const { condition, whenTrue, whenFalse } = node;
    const isAsked = ts.isBinaryExpression(condition) && lastName(condition.right) === "undefined";
    return isAsked && (isLiteral(whenTrue) || isLiteral(whenFalse)) ? [lastName(condition.left)] : [];
  }
  if (!ts.isObjectLiteralExpression(node)) return [];
  const spread = node.properties.findLastIndex(ts.isSpreadAssignment);
  return node.properties.slice(0, Math.max(spread, 0)).flatMap((property) =>
    ts.isPropertyAssignment(property) && isLiteral(property.initializer) ? [lastName(property.name)] : []
  );
}

/** What falls back on a literal where an option is absent, as `file:line name: code`. */
function secondDefaults(file: string, text: string, names: ReadonlySet<string>): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    for (const name of fallenBack(node)) {
      if (!names.has(name) || OTHERS.has(`${file} ${name}`)) continue;
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
      found.push(`${file}:${line} ${name}: ${node.getText(source)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

Deno.test("no code has a second default for an option", () => {
  const names = optionNames();
  assert.ok(names.size > 120, `${names.size} names`);
  assert.deepEqual([...files].flatMap(([file, text]) => secondDefaults(file, text, names)), []);
});

Deno.test("secondDefaults() finds a second default however it is written", () => {
  const names = new Set(["retryMs", "widths"]);
  const found = (code: string) => secondDefaults("a.ts", code, names).length;
  assert.equal(found("const a = options.retryMs ?? 60_000;"), 1);
  assert.equal(found("const { x, retryMs = 60_000 } = options;"), 1);
  assert.equal(found("function f({ retryMs: own, widths = [64] }) {}"), 1);
  assert.equal(found("const a = (options ?? {}).retryMs ?? RETRY_MS;"), 1);
  assert.equal(found('const a = options["retryMs"] || 60 * 1000;'), 1);
  assert.equal(found("const { retryMs } = options; use(retryMs ?? 60_000);"), 1);
  assert.equal(found("options.retryMs ??= 60_000;"), 1);
  assert.equal(found("function f(retryMs: number = 60_000) {}"), 1);
  assert.equal(found("const a = options.retryMs === undefined ? 60_000 : options.retryMs;"), 1);
  assert.equal(found("const a = { retryMs: 60_000, ...options };"), 1);
  assert.equal(found("const a = { ...options, retryMs: 60_000 };"), 0);
  assert.equal(found("const a = options.retryMs ?? OPTIONS.retryMs.value; // retryMs = 5"), 0);
});
