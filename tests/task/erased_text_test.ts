import assert from "node:assert/strict";

Deno.test("a process that has forgotten a user holds none of their strings in memory", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-erased-" });
  try {
    const words = ["user", "city", "page", "request", "note"].map((kind) =>
      `zq-${kind}-${crypto.randomUUID()}`
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", new URL("./erased_user.ts", import.meta.url).href, folder]
        .concat(words.map((word) => [...word].reverse().join(""))),
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const found = async (name: string) => {
      const { strings } = JSON.parse(await Deno.readTextFile(`${folder}/${name}.heapsnapshot`)) as {
        strings: string[];
      };
      return words.filter((word) => strings.some((string) => string.includes(word)));
    };
    assert.deepEqual(await found("before"), words, "the search finds what is there");
    assert.deepEqual(await found("after"), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
