import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { findCut } from "../../streams/backup/cut.ts";
import type { Place } from "../../streams/log/log.ts";

const TASKS = 3;
const place = (topic: string, partition: number): Place => ({ topic, partition });
const sources = Array.from({ length: TASKS }, (_, p) => place("events", p));
const derived = [
  ...Array.from({ length: TASKS }, (_, p) => [place("state", p), place("statistics", p)]).flat(),
  place("parameters", 0),
];
const nameOf = ({ topic, partition }: Place) => `${topic}/${partition}`;

/**
 * A broker with tasks and a learner: each transaction writes to its partitions one after another, and so do its
 * markers. Each look at a partition happens at a different moment.
 */
class Broker {
  /** Ends of partitions: readable, and written. */
  readonly #ends = new Map(
    [...sources, ...derived].map((place) => [nameOf(place), { readable: 0, written: 0 }]),
  );
  /** The next steps of each writer. */
  readonly #steps: (() => void)[][] = Array.from({ length: TASKS + 1 }, () => []);
  /** What each commit made readable, by partition, with the events that it had read. */
  readonly commits: {
    readonly ends: ReadonlyMap<string, number>;
    readonly read: ReadonlyMap<string, number>;
  }[] = [];
  readonly #random: () => number;
  readonly #busy: number;

  constructor(random: () => number, busy: number) {
    this.#random = random;
    this.#busy = busy;
  }

  endsOf(places: readonly Place[], of: "readable" | "written"): Promise<readonly number[]> {
    const found = new Map<string, number>();
    for (const place of places.toSorted(() => this.#random() - 0.5)) {
      this.pass(this.#random() < 0.2 ? 60 : 1); // a broker that is slow to answer
      found.set(nameOf(place), this.#ends.get(nameOf(place))![of]);
    }
    return Promise.resolve(places.map((place) => found.get(nameOf(place))!));
  }

  pass(steps: number): void {
    for (let n = 0; n < steps; n++) {
      const writer = Math.floor(this.#random() * (TASKS + 2));
      if (writer === TASKS + 1) {
        const end = this.#ends.get(`events/${Math.floor(this.#random() * TASKS)}`)!;
        end.readable = ++end.written;
        continue;
      }
      const steps = this.#steps[writer]!;
      if (steps.length === 0 && this.#random() < this.#busy) steps.push(...this.#transaction(writer));
      steps.shift()?.();
    }
  }

  #transaction(writer: number): (() => void)[] {
    const own = writer === TASKS ? ["parameters/0"] : [`state/${writer}`, `statistics/${writer}`];
    const read = new Map(
      writer === TASKS
        ? derived.map((place) => [nameOf(place), this.#ends.get(nameOf(place))!.readable] as const).filter((
          [name],
        ) => name.startsWith("state/"))
        : [[`events/${writer}`, this.#ends.get(`events/${writer}`)!.readable] as const],
    );
    const write = own.map((name) => () => void this.#ends.get(name)!.written++);
    const mark = own.map((name) => () => {
      const end = this.#ends.get(name)!;
      end.readable = end.written = end.written + 1;
    });
    const done = () => {
      const ends = new Map(own.map((name) => [name, this.#ends.get(name)!.readable]));
      this.commits.push({ ends, read });
    };
    return [...write, ...mark.slice(0, -1), () => {
      mark.at(-1)!();
      done();
    }];
  }
}

/** Why these ends are not those of one moment. */
function faultsOf(broker: Broker, ends: ReadonlyMap<string, number>): string[] {
  return broker.commits.flatMap((commit) => {
    const has = [...commit.ends].map(([name, end]) => ends.get(name)! >= end);
    if (new Set(has).size > 1) return ["a commit is there in part"];
    const isAhead = has[0] === true && [...commit.read].some(([name, end]) => end > ends.get(name)!);
    return isAhead ? ["a commit has read what is not there"] : [];
  });
}

const endsBy = (places: readonly Place[], ends: readonly number[]) =>
  places.map((place, i) => [nameOf(place), ends[i]!] as const);

Deno.test("findCut() finds ends that hold each commit in full, with everything that it had read", async () => {
  let looks = 0, naive = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = mulberry32(seed);
    const broker = new Broker(random, 0.03);
    broker.pass(200);
    const options = {
      sources,
      derived,
      timeoutMs: 1e9,
      now: () => 0,
      random,
      pause: (ms: number) => Promise.resolve(broker.pass(Math.ceil(ms))),
    };
    // What looking only once would give.
    const [first, last] = [
      await broker.endsOf(derived, "readable"),
      await broker.endsOf(sources, "readable"),
    ];
    const cut = await findCut(broker, options);
    looks += cut.looks;
    broker.pass(200);
    if (faultsOf(broker, new Map([...endsBy(derived, first), ...endsBy(sources, last)])).length > 0) naive++;
    const ends = new Map([...endsBy(derived, cut.derived), ...endsBy(sources, cut.sources)]);
    assert.deepEqual(faultsOf(broker, ends), [], `seed ${seed}`);
  }
  assert.ok(naive > 30, `a single look fails in ${naive} of 300`);
  assert.ok(looks > 600, `${looks} looks`);
});

Deno.test("findCut() gives up after its timeout and names the busy partitions", async () => {
  let time = 0;
  const endsOf = (places: readonly Place[], of: string) =>
    Promise.resolve(places.map(() => of === "readable" ? 1 : 2));
  const pause = (ms: number) => Promise.resolve(void (time += ms));
  const options = { sources, derived, timeoutMs: 60_000, now: () => time, pause, random: () => 0.5 };
  await assert.rejects(
    findCut({ endsOf }, options),
    /without a commit within 60 s, after 3001 looks \(state\/0, statistics\/0, state\/1, statistics\/1\): let processes/,
  );
});
