/**
 * A rival in another process. It is told each behaviour once it has happened and asked for lists, one JSON line each,
 * so that it cannot know the future; `tests/bench/rivals/next_item.py` describes the lines.
 *
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Baseline, BaselineQuery, Behaviour } from "../../../scripts/evaluate/baselines/baseline.ts";

/** Its lists are judged like those of the baselines. */
export class Rival implements Baseline, AsyncDisposable {
  readonly name: string;
  readonly #program: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  /** Number of items learnt. */
  readonly #items = new Set<number>();

  /** Starts the program. */
  constructor(name: string, [command, ...args]: readonly [string, ...string[]]) {
    this.name = name;
    this.#program = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#program.stdin.on("error", () => {}); // it has ended, which is noticed when it is next asked
    const lines = createInterface(this.#program.stdout);
    this.#lines = lines[Symbol.asyncIterator]();
    this.#ended = once(this.#program, "close").catch(() => lines.close()); // it could not be started
  }

  /** See {@linkcode Baseline}. */
  learn(behaviour: Behaviour): void {
    this.#items.add(behaviour.item);
    this.#tell({ learn: behaviour });
  }

  /**
   * Sends a request to the program.
   *
   * @throws Error when it has ended
   * @throws RangeError when its list is longer than asked for, or has an item twice or one that may not be listed
   */
  async recommend({ may, ...query }: BaselineQuery): Promise<readonly number[]> {
    const refused = [...this.#items].filter((item) => !may(item));
    this.#tell({ recommend: { ...query, refused } });
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(`Cannot ask ${this.name} for a list: its program has ended`);
    const list: readonly number[] = JSON.parse(value);
    const unfit = list.find((item, at) =>
      at >= query.count || list.indexOf(item) < at || !this.#items.has(item) || !may(item)
    );
    if (unfit === undefined) return list;
    throw new RangeError(
      `Cannot judge a list of ${this.name}: item ${unfit} may not stand where it does: ${list}`,
    );
  }

  /** Ends the program. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#program.stdin.end();
    await this.#ended;
  }

  #tell(line: unknown): void {
    this.#program.stdin.write(`${JSON.stringify(line)}\n`);
  }
}
