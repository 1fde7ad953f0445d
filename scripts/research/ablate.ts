/**
 * `deno task meander ablate`: the models with one part removed at a time, on every protocol, three seeds, as a table in
 * Markdown. Runs accumulate in a JSON file, so the same command resumes after a stop; with `--runs 0` it only prints.
 */

import { createModel } from "../../src/nn/models/registry.ts";
import { StoredState } from "../../src/users/states/stored_state.ts";
import { isOneOf } from "../../src/values/one_of.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { keysOf } from "../../src/values/record.ts";
import { type Config, modelConfig } from "../../streams/config/config.ts";
import {
  commandArguments,
  commandName,
  createCommand,
  integer,
  makeRoomFor,
  print,
  runCommand,
} from "../flags/command_line.ts";
import type { Protocol, ProtocolData } from "./protocols/protocol.ts";
import { PROTOCOLS } from "./protocols/protocols.ts";
import { P1, shopProtocol } from "./protocols/streams.ts";
import { type Variant, VARIANTS } from "./protocols/variants.ts";

interface Run {
  readonly protocol: string;
  readonly variant: string;
  readonly seed: number;
  readonly figures: Readonly<Record<string, number | null>>;
  readonly rowsPerSecond: number;
}

interface Flags {
  readonly data: string;
  readonly protocols: string;
  readonly variants?: string;
  readonly seeds: number;
  readonly runs: number;
  readonly out: string;
}

/** Folder under `--data`, and the figure of the table. */
const STREAMS = {
  p1: { folder: "ml-100k", figure: "auc" },
  p2: { folder: "sparrowrecsys", figure: "auc" },
  p3: { folder: "taobao-userbehavior", figure: "auc" },
  shop: { folder: "fixtures/shop", figure: "share" },
  plain: { folder: "fixtures/shop", figure: "share" },
  mind: { folder: "mind-5k", figure: "auc" },
} as const;

type StreamName = keyof typeof STREAMS;

const program = createCommand(commandName("ablate"))
  .description(
    "Run the models with one part removed at a time; earlier runs are not repeated.",
  )
  .option("--data <folder>", "folder of the public data sets", "../shared/data")
  .option(
    "--protocols <names>",
    "which of shop, plain (the shop without crosses), p1, p2, p3, mind",
    "shop,p2,p3,p1",
  )
  .option(
    "--variants <names>",
    "variants with these names, separated by semicolons, or whose names contain them",
  )
  .option("--seeds <n>", "seeds per variant", integer, 3)
  .option("--runs <n>", "stop after this many new runs", integer, 1000)
  .option("--out <file>", "file of all runs so far", ".data/ablation.json");

async function main(flags: Flags): Promise<number> {
  await makeRoomFor(flags.out);
  const runs = await readRuns(flags.out);
  const names = flags.protocols.split(",").map(streamName);
  const variants = flags.variants === undefined ? VARIANTS : variantsOf(flags.variants.split(";"));
  let left = flags.runs;
  for (const name of names) {
    const protocol = await protocolOf(name);
    const missing = variants.flatMap((variant) =>
      Array.from({ length: flags.seeds }, (_, seed) => ({ variant, seed }))
    ).filter(({ variant, seed }) =>
      !runs.some((run) => run.protocol === name && run.variant === variant.name && run.seed === seed)
    );
    const { folder } = STREAMS[name];
    let known = -1;
    let data: ProtocolData = { train: [], test: [] };
    // Seed by seed, since a seed may determine the order of the data.
    for (const { variant, seed } of missing.sort((a, b) => a.seed - b.seed)) {
      if (left-- <= 0) break;
      const path = folder === STREAMS.shop.folder ? folder : `${flags.data}/${folder}`;
      // Only P2 has a different order for each seed.
      if (known < 0 || (name === "p2" && known !== seed)) {
        data = await protocol.read(path, seed, protocol.config);
      }
      known = seed;
      const run = ablate(name, protocol, data, variant, seed);
      runs.push(run);
      await Deno.writeTextFile(flags.out, `${JSON.stringify(runs, null, 1)}\n`);
      print(Deno.stderr, `${name} ${variant.name} seed ${seed}: ${JSON.stringify(run.figures)}\n`);
    }
  }
  print(Deno.stdout, table(runs, names, variants));
  return 0;
}

