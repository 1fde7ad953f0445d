/**
 * The groups of a simulated broker: members, who must rejoin, and stored offsets.
 *
 * @module
 */

import type { Happening, Owner, World } from "../world.ts";
import { CODE } from "./partition.ts";

/** The broker's answer: a result, or Kafka's error code. */
export interface Reply {
  (answer: unknown): void;
  readonly fail: (code: number) => void;
}

/** See `joinGroup` of the brokers of `patch.ts`. */
export interface JoinRequest {
  readonly groupId: string;
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly memberId: string;
  readonly groupProtocols: readonly { readonly name: string; readonly metadata: Uint8Array }[];
}

/** See `syncGroup` of the brokers of `patch.ts`. */
export interface SyncRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Uint8Array }[];
}

interface Member {
  readonly id: string;
  readonly host: string;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  metadata: Uint8Array;
  assignment: Uint8Array;
  join: Reply | undefined;
  sync: Reply | undefined;
  session: Happening | undefined;
}

interface StoredOffset {
  readonly offset: number;
}

type State = "empty" | "preparing" | "completing" | "stable";

const NOTHING = new Uint8Array(0);

/** One group. */
export class SimulatedGroup {
  /** Committed offsets, by topic and partition. */
  readonly offsets = new Map<string, StoredOffset>();
  /** Offsets that the broker has forgotten. */
  readonly expired = new Map<string, StoredOffset>();
  /** Transactions that will move an offset, by topic and partition. */
  readonly pending = new Map<string, number>();
  /** Time since which it has no members. */
  emptySince: number;
  readonly #world: World;
  readonly #owner: Owner;
  readonly #members = new Map<string, Member>();
  #state: State = "empty";
  #generation = 0;
  #leader = "";
  #deadline: Happening | undefined;
  #names = 0;

  /** A group without members, of a broker. */
  constructor(world: World, owner: Owner) {
    this.#world = world;
    this.#owner = owner;
    this.emptySince = world.now;
  }

  /** The members. */
  get members(): readonly {
    readonly memberId: string;
    readonly clientHost: string;
    readonly memberAssignment: Uint8Array;
  }[] {
    return [...this.#members.values()].map(({ id, host, assignment }) => ({
      memberId: id,
      clientHost: host,
      memberAssignment: assignment,
    }));
  }

  /** Whether it has no members. */
  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** Answered when all members have joined again, or their time is over. */
  join(request: JoinRequest, host: string, reply: Reply): void {
    const { memberId, sessionTimeout, rebalanceTimeout, groupProtocols } = request;
    const metadata = groupProtocols[0]?.metadata ?? NOTHING;
    let member = this.#members.get(memberId);
    if (memberId !== "" && member === undefined) return reply.fail(CODE.unknownMember);
    if (member === undefined) {
      member = {
        id: `${host}-${++this.#names}`,
        host,
        sessionMs: sessionTimeout,
        rebalanceMs: rebalanceTimeout,
        metadata,
        assignment: NOTHING,
        join: undefined,
        sync: undefined,
        session: undefined,
      };
      this.#members.set(member.id, member);
    }
    member.metadata = metadata;
    member.join = reply;
    this.#alive(member);
    if (this.#state !== "preparing") this.#prepare();
    this.#complete(false);
  }

  /** Answered when the leader has sent the assignment. */
  sync({ memberId, generationId, groupAssignment }: SyncRequest, reply: Reply): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return reply.fail(CODE.unknownMember);
    if (generationId !== this.#generation) return reply.fail(CODE.illegalGeneration);
    if (this.#state === "preparing") return reply.fail(CODE.rebalancing);
    this.#alive(member);
    if (this.#state === "stable") return reply({ memberAssignment: member.assignment });
    member.sync = reply;
    if (memberId !== this.#leader) return;
    for (const { memberId, memberAssignment } of groupAssignment) {
      const of = this.#members.get(memberId);
      if (of !== undefined) of.assignment = memberAssignment;
    }
    this.#state = "stable";
    for (const each of this.#members.values()) {
      each.sync?.({ memberAssignment: each.assignment });
      each.sync = undefined;
    }
  }

  /** A heartbeat of a member. */
  heartbeat(memberId: string, generation: number, reply: Reply): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return reply.fail(CODE.unknownMember);
    if (generation !== this.#generation) return reply.fail(CODE.illegalGeneration);
    this.#alive(member);
    if (this.#state === "preparing") return reply.fail(CODE.rebalancing);
    reply({});
  }

  /** A member leaves, or is known to be dead. */
  leave(memberId: string, reply: Reply): void {
    if (!this.#members.has(memberId)) return reply.fail(CODE.unknownMember);
    this.#remove(memberId);
    reply({});
  }

  /** Connections are lost: members that had joined must do so again. */
  restart(): void {
    for (const member of this.#members.values()) {
      member.join = member.sync = undefined;
      this.#alive(member);
    }
    if (this.#members.size > 0 && this.#state !== "stable") this.#prepare();
  }

  #alive(member: Member): void {
    if (member.session !== undefined) member.session.isOff = true;
    member.session = this.#world.schedule(this.#owner, member.sessionMs, "session", () => {
      // A member that waits for the group cannot send heartbeats.
      if (member.join !== undefined) this.#alive(member);
      else this.#remove(member.id);
    });
  }

  #remove(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member?.session !== undefined) member.session.isOff = true;
    this.#members.delete(memberId);
    if (this.#members.size === 0) {
      this.#state = "empty";
      this.emptySince = this.#world.now;
      if (this.#deadline !== undefined) this.#deadline.isOff = true;
      return;
    }
    if (this.#state !== "preparing") this.#prepare();
    this.#complete(false);
  }

  #prepare(): void {
    this.#state = "preparing";
    for (const member of this.#members.values()) {
      member.sync?.fail(CODE.rebalancing);
      member.sync = undefined;
    }
    if (this.#deadline !== undefined) this.#deadline.isOff = true;
    const ms = Math.max(...[...this.#members.values()].map(({ rebalanceMs }) => rebalanceMs));
    this.#deadline = this.#world.schedule(this.#owner, ms, "rebalance", () => this.#complete(true));
  }

  /** Ends the preparation when all have joined, or their time is over. */
  #complete(isOver: boolean): void {
    if (this.#state !== "preparing") return;
    const late = [...this.#members.values()].filter(({ join }) => join === undefined);
    if (late.length > 0 && !isOver) return;
    for (const { id, session } of late) {
      if (session !== undefined) session.isOff = true;
      this.#members.delete(id);
    }
    if (this.#deadline !== undefined) this.#deadline.isOff = true;
    this.#generation++;
    if (this.#members.size === 0) {
      this.#state = "empty";
      this.emptySince = this.#world.now;
      return;
    }
    this.#state = "completing";
    if (!this.#members.has(this.#leader)) this.#leader = this.#members.keys().next().value ?? "";
    const members = [...this.#members.values()].map(({ id, metadata }) => ({
      memberId: id,
      memberMetadata: metadata,
    }));
    for (const member of this.#members.values()) {
      member.join?.({
        generationId: this.#generation,
        leaderId: this.#leader,
        memberId: member.id,
        members: member.id === this.#leader ? members : [],
      });
      member.join = undefined;
      this.#alive(member);
    }
  }
}
