/**
 * Makes a release of this checkout: `--prepare` writes what has to be committed for it; without it, makes the files.
 *
 *     deno run -A scripts/release/release.ts --prepare
 *     deno run -A scripts/release/release.ts --to dist
 */

import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { commandArguments, createCommand, runCommand, say } from "../flags/command_line.ts";
import { make, prepare } from "./steps.ts";

interface Flags {
  readonly prepare?: true;
  readonly to: string;
}

const program = createCommand("release")
  .description("Make a release of this checkout; its version is that of deno.json.")
  .option("--prepare", "date the changelog and write the records of tests/compat, to be committed")
  .option("--to <folder>", "folder to make, with the packages and their checksums", "dist")
  .parse(commandArguments(), { from: "user" });

const flags = program.opts<Flags>();
await runCommand(async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
  const checkout = { root, say };
  await (flags.prepare
    ? prepare(checkout, new Date().toISOString().slice(0, 10))
    : make(checkout, resolve(flags.to)));
  return 0;
});
