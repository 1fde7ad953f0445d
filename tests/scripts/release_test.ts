/** What a release is made of; the packages themselves are tested in tests/docs/npm_test.ts. */

import assert from "node:assert/strict";
import { released, sectionOf } from "../../scripts/release/changelog.ts";
import { CHECKSUMS, writeChecksums } from "../../scripts/release/files.ts";
import { make, versionOf } from "../../scripts/release/steps.ts";
import { readPage } from "../docs/pages.ts";
import { temporaryFolder } from "./command.ts";

const CHANGELOG = `# Changelog

## Unreleased

### Upgrading

Copy the log.

## 0.2.0 (2026-11-28)

The first release.
`;

Deno.test("released() dates what is unreleased, and sectionOf() reads it", () => {
  const text = released(CHANGELOG, "0.3.0", "2026-12-01");
  assert.equal(sectionOf(text, "## 0.3.0"), "### Upgrading\n\nCopy the log.");
  assert.equal(sectionOf(text, "## Unreleased"), "");
  assert.equal(sectionOf(text, "## 0.2.0"), "The first release.");
  assert.equal(sectionOf(text, "## 0.2"), null);
});

Deno.test("released() throws if the changelog has no changes or no upgrade notes, and if the version exists", () => {
  const date = "2026-12-01";
  assert.throws(
    () => released(CHANGELOG, "0.2.0", date),
    /Cannot release 0\.2\.0: CHANGELOG\.md has it already/,
  );
  const none = released(CHANGELOG, "0.3.0", date);
  assert.throws(() => released(none, "0.4.0", date), /has nothing under "## Unreleased"/);
  const silent = CHANGELOG.replace("### Upgrading", "### Changed");
  assert.throws(() => released(silent, "0.3.0", date), /does not say how to upgrade/);
});

Deno.test("the changelog can be released as the version in deno.json, or already has it", async () => {
  const version = await versionOf(".");
  const changelog = await readPage("CHANGELOG.md");
  if (sectionOf(changelog, `## ${version}`) !== null) return;
  assert.match(
    released(changelog, version, "2026-12-01"),
    /^## Unreleased\n\n## \d+\.\d+\.\d+ \(2026-12-01\)\n\n### /m,
  );
});

Deno.test("make() rejects a checkout that lacks something, and says all that it lacks", async () => {
  await using folder = await temporaryFolder();
  const root = folder.path;
  for (
    const args of [["init", "-q"], ["config", "user.email", "ann@example.org"], [
      "config",
      "user.name",
      "Ann",
    ]]
  ) {
    await new Deno.Command("git", { args, cwd: root }).output();
  }
  for (const name of ["deno.json", "npm.json"]) {
    await Deno.writeTextFile(`${root}/${name}`, '{"version":"0.3.0"}');
  }
  await Deno.writeTextFile(`${root}/CHANGELOG.md`, CHANGELOG);
  await assert.rejects(
    make({ root, say: () => {} }, `${root}/dist`),
    /Cannot release 0\.3\.0: there are uncommitted changes; CHANGELOG\.md does not have this version.*; tests\/compat\/0\.3\.0 has no/,
  );
  await Deno.writeTextFile(`${root}/npm.json`, '{"version":"0.2.0"}');
  await assert.rejects(versionOf(root), /Cannot release 0\.3\.0: npm\.json has 0\.2\.0/);
});

Deno.test("writeChecksums() writes what sha256sum checks", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/b.txt`, "abc");
  await Deno.writeTextFile(`${folder.path}/a.txt`, "");
  assert.deepEqual(await writeChecksums(folder.path), ["a.txt", "b.txt"]);
  assert.equal(
    await Deno.readTextFile(`${folder.path}/${CHECKSUMS}`),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.txt\n" +
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b.txt\n",
  );
});
