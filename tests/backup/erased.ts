/**
 * Users who were erased after a backup are erased again once it is restored, on any log.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Log } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { OPTIONS, recordsOf, shopEvents, until, untilCommitted } from "../service/deployment.ts";
import { meander } from "./meander.ts";

/** A log of which a backup is made, and where it is restored. */
export interface Restoring {
  readonly prefix: string;
  readonly restoredPrefix: string;
  readonly open: () => Promise<Log>;
  /** Flags of a command that name the log under a prefix. */
  readonly flags: (prefix: string) => readonly string[];
  /** Called before the restore. */
  readonly destroy: () => Promise<void>;
  /** Whether nothing is left of a user that has to go. */
  readonly isErased: (log: Log, topics: Topics, user: string) => Promise<boolean>;
}

/** Topics that name a user. */
export async function traces(log: Log, user: string): Promise<string[]> {
  const found = new Set<string>();
  for (const [topic, { partitions }] of await log.topics()) {
    for (let partition = 0; partition < partitions; partition++) {
      for await (const { key, value } of readAll(log, topic, partition)) {
        if (key === user || value !== null && Buffer.from(value).includes(user)) found.add(topic);
      }
    }
  }
  return [...found].sort();
}

/** Events of users whose ids are long enough to be found as bytes. */
function events() {
  return shopEvents(120, 6).map((event) => ({ ...event, user: `person-${event.user}-7f3a9c` }));
}

/** Restores a backup with receipts of a user erased since, of one erased before it, and of one whom it does not have. */
export async function checkErasedAgain(of: Restoring): Promise<void> {
  const { prefix, restoredPrefix, open, flags, isErased } = of;
  await using folder = await temporaryFolder();
  const to = `${folder.path}/backup`, receipts = `${folder.path}/receipts`;
  const all = events();
  const [gone, back, stays] = [...new Set(all.map(({ user }) => user))] as [string, string, string];
  await Deno.mkdir(receipts);
  const note = async (user: string, taken: number) => {
    const userSha256 = createHash("sha256").update(user).digest("hex");
    const receipt = { userSha256, taken: new Date(taken).toISOString(), deployment: "http://localhost" };
    await Deno.writeTextFile(`${receipts}/${user}.json`, JSON.stringify(receipt));
  };
  await note(back, Date.now() - 3_600_000); // and came back
  await note(`${stays}-2`, Date.now() + 60_000);
  {
    const topics = topicNames(prefix);
    await using log = await open();
    await log.createTopics(topicSpecs(topics, 2));
    await log.append(recordsOf(all, prefix));
    await using service = await Service.start(log, { ...OPTIONS, prefix });
    await untilCommitted(log, prefix);
    await until(async () => ((await service.status()).learner?.version ?? 0) > 1, "something is learnt");
    const { code, stderr } = await meander("backup", ...flags(prefix), "--to", to);
    assert.equal(code, 0, stderr);
    const time = Math.max(...all.map((event) => event.time));
    const value = encodeEvent({ type: "forget", user: gone, time });
    await log.append([{ topic: topics.events, key: gone, value, time }]);
    await note(gone, Date.now());
    await untilCommitted(log, prefix);
  }
  await of.destroy();

  const restore = ["restore", "--from", to, ...flags(restoredPrefix)];
  await Deno.writeTextFile(`${folder.path}/none.json`, "{}");
  const refused = await meander(...restore, "--erased", `${folder.path}/none.json`);
  assert.match(refused.stderr, /none\.json as a receipt of an erasure: it lacks the user/);
  const { code, stderr } = await meander(...restore, "--erased", receipts);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /erased since the backup: 1 of its users/);

  const topics = topicNames(restoredPrefix);
  await using log = await open();
  assert.ok((await traces(log, gone)).length > 3, "the backup had the user");
  await using _service = await Service.start(log, {
    ...OPTIONS,
    prefix: restoredPrefix,
    eraseIntervalMs: 20,
  });
  await until(() => isErased(log, topics, gone), "the user is erased");
  for (const user of [back, stays]) {
    const places = await traces(log, user);
    const missing = [topics.events, topics.state, topics.samples].filter((topic) => !places.includes(topic));
    assert.deepEqual(missing, [], `${user} is on ${places.join(", ")}`);
  }
}
