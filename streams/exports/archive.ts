/**
 * A file to which an export appends from where it ended, each record exactly once.
 *
 * ```text
 *   events.jsonl            ■■■■■■■■■■│░░░     ░ = written by a killed process: cut off by the next one
 *   events.jsonl-position             │        how many bytes count, and where the topic continues after them
 * ```
 */

import { dirname } from "node:path";
import type { CopyProgress } from "../log/kind.ts";
import type { ReadableLog } from "../log/log.ts";
import { chunksOf } from "./chunks.ts";
import type { Content } from "./contents.ts";
import { TopicLines } from "./reading.ts";

const FORMAT = 1;

/** Contents of the position file. */
interface ArchivePosition {
  readonly format: number;
  readonly topic: string;
  /** See `TopicIdentity.id`. */
  readonly id: string | null;
  /** Offset of the next record, by partition. */
  readonly next: readonly number[];
  /** Bytes of the archive that count. */
  readonly bytes: number;
  readonly lines: number;
  /** Offsets that the log had dropped before they were read. */
  readonly lost: number;
}

/** Result of {@linkcode appendTo}. */
export interface Archived {
  /** Lines that were appended. */
  readonly lines: number;
  /** Bytes of the archive now. */
  readonly bytes: number;
  /** Offsets that the log had dropped before they were read, in this run. */
  readonly lost: number;
  /** Records of another kind, or unreadable ones, in this run. */
  readonly leftOut: number;
}

/**
 * Appends the new records of a topic, or all of them the first time.
 *
 * The bytes of a chunk reach the disk before the position after it, so a process that is killed at any moment leaves an
 * archive that the next one can continue: it cuts off the bytes after the position.
 *
 * @param tell receives its progress
 * @param onStep called between writes, for tests; throwing simulates a crash there
 * @throws Error when another process appends to it, or it is not the archive of this topic
 */
export async function appendTo(
  file: string,
  log: ReadableLog,
  topic: string,
  content: Content,
  tell: CopyProgress = () => {},
  onStep: (step: string) => void = () => {},
): Promise<Archived> {
  const positionFile = `${file}-position`;
  await Deno.mkdir(dirname(file), { recursive: true });
  using data = await Deno.open(file, { read: true, write: true, create: true });
  if (!await data.tryLock(true)) throw new Error(`Cannot append to ${file}: another process has it open`);
  const id = (await log.identify(topic))?.id ?? null;
  const { size } = await data.stat();
  const known = await readPosition(positionFile);
  if (known === null && size > 0) {
    throw new Error(
      `Cannot append to ${file}: it exists, but its position file is missing; name another file`,
    );
  }
  const before = known ?? { format: FORMAT, topic, id, next: [], bytes: 0, lines: 0, lost: 0 };
  refuseOther(file, before, { topic, id, size });
  if (known === null) await replace(positionFile, before, onStep);
  const lines = await TopicLines.open(log, topic, content, {}, before.next);
  lines.tell = tell;
  await data.truncate(before.bytes);
  await data.seek(before.bytes, Deno.SeekMode.Start);
  let { bytes } = before;
  let count = 0;
  const note = async () => {
    await data.syncData();
    onStep("synced");
    await replace(
      positionFile,
      { ...before, next: lines.next, bytes, lines: before.lines + count, lost: before.lost + lines.lost },
      onStep,
    );
    onStep("noted");
  };
  const counted = async function* () {
    for await (const line of lines) {
      count++;
      yield line;
    }
  };
  for await (const chunk of chunksOf(counted(), file.endsWith(".gz"))) {
    for (let at = 0; at < chunk.length;) at += await data.write(chunk.subarray(at));
    bytes += chunk.length;
    onStep("written");
    await note();
  }
  await note();
  return { lines: count, bytes, lost: lines.lost, leftOut: lines.leftOut };
}

function refuseOther(
  file: string,
  { topic, id, bytes }: ArchivePosition,
  now: { readonly topic: string; readonly id: string | null; readonly size: number },
): void {
  const refuse = (why: string): never => {
    throw new Error(`Cannot append to ${file}: ${why}; name another file`);
  };
  if (topic !== now.topic) refuse(`it is an archive of ${topic}, not of ${now.topic}`);
  if (id !== null && now.id !== null && id !== now.id) refuse(`${topic} was deleted and created again since`);
  if (now.size < bytes) refuse(`it has only ${now.size} of the ${bytes} bytes that were written`);
}

async function readPosition(path: string): Promise<ArchivePosition | null> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  try {
    const position: ArchivePosition = JSON.parse(text);
    if (position.format !== FORMAT || !Array.isArray(position.next)) {
      throw new TypeError("it is not a position");
    }
    return position;
  } catch (cause) {
    throw new Error(`Cannot read ${path}, which says where the archive ends`, { cause });
  }
}

async function replace(
  path: string,
  position: ArchivePosition,
  onStep: (step: string) => void,
): Promise<void> {
  const part = `${path}.part`;
  {
    using file = await Deno.open(part, { write: true, create: true, truncate: true });
    const bytes = new TextEncoder().encode(`${JSON.stringify(position)}\n`);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }
  onStep("position written");
  await Deno.rename(part, path);
}
