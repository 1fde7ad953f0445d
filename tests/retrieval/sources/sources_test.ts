import assert from "node:assert/strict";
import { SOURCES } from "../../../src/retrieval/sources/registry.ts";
import { sourceContract } from "../../contracts/source_contract.ts";

// Sessions are kept by number, not by age; a linear model dates from when it was last solved.
for (const kind of SOURCES) sourceContract(kind, { forgets: !["sessions", "linear"].includes(kind.name) });

Deno.test("SOURCES have distinct names", () => {
  assert.equal(new Set(SOURCES.map(({ name }) => name)).size, SOURCES.length);
});
