import assert from "node:assert/strict";
import { TaskOpener, type TaskSurroundings } from "../../streams/service/task_opener.ts";
import type { Task } from "../../streams/task/task.ts";

Deno.test("TaskOpener.open() first closes all tasks left by a build, whatever one of them throws", async () => {
  const tasks = Promise.withResolvers<Map<number, Task>>();
  const said: string[] = [];
  const left = (partition: number) => ({
    async [Symbol.asyncDispose]() {
      await tasks.promise;
      if (partition === 0) throw new Error("it is gone");
      said.push(`${partition} is closed`);
    },
  } as Task);
  const opener = new TaskOpener({
    own: { serving: { version: 1 }, served: Promise.resolve() },
    variants: [],
    options: {
      warm: { tasks: tasks.promise },
      mayWork: () => {
        said.push("restores");
        return Promise.reject(new Error("enough"));
      },
    },
  } as unknown as TaskSurroundings<"base">);
  const revoked = new AbortController();
  const waiting = opener.open(2, revoked.signal);
  tasks.resolve(new Map([0, 1, 2].map((partition) => [partition, left(partition)])));
  revoked.abort(new Error("revoked"));
  await assert.rejects(waiting);
  await assert.rejects(opener.open(1, new AbortController().signal), /enough/);
  assert.deepEqual(said, ["1 is closed", "2 is closed", "restores"]);
});
