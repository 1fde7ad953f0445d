import assert from "node:assert/strict";
import { parseConfig } from "../../streams/config/config.ts";
import { startApi } from "../server/deployment.ts";
import { blocks, readPage } from "./pages.ts";

const hasCurl = await new Deno.Command("curl", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);
if (!hasCurl) {
  await Deno.stderr.write(
    new TextEncoder().encode("SKIPPED: the examples of docs/reference/http.md need curl\n"),
  );
}

Deno.test({
  name: "docs/reference/http.md has calls that succeed one after another",
  ignore: !hasCurl,
  fn: async () => {
    await using api = await startApi();
    const calls = blocks(await readPage("docs/reference/http.md"), "sh")
      .flatMap((block) => block.split(/^(?=curl )/m)).filter((block) => block.includes("curl"));
    assert.ok(calls.length >= 6);
    for (const call of calls) {
      const script = call.replaceAll("http://127.0.0.1:8080", api.url);
      const { success, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", script] }).output();
      assert.ok(success, `${call}\n${new TextDecoder().decode(stderr)}`);
      const answer = JSON.parse(new TextDecoder().decode(stdout));
      if (call.includes("/v1/events") || call.includes("/v1/items")) assert.deepEqual(answer.refused, []);
      else if (call.includes("/merge")) assert.deepEqual(answer, { accepted: 1 });
      else assert.equal(answer.user, "ann");
    }
  },
});

Deno.test({
  name: "docs/how-to/migrate-from-gorse-or-metarank.md has calls that succeed and valid settings",
  ignore: !hasCurl,
  fn: async () => {
    const page = await readPage("docs/how-to/migrate-from-gorse-or-metarank.md");
    const configs = blocks(page.replaceAll(/^ {2}/gm, ""), "json").map((text) =>
      parseConfig(text, "meander.json")
    );
    const [{ http = {} } = {}] = configs;
    assert.ok(http.doors?.length === 2 && configs.length === 2);
    await using api = await startApi(http);
    const calls = blocks(page, "sh").flatMap((block) => block.split(/^(?=curl )/m));
    assert.ok(calls.length >= 6);
    for (const call of calls) {
      const script = call.replaceAll("http://127.0.0.1:8080", api.url);
      const { success, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", script] }).output();
      assert.ok(success, `${call}\n${new TextDecoder().decode(stderr)}`);
      JSON.parse(new TextDecoder().decode(stdout));
    }
  },
});

Deno.test("docs/reference/http.md has valid settings, and metrics.md names every metric", async () => {
  const page = await readPage("docs/reference/http.md");
  const [settings = ""] = blocks(page, "json").filter((block) => block.includes('"keys"'));
  assert.equal(parseConfig(settings, "meander.json").http?.keys?.[0]?.name, "shop");
  await using api = await startApi();
  const measures = await readPage("docs/reference/metrics.md");
  const { text } = await api.get("/metrics");
  const names = [...text.matchAll(/^# HELP (\w+)/gm)].map(([, name = ""]) => name);
  assert.ok(names.length > 40);
  for (const name of names) {
    if (name.startsWith("meander_task_")) continue;
    const short = name.replace(/^meander_learner/, "");
    assert.ok(measures.includes(`\`${name}\``) || measures.includes(`\`${short}\``), name);
  }
});

Deno.test("docs/reference/http.md names every endpoint", async () => {
  const page = await readPage("docs/reference/http.md");
  await using api = await startApi();
  const { text } = await api.get("/openapi.json");
  const { paths } = JSON.parse(text) as { readonly paths: Readonly<Record<string, object>> };
  assert.ok(Object.keys(paths).length > 15);
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      assert.ok(page.includes(`\`${method.toUpperCase()} ${path}\``), `${method} ${path}`);
    }
  }
});
