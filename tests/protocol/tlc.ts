/**
 * Runs TLC, the model checker of TLA+, on the models next to this file.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { mavenJars } from "../../scripts/kafka/maven_jars.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** The models are small: the optimising compiler costs more than it saves, and most objects live briefly. */
const QUICK_JVM = ["-Xmx2g", "-Xmn512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const CACHE = fileURLToPath(new URL("../../.data/protocol", import.meta.url));

/** What TLC found. */
export interface Checked {
  /** The invariant that a reachable state violates, if one does. */
  readonly violated: string | undefined;
  /** Distinct states that were explored. */
  readonly states: number;
  /** Whether one of them is the end of the model's work. */
  readonly isDone: boolean;
}

/** The folder of TLC's jars; `undefined`, with a loud note, when it cannot run here. */
export async function prepareTlc(): Promise<string | undefined> {
  try {
    return await mavenJars(`${HERE}pom.xml`, CACHE);
  } catch (error) {
    const text = `SKIPPED: the models of the protocol, as TLC cannot run: ${error}\n`;
    await Deno.stderr.write(new TextEncoder().encode(text));
    return undefined;
  }
}

/**
 * Explores every reachable state of a model.
 *
 * @param changes constants with other values than in the model's `.cfg`
 * @throws Error with what TLC printed when it ended in another way
 */
export async function check(
  jars: string,
  model: string,
  changes: Readonly<Record<string, string | number | boolean>> = {},
): Promise<Checked> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${HERE}${model}.tla`, `${folder}/${model}.tla`);
    const config = configOf(await Deno.readTextFile(`${HERE}${model}.cfg`), changes);
    await Deno.writeTextFile(`${folder}/${model}.cfg`, config);
    const { stdout } = await new Deno.Command("java", {
      args: [
        ...QUICK_JVM,
        "-cp",
        `${jars}/*`,
        "tlc2.TLC",
        `${model}.tla`,
      ],
      cwd: folder,
    }).output();
    const text = new TextDecoder().decode(stdout);
    const states = Number(/(\d+) distinct states found, \d+ states left/.exec(text)?.[1]);
    const violated = /Invariant (\w+) is violated/.exec(text)?.[1];
    if (violated === undefined && !text.includes("No error has been found")) throw new Error(text);
    return { violated, states, isDone: text.includes('"done"') };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function configOf(
  text: string,
  changes: Readonly<Record<string, string | number | boolean>>,
): string {
  let config = text;
  for (const [name, value] of Object.entries(changes)) {
    const line = new RegExp(`^  ${name} = .*$`, "m");
    if (!line.test(config)) throw new RangeError(`Cannot change ${name}: the model has no such constant`);
    config = config.replace(line, `  ${name} = ${String(value).toUpperCase()}`);
  }
  return config;
}
