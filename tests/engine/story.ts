import assert from "node:assert/strict";
import type {
  Event,
  ImpressionEvent,
  InteractionEvent,
  ItemRecord,
  ProfileEvent,
  RequestEvent,
} from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs, TaskRejection } from "../../src/engine/task_outputs.ts";
import { FakeServing } from "./fake_serving.ts";
import { outputs } from "./streams.ts";

type Base = "type" | "user" | "time";

/** A task with shorthands for events: at a time, user `u` does something. */
export class Story {
  readonly serving = new FakeServing();
  readonly task: TaskState;
  readonly out: TaskOutputs = outputs();
  #offset = 0;

  /** Windows of 100 ms, a lateness of 30 ms, no exploration, unless options say otherwise. */
  constructor(options: Partial<TaskOptions> = {}) {
    this.task = new TaskState({
      schema: { userFields: [], itemFields: [], contextFields: [], crosses: [] },
      outcomeWindowMs: 100,
      allowedLatenessMs: 30,
      ...options,
    }, this.serving);
  }

  /** Samples so far. */
  get samples(): readonly Sample[] {
    return this.out.samples;
  }

  item(item: string, record: Omit<ItemRecord, "item" | "time"> = {}, time = 0): void {
    this.task.applyItem({ item, time, ...record });
  }

  apply(event: Event): TaskRejection | null {
    return this.task.apply(event, this.#offset++, this.out);
  }

  /** Applies an event again, mended, that was rejected before. */
  mend(event: Event): TaskRejection | null {
    return this.task.apply(event, this.#offset++, this.out, {
      time: event.time,
      isSure: false,
      isMended: true,
    });
  }

  act(
    time: number,
    action: string,
    item: string,
    more: Partial<InteractionEvent> = {},
  ): TaskRejection | null {
    const event = { type: "interaction", user: "u", time, action, item, ...more } as const;
    return this.task.apply(event, this.#offset++, this.out);
  }

  click(time: number, item: string, more: Partial<InteractionEvent> = {}): TaskRejection | null {
    return this.act(time, "click", item, more);
  }

  show(
    time: number,
    items: readonly string[],
    more: Partial<Omit<ImpressionEvent, Base>> = {},
  ): TaskRejection | null {
    return this.task.apply({ type: "impression", user: "u", time, items, ...more }, this.#offset++, this.out);
  }

  ask(time: number, request: string, more: Partial<Omit<RequestEvent, Base>> = {}): Recommendation {
    this.task.apply(
      { type: "request", user: "u", time, request, count: 10, ...more },
      this.#offset++,
      this.out,
    );
    const answer = this.out.recommendations.at(-1);
    assert.equal(answer?.request, request);
    return answer;
  }

  forget(time: number): void {
    this.task.apply({ type: "forget", user: "u", time }, this.#offset++, this.out);
  }

  /** An event of another user that only moves the clock. */
  tick(time: number): void {
    const event: ProfileEvent = { type: "profile", user: "nobody", time, attributes: {} };
    this.task.apply(event, this.#offset++, this.out);
  }

  /** Settles everything, and gives the labels of the samples by request. */
  labels(): Record<string, string> {
    this.task.flush(this.out);
    return Object.fromEntries(this.samples.map(({ request, rows }) => [
      request,
      rows.map(({ item, label }) => `${item}${label}`).join(" "),
    ]));
  }
}
