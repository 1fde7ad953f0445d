/**
 * PyTorch as a rival: a virtual environment of its own, and the script that does the same work.
 *
 * @module
 */

const folder = new URL("../../../.data/rivals/", import.meta.url);
const script = new URL("../rivals/pytorch.py", import.meta.url);

/** Names of the script's works beside ours that they are compared with. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  "train dien, 128 rows": ["train dien, 128 rows", "train dien, 32 impressions of 4"],
  "score dien, 100 candidates": ["score dien, 100 candidates"],
  "step dien, one user": ["step dien, one user"],
  "step dien, 500 users at once": ["step dien, 500 users in turn"],
};

/** Installs PyTorch unless it is there, and measures it on one thread. @throws Error when a command fails */
export async function pytorch(
  say: (line: string) => void,
): Promise<{ work: string; by: string; micros: number }[]> {
  const python = new URL("bin/python", folder).pathname;
  if (!await Deno.stat(python).then(() => true, () => false)) {
    say("installing PyTorch into .data/rivals");
    await command("python3", ["-m", "venv", folder.pathname]);
    await command(python, ["-m", "pip", "install", "--quiet", "torch", "numpy"]);
  }
  say("measuring PyTorch");
  const lines = (await command(python, [script.pathname, "1"])).trim().split("\n");
  return lines.map((line) => JSON.parse(line)).flatMap(({ name, micros }: { name: string; micros: number }) =>
    (SAME[name] ?? []).map((work) => ({
      work,
      by: name === work ? "PyTorch" : `PyTorch, ${name.slice(name.indexOf(",") + 2)}`,
      // "at once" is a figure of all users together.
      micros: name.endsWith("500 users at once") ? micros / 500 : micros,
    }))
  );
}

async function command(name: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new Error(`Cannot run ${name}: ${new TextDecoder().decode(stderr).slice(-500)}`);
  return new TextDecoder().decode(stdout);
}
