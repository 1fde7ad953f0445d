import assert from "node:assert/strict";
import { readMemory } from "../../streams/log/sqlite/end/end_file.ts";

/** Waits until the disk has confirmed what a SQLite log acknowledged. */
export async function confirmed(path: string): Promise<void> {
  for (;;) {
    const memory = readMemory(`${path}-end`);
    assert.ok(typeof memory === "object");
    const { acknowledged, confirmed } = memory;
    if (confirmed !== undefined && acknowledged!.state.missingIn(confirmed.state).shortfalls.length === 0) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
