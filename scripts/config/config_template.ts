/**
 * A configuration to start from, made from the schema: its settings, commented out, by default without those that few
 * users need.
 */

import { plainText } from "../flags/plain_text.ts";
import { type ConfigRow, configRows } from "../generate/configuration_page.ts";

/** Sections that few users need. */
const ADVANCED: ReadonlySet<string> = new Set(["learner", "proof", "guard", "models", "kafka"]);

/** Its first lines. */
const HEAD = `// The configuration of meander. Every line that begins with // "..." shows a default: to change
// it, remove that //. docs/reference/configuration.md describes all settings.
`;

/** A section: its fields, and sections within. */
interface Section {
  readonly fields: ConfigRow[];
  readonly sections: Map<string, Section>;
}

/** The text of a configuration. @param all whether it includes sections that few users need */
export function configTemplate(all: boolean): string {
  const top: Section = { fields: [], sections: new Map() };
  for (const row of configRows()) {
    const parts = row.key.split(".");
    // Leaves out entries of lists and of named groups, and options of alternatives.
    if (parts.some((part) => /[<[]/.test(part)) || row.key.startsWith("policy.")) continue;
    if (!all && ADVANCED.has(parts[0] ?? "")) continue;
    const last = parts.pop() ?? "";
    let section = top;
    for (const part of parts) {
      const inner = section.sections.get(part) ?? { fields: [], sections: new Map() };
      section.sections.set(part, inner);
      section = inner;
    }
    section.fields.push({ ...row, key: last });
  }
  return `${HEAD}{\n${linesOf(top, "  ").join("\n")}\n}\n`;
}

function linesOf({ fields, sections }: Section, indent: string): readonly string[] {
  const own = fields.flatMap((field) => sections.has(field.key) ? [] : [indent + lineOf(field)]);
  const inner = [...sections].flatMap(([name, section]) => {
    const head = fields.find(({ key }) => key === name);
    // A section whose presence alone would change the default.
    const isOff = head !== undefined && JSON.stringify(head.value) !== "{}";
    if (!isOff) {
      return ["", `${indent}${JSON.stringify(name)}: {`, ...linesOf(section, `${indent}  `), `${indent}},`];
    }
    const about = `${indent}${inWords(head)}`;
    if (section.fields.some(({ fallback }) => fallback === "")) {
      return ["", `${about}; fields: ${section.fields.map(({ key }) => key).join(", ")}`];
    }
    const block = [
      `${JSON.stringify(name)}: {`,
      ...section.fields.map((field) => `  ${plainLine(field)}`),
      ...[...section.sections].map(([inner, { fields }]) =>
        `  // ${inner} has ${fields.map(({ key }) => key).join(", ")}`
      ),
      "},",
    ];
    return ["", about, ...block.map((line) => `${indent}// ${line}`)];
  });
  return [...own, ...inner];
}

function lineOf(field: ConfigRow): string {
  return field.value === undefined ? inWords(field) : `// ${plainLine(field)}`;
}

/** A field at its default, or a comment if JSON cannot express it. */
function plainLine(field: ConfigRow): string {
  const { key, value, about } = field;
  return value === undefined
    ? inWords(field)
    : `${JSON.stringify(key)}: ${JSON.stringify(value)}, // ${plainText(about)}`;
}

function inWords({ key, type, fallback, about }: ConfigRow): string {
  return `// ${key}: ${plainText(about)}; ${plainText(type)}; if absent ${plainText(fallback)}`;
}
