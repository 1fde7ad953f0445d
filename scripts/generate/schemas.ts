/**
 * Writes the schemas of the records to docs/reference/schemas/, and docs/reference/configuration.md. With `--check` it
 * only compares, and fails when a file is not up to date; with `--config` it prints the schema of meander.json instead.
 *
 *     deno run -A scripts/generate/schemas.ts [--check]
 *     deno run -A scripts/generate/schemas.ts --config > meander.schema.json
 */

import { jsonSchemas } from "../../src/events/json_schema.ts";
import { configJsonSchema } from "../../streams/config/config.ts";
import { avroSchema, protobufSchema } from "../../streams/formats/output_schema.ts";
import { say } from "../flags/command_line.ts";
import { configurationPage } from "./configuration_page.ts";

const folder = new URL("../../docs/reference/", import.meta.url);

/** The files by name, with their text. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...Object.entries(jsonSchemas()).map((
      [name, schema],
    ) => [`schemas/${name}.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`] as const),
    ["schemas/recommendation.avsc", `${JSON.stringify(avroSchema(), undefined, 2)}\n`],
    ["schemas/recommendation.proto", protobufSchema()],
    ["schemas/sample.avsc", `${JSON.stringify(avroSchema("Sample"), undefined, 2)}\n`],
    ["schemas/sample.proto", protobufSchema("Sample")],
    ["configuration.md", configurationPage()],
  ]);
}

/** Names of the files that differ from what {@linkcode schemaFiles} makes, or are missing. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [name, text] of schemaFiles()) {
    const found = await Deno.readTextFile(new URL(name, folder)).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    if (found !== text) stale.push(name);
  }
  return stale;
}

if (import.meta.main && Deno.args.includes("--config")) {
  say(JSON.stringify(configJsonSchema(), undefined, 2));
} else if (import.meta.main) {
  const stale = await staleFiles();
  if (!Deno.args.includes("--check")) {
    await Deno.mkdir(new URL("schemas/", folder), { recursive: true });
    for (const [name, text] of schemaFiles()) await Deno.writeTextFile(new URL(name, folder), text);
    say(`wrote ${schemaFiles().size} files, ${stale.length} changed`);
  } else if (stale.length > 0) {
    say(`not up to date: ${stale.join(", ")}; run \`deno run -A scripts/generate/schemas.ts\``);
    Deno.exit(1);
  } else {
    say("schemas and configuration.md are up to date");
  }
}
