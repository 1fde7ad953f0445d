/** How much of a container's memory is used: by control groups in a mount namespace of their own. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { budgetOf } from "../../../scripts/flags/memory_budget.ts";

const MB = 2 ** 20;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

Deno.test("budgetOf() leaves room for the rest of the process, and takes half of what is left", () => {
  for (const [limit, budget] of [[128, 64], [512, 64], [1024, 320], [2048, 832], [8192, 3904]] as const) {
    assert.equal(budgetOf(limit * MB), budget * MB, `${limit} MB`);
  }
});

/** Files of control groups, by version. */
const GROUPS = {
  v1: `mkdir -p /sys/fs/cgroup/memory/box; echo "$LIMIT" > /sys/fs/cgroup/memory/box/memory.limit_in_bytes
    echo 4:memory:/box > $OWN`,
  v2: `echo memory > /sys/fs/cgroup/cgroup.controllers; echo "$LIMIT" > /sys/fs/cgroup/memory.max
    echo 0::/ > $OWN`,
};

/** What `run` prints under a limit before it rejects flags that contradict each other; `null` = namespaces are denied. */
async function told(groups: string, limit: string, ...flags: readonly string[]): Promise<string | null> {
  const script = `set -e; OWN=$(mktemp); LIMIT=${limit}; mount --make-rprivate /
    mount -t tmpfs none /sys/fs/cgroup; ${groups}
    mount --bind $OWN /proc/$$/cgroup; exec "$@"`;
  const run = [
    "run",
    "-q",
    "--no-check",
    "--no-prompt",
    "-P=command",
    "scripts/run.ts",
    "--rebuild",
    "--roles=http",
  ];
  const { stderr } = await new Deno.Command("unshare", {
    args: ["-m", "bash", "-c", script, "bash", Deno.execPath(), ...run, ...flags],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output().catch((error) => ({ stderr: new TextEncoder().encode(`unshare: ${error}`) }));
  const text = new TextDecoder().decode(stderr);
  return /^(unshare|mount):/m.test(text) ? null : text;
}

Deno.test("run: takes memory by the limit of its control group, unless told otherwise or there is none", async () => {
  const takes = /^uses (\d+) MB for states and embeddings, because its limit is (\d+) MB/m;
  for (const [name, groups] of Object.entries(GROUPS)) {
    const limited = await told(groups, `${2048 * MB}`);
    if (limited === null) {
      const text = "SKIPPED: budgets by control groups, as nothing may be mounted here\n";
      return void await Deno.stderr.write(new TextEncoder().encode(text));
    }
    assert.deepEqual(takes.exec(limited)?.slice(1), ["832", "2048"], `${name}: ${limited}`);
    assert.match(limited, /Cannot rebuild in this process/);
  }
  assert.match(
    await told(GROUPS.v2, `${256 * MB}`) ?? "",
    /overrides it; with less than 512 MB the system may kill/,
  );
  assert.match(await told(GROUPS.v2, `${512 * MB}`) ?? "", /overrides it$/m);
  assert.doesNotMatch(await told(GROUPS.v2, "max") ?? "", takes);
  assert.doesNotMatch(await told(GROUPS.v2, `${2048 * MB}`, "--memory", "512MB") ?? "", takes);
});
