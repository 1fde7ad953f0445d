import assert from "node:assert/strict";
import { within } from "../../streams/http/deadline.ts";
import { stub } from "../stub.ts";

const late = () => new Error("late");
const never = () => new Promise<never>(() => {});

Deno.test("within() gives a wait its whole time, however long ago others ended", async () => {
  const ms = 80;
  await within(Promise.resolve(), ms, late);
  await new Promise((resolve) => setTimeout(resolve, ms / 2));
  const begun = performance.now();
  await assert.rejects(within(never(), ms, late), /late/);
  assert.ok(performance.now() - begun >= ms - 1);
  await assert.rejects(within(never(), ms, late), /late/, "also after all others have ended");
});

Deno.test("within() sets one timer for many waits, consecutive or concurrent", async () => {
  const { setTimeout } = globalThis;
  let timers = 0;
  const counted = (run: () => void, ms?: number) => {
    timers++;
    return setTimeout(run, ms);
  };
  using _counted = stub(globalThis, "setTimeout", Object.assign(counted, setTimeout));
  for (let n = 0; n < 10; n++) assert.equal(await within(Promise.resolve(n), 70, late), n);
  await Promise.all(Array.from({ length: 10 }, (_, n) => within(Promise.resolve(n), 70, late)));
  assert.equal(timers, 1);
});

Deno.test("within() keeps a process alive only while something waits", async () => {
  const module = new URL("../../streams/http/deadline.ts", import.meta.url).href;
  const code = `
    const { within } = await import(${JSON.stringify(module)});
    await within(Promise.resolve(), 600_000, () => new Error("late"));
    await within(new Promise(() => {}), 50, () => new Error("late")).catch(() => console.log("late"));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", code] }).output();
  assert.equal(new TextDecoder().decode(stdout), "late\n");
});
