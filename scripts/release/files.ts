/** Files of a release and their checksums. */

import { createHash } from "node:crypto";

/** Name of the file of checksums, in the format of `sha256sum`. */
export const CHECKSUMS = "SHA256SUMS";

/** Writes the checksums of all files of a folder. @returns Their names */
export async function writeChecksums(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && name !== CHECKSUMS) names.push(name);
  }
  names.sort();
  let lines = "";
  for (const name of names) {
    const digest = createHash("sha256").update(await Deno.readFile(`${folder}/${name}`)).digest("hex");
    lines += `${digest}  ${name}\n`;
  }
  await Deno.writeTextFile(`${folder}/${CHECKSUMS}`, lines);
  return names;
}
