import assert from "node:assert/strict";
import { SOURCES } from "../../../src/retrieval/sources/registry.ts";
import { sourceContract } from "../../contracts/source_contract.ts";

for (const kind of SOURCES) sourceContract(kind);

Deno.test("SOURCES have names of their own", () => {
  assert.equal(new Set(SOURCES.map(({ name }) => name)).size, SOURCES.length);
});
