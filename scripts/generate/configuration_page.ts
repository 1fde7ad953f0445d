/**
 * docs/reference/configuration.md, made of the schema of the configuration.
 *
 * @module
 */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import type { Reach } from "../../src/options/option.ts";
import { configJsonSchema } from "../../streams/config/config.ts";

/** A field of the configuration. */
export interface ConfigRow {
  /** Its path, such as `sequence.window`. */
  readonly key: string;
  /** What it may be. */
  readonly type: string;
  /** What it is when it is absent; empty = it is wanted where the section is. */
  readonly fallback: string;
  /** The default as JSON; `undefined` when there is none. */
  readonly value: unknown;
  /** What it means. */
  readonly about: string;
  /** How far a change of it reaches. */
  readonly reach: Reach | undefined;
}

const SECTIONS: readonly (readonly [title: string, intro: string, keys: readonly string[]])[] = [
  ["The task", "", []], // all that is in no other section
  ["The learner", "", [
    "delivery",
    "batchRows",
    "checkpointBatches",
    "checkpointIntervalMs",
    "publishIntervalMs",
    "snapshotVersions",
    "keepRows",
    "learner",
  ]],
  [
    "The log",
    "On SQLite. Flags win (`--durability`, `--sync-ms`). See [durability](../explanation/log.md#durability).",
    ["durability", "syncMs"],
  ],
  [
    "Kafka",
    "Flags win; secrets come from files or the environment: [deploy on Kafka](../how-to/deploy-on-kafka.md).",
    [
      "kafka",
    ],
  ],
  ["Sources", "See [map your topics](../how-to/map-your-topics.md).", ["sources"]],
  ["HTTP", "See [HTTP](http.md#settings). `MEANDER_API_KEY` is one more key, which allows everything.", [
    "http",
  ]],
  [
    "The proof",
    "`null` turns it off. See [the learner](../explanation/learner.md#before-a-model-has-proved-itself).",
    [
      "proof",
    ],
  ],
  [
    "The guard",
    "`null` turns it off. See [the learner](../explanation/learner.md#when-learning-goes-wrong).",
    ["guard"],
  ],
  ["The models", "See [models](../explanation/models.md).", ["models"]],
];

const INTRO = `# Configuration

\`meander.json\` beside the data, or \`--config <file>\`; \`deno task meander -- init\` writes one to begin with.
Every key is optional; an unknown or repeated one is an error that names it and its lines. The
[profile of a format](../../streams/replay/profiles.ts) stands between the defaults below and the file. Times
are in milliseconds where a key ends in \`Ms\`, sizes in bytes. \`deno run -A scripts/generate/schemas.ts\` makes
this page of [the schema](../../streams/config/config_schema.ts). _Changed_: when a deployment that is there
takes a new value ([decision 50](../decisions/0050-generations.md)).

\`\`\`json
{
  "features": { "itemFields": ["brand"], "crosses": ["brand"] },
  "actions": { "share": { "positive": true, "strength": 1 } },
  "policy": { "name": "epsilon", "epsilon": 0.05 }
}
\`\`\`

Comments (\`//\`, \`/* */\`) and trailing commas are allowed. An entry of \`actions\` replaces that action's whole
policy; actions that are not named keep theirs. For an editor that completes and checks, write the schema with
\`deno run -A scripts/generate/schemas.ts --config > meander.schema.json\`, and name it:
\`"$schema": "meander.schema.json"\`.

Variables of the environment win over the file, for every command: \`MEANDER_\` and the path in capitals,
\`MEANDER_HTTP_MAX_BODY_BYTES=1000000\` for \`http.maxBodyBytes\`; JSON, or else a text. Secrets are only there or
in files: \`MEANDER_API_KEY\`, \`MEANDER_SASL_USERNAME\`, \`MEANDER_SASL_PASSWORD\`, \`MEANDER_TLS_PASSPHRASE\`.
\`MEANDER_DEBUG\` adds the stack to the error of a command.
`;

/** Reaches as the page has them. */
const REACHES: Readonly<Record<Reach, string>> = {
  "rebuild": "rebuild",
  "onward": "from then on",
  "at-once": "at once",
  "process": "-",
};

/** Every field, in the order of the schema. */
export function configRows(schema: JsonSchema = configJsonSchema()): readonly ConfigRow[] {
  return rowsOf("", schema as Node, undefined); // with the keywords that are read here
}

