/** An older release refuses a deployment that a newer one has worked on, before it writes. */

import assert from "node:assert/strict";
import { openLog } from "../../scripts/flags/service_flags.ts";
import { backUp } from "../../streams/backup/backup.ts";
import { restore } from "../../streams/backup/restore.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { generationsOf } from "../../streams/topics/generations.ts";
import { kindOf } from "../../streams/log/kinds/kinds.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { formatNotes, noteFormats, refuseNewer } from "../../streams/topics/format_notes.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";

const topics = topicNames();
const NEWER = { ...NEWEST_FORMATS, user: NEWEST_FORMATS.user! + 1, vectors: 1 };

Deno.test("noteFormats() notes what a release may write once, and never lowers it", async () => {
  await using log = new MemoryLog();
  const note = (writes: Readonly<Record<string, number>>, by = "0.3.0") =>
    noteFormats(log, topics, { by, writes, now: 0 });
  await note({ user: 12, task: 4 });
  await note({ user: 12, task: 4 });
  assert.equal((await log.bounds(topics.generations, 0)).end, 1);
  await note({ user: 11, sample: 9 });
  await note({ user: 11 }, "0.2.1");
  assert.deepEqual(await formatNotes(log, topics), {
    "0.3.0": { user: 12, task: 4, sample: 9 },
    "0.2.1": { user: 11 },
  });
  assert.equal((await generationsOf(log, topics)).size, 0, "a note is no generation");
});

Deno.test("refuseNewer() accepts readable formats, and names the release and the kinds that are newer", () => {
  refuseNewer("work on meander.*", { "0.2.0": {}, "0.3.0": NEWEST_FORMATS }, NEWEST_FORMATS);
  assert.throws(
    () => refuseNewer("work on meander.*", { "0.4.0": NEWER }, NEWEST_FORMATS),
    {
      message: "Cannot work on meander.*: meander 0.4.0 has run on it and may have written newer formats " +
        `(user up to ${NEWER.user}, this release reads ${NEWEST_FORMATS.user}; vectors up to 1, this release reads none); ` +
        "nothing was changed: run that release or a newer one, or restore a backup made before it",
    },
  );
});

Deno.test("openLog() and restore() refuse a log that a newer release has run on, and change nothing", async () => {
  await using folder = await temporaryFolder();
  const logPath = `${folder.path}/log.sqlite`,
    to = `${folder.path}/backup`,
    path = `${folder.path}/new.sqlite`;
  const flags = { log: "sqlite", prefix: "meander.", logPath };
  {
    await using log = await openLog(flags, { config: {} });
    await noteFormats(log, topics, { by: "0.4.0", writes: NEWER, now: 0 });
  }
  const bytes = await Deno.readFile(logPath);
  await assert.rejects(openLog(flags, { config: {} }), /Cannot work on meander\.\*: meander 0\.4\.0 has/);
  assert.deepEqual(await Deno.readFile(logPath), bytes);
  await openLog({ ...flags, prefix: "other." }, { config: {} }).then((log) => log[Symbol.asyncDispose]());

  const kind = kindOf("sqlite"), prefix = "meander.";
  await backUp({ kind, options: { path: logPath }, prefix, to, by: "0.2.0", now: Date.now });
  const putBack = (verifyOnly: boolean) =>
    restore({
      from: to,
      kind,
      options: { path },
      prefix,
      reads: NEWEST_FORMATS,
      verifyOnly,
      now: Date.now,
    });
  await putBack(true);
  await assert.rejects(putBack(false), /Cannot restore .*: meander 0\.4\.0 has run on it/);
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
});
