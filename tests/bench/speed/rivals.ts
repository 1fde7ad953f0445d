/**
 * The rivals: their packages, in a folder of their own, and the scripts that do the same work with them.
 *
 * @module
 */

/** A rival's figure, to compare with ours. */
export interface RivalFigure {
  readonly work: string;
  readonly by: string;
  readonly micros: number;
}

const folder = new URL("../../../.data/rivals/", import.meta.url).pathname;
const script = (name: string) => new URL(`../rivals/${name}`, import.meta.url).pathname;
/** The Python that has their packages. */
export const PYTHON = `${folder}bin/python`;
const PACKAGES = ["torch", "numpy", "onnx", "onnxscript", "vowpalwabbit", "river"];

/** Names of PyTorch's works, by ours that they are compared with. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  "train dien, 128 rows": ["train dien, 128 rows", "train dien, 32 impressions of 4"],
  "score dien, 100 candidates": ["score dien, 100 candidates"],
  "step dien, one user": ["step dien, one user"],
  "step dien, 500 users at once": ["step dien, 500 users in turn"],
};

/** Measures them on one thread. @throws Error when a command fails */
export async function measureRivals(say: (line: string) => void): Promise<RivalFigure[]> {
  return [...await pytorch(say), ...await onnx(say), ...await online(say)];
}

/** Installs them, once. @throws Error when a command fails */
export async function install(say: (line: string) => void): Promise<void> {
  if (!await exists(`${folder}installed`)) {
    say("installing PyTorch, ONNX, VW and River into .data/rivals");
    await command("python3", ["-m", "venv", folder]);
    await command(PYTHON, ["-m", "pip", "install", "--quiet", ...PACKAGES]);
    // Its install script would fetch binaries for graphics cards.
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
    await command("npm", ["install", ...flags, "onnxruntime-node@1"]);
    await Deno.writeTextFile(`${folder}installed`, `${PACKAGES.join("\n")}\n`);
  }
}

async function pytorch(say: (line: string) => void): Promise<RivalFigure[]> {
  say("measuring PyTorch");
  return (await measure(PYTHON, [script("pytorch.py"), "1"])).flatMap(({ name, micros }) =>
    (SAME[name] ?? []).map((work) => ({
      work,
      by: name === work ? "PyTorch" : `PyTorch, ${name.slice(name.indexOf(",") + 2)}`,
      // "at once" is a figure of all users together.
      micros: name.endsWith("500 users at once") ? micros / 500 : micros,
    }))
  );
}

async function onnx(say: (line: string) => void): Promise<RivalFigure[]> {
  say("measuring ONNX Runtime");
  await command(PYTHON, [script("export_onnx.py"), folder]);
  const figures = await measure("node", [script("onnx.mjs"), folder, folder]);
  return figures.map(({ name, micros }) => ({ work: name, by: "ONNX Runtime node", micros }));
}

async function online(say: (line: string) => void): Promise<RivalFigure[]> {
  say("measuring VW and River");
  const figures = await measure(PYTHON, [script("online.py")]);
  return figures.map(({ name, by = "", micros }) => ({ work: name, by, micros }));
}

/** The figures that a script prints, one JSON line each. */
async function measure(
  name: string,
  args: string[],
): Promise<{ readonly name: string; readonly by?: string; readonly micros: number }[]> {
  return (await command(name, args)).trim().split("\n").map((line) => JSON.parse(line));
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function command(name: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new Error(`Cannot run ${name}: ${new TextDecoder().decode(stderr).slice(-500)}`);
  return new TextDecoder().decode(stdout);
}