function ablate(
  name: StreamName,
  protocol: Protocol,
  data: ProtocolData,
  variant: Variant,
  seed: number,
): Run {
  const { samples = (same) => same, model } = variant;
  const started = performance.now();
  const { figures, rows } = protocol.run({ train: samples(data.train), test: samples(data.test) }, {
    model,
    seed,
    heldOut: false,
    config: merged(protocol.config, variant),
  });
  const rowsPerSecond = Math.round(rows / (performance.now() - started) * 1000);
  return { protocol: name, variant: variant.name, seed, figures, rowsPerSecond };
}

function merged(base: Config, { model, config = {} }: Variant): Config {
  return {
    ...base,
    // Without pooled pairs, which would hide what else differs.
    features: { pooled: false, ...base.features, ...config.features },
    learner: { ...base.learner, ...config.learner },
    models: { [model]: { ...base.models?.[model], ...config.models?.[model] } },
  };
}

/** The variants with these names, and those whose names contain a part that is not itself a name. */
function variantsOf(parts: readonly string[]): readonly Variant[] {
  const isName = (part: string) => VARIANTS.some(({ name }) => name === part);
  return VARIANTS.filter(({ name }) =>
    parts.some((part) => isName(part) ? name === part : name.includes(part))
  );
}

function streamName(name: string): StreamName {
  const names = keysOf(STREAMS);
  if (isOneOf(names, name)) return name;
  throw new RangeError(`Cannot ablate on ${name}: protocols are ${names.join(", ")}`);
}

async function protocolOf(name: StreamName): Promise<Protocol> {
  switch (name) {
    case "p1":
      return P1;
    case "mind":
      // The same features for all models, so that a difference comes from the history branch alone.
      return { ...PROTOCOLS.mind, config: { features: { transitions: null } } };
    case "shop":
      return await shopProtocol(STREAMS.shop.folder);
    case "plain":
      return await shopProtocol(STREAMS.plain.folder, null);
    default:
      return PROTOCOLS[name];
  }
}

async function readRuns(file: string): Promise<Run[]> {
  try {
    return JSON.parse(await Deno.readTextFile(file)) as Run[]; // written by earlier runs
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return [];
    throw new Error(`Cannot read the runs of ${file}: ${reasonOf(cause)}`, { cause });
  }
}

/** Mean ± standard deviation of each variant on each protocol, its best speed, and its state. */
function table(runs: readonly Run[], names: readonly StreamName[], variants: readonly Variant[]): string {
  const head = [
    "variant",
    ...names.map((name) => `${name}, ${STREAMS[name].figure}`),
    "rows/s",
    "state bytes",
  ];
  const lines = variants.map((variant) => {
    const own = runs.filter((run) => run.variant === variant.name);
    const cells = names.map((name) =>
      meanAndDeviation(
        own.filter((run) => run.protocol === name).map((run) => run.figures[STREAMS[name].figure] ?? NaN),
      )
    );
    const speed = own.length === 0
      ? ""
      : Math.max(...own.map((run) => run.rowsPerSecond)).toLocaleString("en");
    return [variant.name, ...cells, speed, String(stateBytes(variant))];
  });
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function meanAndDeviation(values: readonly number[]): string {
  if (values.length === 0) return "";
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  if (values.length === 1) return `${mean.toFixed(4)} (one seed)`;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return `${mean.toFixed(4)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(4)}`;
}

/** Bytes of the recurrent state at the default width of items. */
function stateBytes({ model, config = {} }: Variant): number {
  const sizes = { d: 32, user: 0, context: 0 };
  const { stateSize, stretches = [0, stateSize] } = createModel(
    model,
    sizes,
    modelConfig(model, config),
    () => 0.5,
  );
  return StoredState.of(new Float32Array(stateSize), stretches).bytes.length;
}

program.parse(commandArguments(), { from: "user" });
await runCommand(() => main(program.opts<Flags>()));
