import assert from "node:assert/strict";
import { MemberNotes } from "../../../streams/log/kafka/group/member_notes.ts";

type Notes = (group?: string, host?: string) => MemberNotes;

async function withNotes(test: (notes: Notes, folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    const members = `${folder}/members`;
    await test((group = "g", host) => new MemberNotes(members, group, host), members);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function buriedBy(notes: MemberNotes): Promise<string[]> {
  const buried: string[] = [];
  await notes.bury((id) => Promise.resolve(void buried.push(id)));
  return buried;
}

Deno.test("MemberNotes.bury() reports the dead members of its group, once, and never the living", async () => {
  await withNotes(async (notes) => {
    const [dead, living, other] = [notes(), notes(), notes("another")];
    await dead.write("a long id of before");
    await dead.write("dead");
    await living.write("living");
    await other.write("other");
    dead.abandon();
    other.abandon();
    const own = notes();
    await own.write("own");
    assert.deepEqual(await buriedBy(own), ["dead"]);
    assert.deepEqual(await buriedBy(own), []);
    await living.remove();
    assert.deepEqual(await buriedBy(own), []);
    await own.remove();
  });
});

Deno.test("MemberNotes.bury() ignores notes of another machine: locks do not cross every network", async () => {
  await withNotes(async (notes) => {
    const far = notes("g", "another host");
    await far.write("living, and not locked as seen from here");
    far.abandon();
    assert.deepEqual(await buriedBy(notes()), []);
    assert.equal((await buriedBy(notes("g", "another host"))).length, 1);
  });
});

Deno.test("MemberNotes.bury() keeps a note that it could not report", async () => {
  await withNotes(async (notes) => {
    const dead = notes();
    await dead.write("dead");
    dead.abandon();
    await assert.rejects(notes().bury(() => Promise.reject(new Error("away"))), /away/);
    assert.deepEqual(await buriedBy(notes()), ["dead"]);
  });
});

Deno.test("MemberNotes.write() works again for a member that comes back after it left or was expelled", async () => {
  await withNotes(async (notes, folder) => {
    const own = notes(), other = notes();
    assert.deepEqual(await buriedBy(other), [], "there is no folder");
    await own.remove();
    for (const leave of [() => own.remove(), () => Promise.resolve(own.abandon())]) {
      await own.write("before");
      await leave();
    }
    await own.write("after");
    assert.deepEqual(await buriedBy(other), ["before"]);
    await own.remove();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});

Deno.test("MemberNotes.bury() ignores a note whose owner has yet to lock it", async () => {
  await withNotes(async (notes, folder) => {
    const own = notes();
    await own.write("own");
    const [{ name } = { name: "" }] = await Array.fromAsync(Deno.readDir(folder));
    const begun = `${folder}/${name}-begun`;
    await Deno.writeTextFile(begun, "");
    assert.deepEqual(await buriedBy(own), []);
    await Deno.remove(begun);
    await own.remove();
  });
});
