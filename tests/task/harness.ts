import type { Log } from "../../streams/log/log.ts";

/** The log without its index of keys, as Kafka has none. */
export function withoutIndex(log: Log): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === "latest") return undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Runs a test with the path of a snapshot's folder, which does not exist yet. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "meander-snapshot-" });
  try {
    await test(`${folder}/state-0`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Copies a snapshot's folder as a killed process would leave it; there may be none yet. */
export async function photograph(folder: string, copy: string): Promise<void> {
  for (let tries = 0;; tries++) {
    const names = await namesIn(folder);
    if (names === null) return;
    await Deno.mkdir(copy, { recursive: true });
    // The manifest first: the store goes on writing meanwhile, and segments only grow.
    const kept = names.filter((name) => name === "manifest" || name.endsWith(".segment")).sort().reverse();
    try {
      for (const name of kept) await Deno.copyFile(`${folder}/${name}`, `${copy}/${name}`);
      return;
    } catch (error) {
      // A segment was emptied and removed meanwhile: the copy is not of a single moment.
      if (!(error instanceof Deno.errors.NotFound) || tries === 20) throw error;
      await Deno.remove(copy, { recursive: true });
    }
  }
}

async function namesIn(folder: string): Promise<string[] | null> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