/** The text of the page. */
export function configurationPage(): string {
  const rows = configRows();
  const sectionOf = (key: string) => {
    const [top = ""] = key.split(".");
    return SECTIONS.find(([, , keys]) => keys.includes(top)) ?? SECTIONS[0];
  };
  const parts = SECTIONS.map((section) => {
    const [title, intro] = section;
    const lines = alikeTogether(rows.filter(({ key }) => sectionOf(key) === section));
    return [
      `## ${title}`,
      ...(intro === "" ? [] : [intro]),
      table(["Key", "Type", "Default", "Changed", "Meaning"], lines),
    ]
      .join("\n\n");
  });
  return `${INTRO}\n${parts.join("\n\n")}\n`;
}

/** The cells of rows; fields of one part that say the same share a row. */
function alikeTogether(rows: readonly ConfigRow[]): readonly (readonly string[])[] {
  const lines: { readonly keys: string[]; readonly cells: readonly string[]; readonly alike: string }[] = [];
  for (const { key, type, fallback, about, reach } of rows) {
    const [, part = "", name = ""] = /^(.*?)([^.]*)$/.exec(key) ?? [];
    const cells = [type, fallback, reach === undefined ? "" : REACHES[reach], about],
      alike = [part, ...cells].join("\n");
    const last = lines.at(-1);
    if (last?.alike === alike) last.keys.push(`\`.${name}\``);
    else lines.push({ keys: [`\`${key}\``], cells, alike });
  }
  return lines.map(({ keys, cells }) => [keys.join(", "), ...cells]);
}

/** JSON Schema, as far as zod writes it here. */
interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly "x-default"?: string;
  readonly "x-reach"?: Reach;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly not?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

function rowsOf(key: string, node: Node, before: Reach | undefined): readonly ConfigRow[] {
  const reach = node["x-reach"] ?? before;
  const own = node.description === undefined ? [] : [{ ...rowOf(key, node), reach }];
  const parts = [node, ...node.anyOf ?? [], ...node.oneOf ?? []];
  const inner = new Map<string, readonly ConfigRow[]>();
  for (const { properties = {}, additionalProperties, items } of parts) {
    for (const [name, child] of Object.entries(properties)) {
      if (child.not !== undefined) continue; // what must not be there
      const path = key === "" ? name : `${key}.${name}`;
      if (!inner.has(path)) inner.set(path, rowsOf(path, child, reach));
    }
    if (typeof additionalProperties === "object" && additionalProperties.properties !== undefined) {
      inner.set(`${key}.<name>`, rowsOf(`${key}.<name>`, additionalProperties, reach));
    }
    if (items?.properties !== undefined) inner.set(`${key}[]`, rowsOf(`${key}[]`, items, reach));
  }
  return [...own, ...[...inner.values()].flat()];
}

function rowOf(key: string, node: Node): Omit<ConfigRow, "reach"> {
  const { description: about = "", default: value, "x-default": words } = node;
  const fallback = words ?? (value === undefined ? "" : `\`${JSON.stringify(value)}\``);
  return { key, type: typeOf(node), fallback, value, about };
}

function typeOf(node: Node): string {
  const { type, enum: words, const: word, items, anyOf, oneOf, properties } = node;
  if (words !== undefined) return words.map((each) => `\`${JSON.stringify(each)}\``).join(", ");
  if (word !== undefined) return `\`${JSON.stringify(word)}\``;
  const several = anyOf ?? oneOf;
  if (several !== undefined) {
    const names = several.map(({ properties, ...rest }) =>
      properties?.["name"]?.const !== undefined
        ? `\`${JSON.stringify(properties["name"].const)}\``
        : typeOf({ ...rest, ...(properties === undefined ? {} : { properties }) })
    );
    return [...new Set(names)].join(", ");
  }
  if (typeof type === "object") return type.map((one) => typeOf({ ...node, type: one })).join(", ");
  if (type === "array") return `list of ${items === undefined ? "anything" : typeOf(items)}`;
  if (properties !== undefined || type === "object") return "object";
  if (type === "boolean") return "true, false";
  if (type === "number" || type === "integer") return `${type}${boundsOf(node)}`;
  return type === "string" ? "text" : type ?? "anything";
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node): string {
  const bounds = [
    ...(minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? [] : [`≥ ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`> ${exclusiveMinimum}`]),
    ...(maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? [] : [`≤ ${maximum}`]),
    ...(exclusiveMaximum === undefined ? [] : [`< ${exclusiveMaximum}`]),
  ];
  return bounds.length === 0 ? "" : ` ${bounds.join(", ")}`;
}

/** A table as `deno fmt` writes it. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = header.map((name, c) =>
    Math.max(name.length, ...escaped.map((row) => [...row[c] ?? ""].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, c) => cell + " ".repeat((widths[c] ?? 0) - [...cell].length)).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...escaped.map(line)].join("\n");
}
