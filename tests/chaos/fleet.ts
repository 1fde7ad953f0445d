/**
 * The processes of a deployment: `deno task run`, as users run it; started, disturbed and ended by name.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Options of a {@linkcode Fleet}. */
export interface FleetOptions {
  /** Arguments of a process, beside its roles. */
  readonly args: (name: string) => readonly string[];
  /** Folder in which the output of each process goes to `<name>.log`. */
  readonly folder: string;
  /** Receives a sentence about a process that misbehaved. */
  readonly report: (problem: string) => void;
}

interface Member {
  readonly child: Deno.ChildProcess;
  readonly said: string[];
  /** Whether it is meant to end, so that its end is no failure. */
  isDoomed: boolean;
  /** Time until which it is stopped: a request to end waits until the process can receive it. */
  frozen: Promise<void>;
}

const RUN = fileURLToPath(new URL("../../scripts/run.ts", import.meta.url));
/** Time that a process has from SIGTERM to its end. */
const GRACE_MS = 10_000;
/** How long a broker may be away: on a slow machine it takes minutes to come back. */
export const AWAY_MS = 300_000;
/** Time for a process to be assigned its partitions: a group waits for members that died while joining. */
const JOIN_MS = AWAY_MS + 60_000;
const FULL = /snapshot: cannot write/;
const BEGUN = /run: opening the log/;
const ASSIGNED = /events-tasks assigns/;

/**
 * Processes by name: `learner-…` learn, `monitor-…` monitor experiments, `all-…` do everything, others run tasks.
 */
export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #members = new Map<string, Member>();
  /** Number of processes started. */
  started = 0;
  /** How often a process reported that it could not write its snapshot. */
  fullDisks = 0;
  /** Longest time from SIGTERM to the end, milliseconds. */
  slowestStopMs = 0;

  /** No process runs yet. */
  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Names of those that run or are stopped for a while. */
  get names(): string[] {
    return [...this.#members.keys()];
  }

  /** Starts a process, unless it runs already: on a slow machine two faults may end it before either restarts it. */
  start(name: string): void {
    if (this.#members.has(name)) return;
    const role = ["learner", "monitor", "all"].find((role) => name.startsWith(role)) ?? "task";
    const roles = role === "all" ? "task,learner,monitor,http" : role;
    const child = new Deno.Command("sh", {
      // Without the trap, a limit of file sizes kills the process instead of failing its writes.
      args: [
        "-c",
        'trap "" XFSZ; exec "$@"',
        "sh",
        Deno.execPath(),
        "run",
        "-q",
        "-A",
        "--no-check",
        RUN,
        ...this.#options.args(name),
        "--roles",
        roles,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const member: Member = { child, said: [], isDoomed: false, frozen: Promise.resolve() };
    this.#members.set(name, member);
    this.started++;
    this.#listen(name, member);
    this.#watch(name, member);
  }

  /** Kills a process. */
  async kill(name: string): Promise<void> {
    await this.#end(name, "SIGKILL");
  }

  /** Asks a process to end, which it must do in time and with exit code 0. */
  async stop(name: string): Promise<void> {
    await this.#members.get(name)?.frozen;
    const started = performance.now();
    // Before its first line of output nothing has started, and nothing handles the signal.
    const hasBegun = this.#members.get(name)?.said.some((line) => BEGUN.test(line)) ?? false;
    const status = await this.#end(name, "SIGTERM");
    const ms = performance.now() - started;
    this.slowestStopMs = Math.max(this.slowestStopMs, ms);
    if (ms > GRACE_MS) this.#options.report(`${name} took ${Math.round(ms)} ms to stop`);
    if (hasBegun && status !== undefined && status.code !== 0) {
      this.#options.report(`${name} ended with ${status.code} on SIGTERM`);
    }
  }

  /** Stops a process for a while, like a machine that swaps. */
  async freeze(name: string, ms: number): Promise<void> {
    const member = this.#members.get(name);
    // A process that is ending would not end in time.
    if (member === undefined || member.isDoomed) return;
    member.child.kill("SIGSTOP");
    await (member.frozen = delay(ms));
    // On a slow machine it may have been killed in the meantime.
    if (this.#members.get(name) === member) member.child.kill("SIGCONT");
  }

  /** Makes every write to a file by a process fail for a while, as on a full disk. */
  async fillDisk(name: string, ms: number): Promise<void> {
    const limit = async (bytes: string) => {
      const pid = this.#members.get(name)?.child.pid;
      const { success, stderr } = await new Deno.Command("prlimit", {
        args: [`--fsize=${bytes}:unlimited`, "--pid", `${pid}`],
      }).output();
      if (!success) throw new Error(`Cannot limit ${name}: ${new TextDecoder().decode(stderr)}`);
    };
    const before = this.#members.get(name)?.said.length ?? 0;
    await limit("0");
    await delay(ms);
    await limit("unlimited");
    if (this.#members.get(name)?.said.slice(before).some((line) => FULL.test(line))) this.fullDisks++;
  }

  /** Resolves when a process was assigned its first partitions. */
  async joined(name: string): Promise<void> {
    const deadline = performance.now() + JOIN_MS;
    while (!this.#members.get(name)?.said.some((line) => ASSIGNED.test(line))) {
      if (performance.now() > deadline) return this.#options.report(`${name} was assigned no partitions`);
      await delay(5);
    }
  }

  /** Kills what is still running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.names.map((name) => this.kill(name)));
  }

  async #end(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<Deno.CommandStatus | undefined> {
    const member = this.#members.get(name);
    if (member === undefined) return undefined;
    member.isDoomed = true;
    member.child.kill(signal);
    const status = await member.child.status;
    if (this.#members.get(name) === member) this.#members.delete(name);
    return status;
  }

  async #listen(name: string, { child, said }: Member): Promise<void> {
    const path = `${this.#options.folder}/${name}.log`;
    using file = await Deno.open(path, { create: true, append: true });
    await file.write(new TextEncoder().encode(`--- started, pid ${child.pid}\n`));
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said.push(text);
      await file.write(new TextEncoder().encode(text));
    }
  }

  /** A process that ends by itself is a fault of ours; the deployment continues with another one. */
  async #watch(name: string, member: Member): Promise<void> {
    const { code, signal } = await member.child.status;
    if (member.isDoomed) return;
    const last = member.said.slice(-3).join("");
    this.#options.report(`${name} ended by itself with ${signal ?? code}, saying:\n${last}`);
    this.#members.delete(name);
    this.start(name);
  }
}
