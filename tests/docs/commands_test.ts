import assert from "node:assert/strict";
import { Command } from "commander";
import { addLogKinds } from "../../scripts/flags/log_flags.ts";
import { LOG_KINDS } from "../../streams/log/kinds/kinds.ts";
import { breadth } from "../breadth.ts";
import { pages, readPage, ROOT } from "./pages.ts";

interface Manifest {
  readonly tasks: Readonly<Record<string, unknown>>;
  readonly imports: Readonly<Record<string, string>>;
}

async function manifest(): Promise<Manifest> {
  return JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
}

Deno.test("docs name only tasks of deno.json", async () => {
  const { tasks } = await manifest();
  for (const page of await pages()) {
    for (
      const [command, task] of (await readPage(page)).matchAll(
        /deno(?:@[\d.]+)? task (?:-q )?([a-z-]*[a-z])/g,
      )
    ) {
      assert.ok(Object.hasOwn(tasks, task ?? ""), `${page}: ${command}`);
    }
  }
});

Deno.test("deno.json has a dozen tasks at most: other commands are those of meander", async () => {
  assert.ok(Object.keys((await manifest()).tasks).length <= 12);
});

Deno.test("docs name only files of commands that exist", async () => {
  for (const page of await pages()) {
    const found = (await readPage(page)).matchAll(
      /deno (?:run|bench|test)(?: -A)?(?: --[a-z=-]+)* ([\w./-]+\.ts)/g,
    );
    for (const [command, file] of found) {
      await assert.doesNotReject(Deno.stat(new URL(file ?? "", ROOT)), `${page}: ${command}`);
    }
  }
});

Deno.test("docs/reference/replay.md has every flag of replay, and no other", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "scripts/replay.ts", "--help"],
    cwd: ROOT,
  }).output();
  const help = new TextDecoder().decode(stdout);
  const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
    .filter((flag) => flag !== "--help");
  const documented = [...(await readPage("docs/reference/replay.md")).matchAll(/^\| `(--[a-z-]+)/gm)].map((
    [, flag],
  ) => flag);
  assert.ok(flags.length > 10);
  // Flags of a kind of log are keys of the configuration, whose page is generated.
  const ofLogs = addLogKinds(new Command(), LOG_KINDS).options.map(({ long }) => long ?? "");
  const own = (flag = "") => documented.includes(flag) || !ofLogs.includes(flag);
  assert.deepEqual(documented.toSorted(), flags.filter(own).toSorted());
});

Deno.test("docs/reference/dependencies.md has every npm package of deno.json with its version", async () => {
  const page = await readPage("docs/reference/dependencies.md");
  for (const target of Object.values((await manifest()).imports)) {
    const [, name = "", version = ""] = /^npm:\/?(.+)@([\d.]+)\/?$/.exec(target) ?? [];
    if (name === "") continue;
    assert.ok(page.includes(`\`${name}\``), name);
    assert.ok(page.includes(version), `${name} ${version}`);
  }
});

Deno.test("tasks with few permissions can print their help and refuse a wrong flag", async () => {
  const tasks = [
    "meander",
    "replay",
    "run",
    "check",
    "ingest",
    "kafka",
    "meander evaluate",
    "meander ablate",
  ];
  for (const [n, task] of tasks.entries()) {
    const flags = ["--help", "--no-such-flag"];
    for (const flag of breadth(flags.slice(n % 2, n % 2 + 1), flags)) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", ...task.split(" "), flag],
        cwd: ROOT,
      }).output();
      const told = new TextDecoder().decode(flag === "--help" ? stdout : stderr);
      assert.equal(code, flag === "--help" ? 0 : 1, `${task} ${flag}`);
      assert.match(
        told,
        flag === "--help" ? /^Usage: / : /^error: (unknown|required) option/,
        `${task} ${flag}`,
      );
      assert.doesNotMatch(told, /NotCapable/, `${task} ${flag}`);
    }
  }
});

Deno.test("the permissions of tasks suffice for a dump that has to be sorted", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-gorse-" });
  try {
    const feedback = {
      FeedbackType: "like",
      UserId: "ann",
      ItemId: "tent",
      Timestamp: "2024-01-01T00:00:00Z",
    };
    await Deno.writeTextFile(`${folder}/feedback.jsonl`, `${JSON.stringify(feedback)}\n`);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "task",
        "--quiet",
        "ingest",
        "--from",
        folder,
        "--format",
        "gorse",
        "--log-path",
        `${folder}/log.sqlite`,
      ],
      cwd: ROOT,
    }).output();
    assert.match(new TextDecoder().decode(stdout), /^done: 1 events/, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the restricted permissions in docs/how-to/deploy-on-sqlite.md suffice to load all logs", async () => {
  const page = await readPage("docs/how-to/deploy-on-sqlite.md");
  const [, given = ""] = /^deno run --no-prompt ([^]*?)scripts\/run\.ts/m.exec(page) ?? [];
  const permissions = given.split(/[\s\\]+/).filter((flag) => flag !== "");
  assert.ok(permissions.length > 0);
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(program, `await import("${ROOT}log.ts"); await import("${ROOT}kafka.ts");`);
    const config = ["--config", new URL("deno.json", ROOT).pathname];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-check", "--no-prompt", ...config, ...permissions, program],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(program);
  }
});
