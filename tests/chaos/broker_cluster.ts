/**
 * Three brokers that replicate everything, and are killed, frozen and cut off while in use.
 *
 * ```text
 *   clients ──/── broker 1 ──/── broker 2        every line is a wire that can be cut
 *                     └─────/────── broker 3 ...
 * ```
 *
 * @module
 */

import { type DevBroker, startBroker } from "../../scripts/kafka/dev_broker.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { Wire } from "./wire.ts";

const START_TRIES = 3;
/** Ids of the brokers. */
export const NODES = [1, 2, 3] as const;

/** Resolves when a broker has suffered for long enough. */
export type Until = () => Promise<unknown>;

/** Id of the broker. */
export type Node = (typeof NODES)[number];

/** One broker, its addresses, and its wires to the others. */
interface Member {
  readonly ports: { readonly clients: number; readonly brokers: number; readonly controller: number };
  readonly wires: { readonly clients: Wire; readonly brokers: Wire };
  /** Its own wires to the controllers of the others. */
  readonly controllers: ReadonlyMap<Node, Wire>;
  broker: DevBroker;
}

/** See the module. */
export class BrokerCluster implements AsyncDisposable {
  /** Addresses as clients want them. */
  readonly addresses: readonly string[];
  readonly #members: ReadonlyMap<Node, Member>;
  readonly #start: (node: Node) => Promise<DevBroker>;
  /** A broker's fault is over before the next one happens to it. */
  readonly #last = new Map<Node, Promise<void>>();

  private constructor(members: ReadonlyMap<Node, Member>, start: (node: Node) => Promise<DevBroker>) {
    this.#members = members;
    this.#start = start;
    this.addresses = [...members.values()].map(({ wires }) => `127.0.0.1:${wires.clients.port}`);
  }

  /** Creates a broker. @param data folder of its logs, which is emptied */
  static async start(data: string): Promise<BrokerCluster> {
    const ports = new Map<Node, Member["ports"]>();
    for (const node of NODES) {
      ports.set(node, { clients: await freePort(), brokers: await freePort(), controller: await freePort() });
    }
    const members = new Map<Node, Member>();
    const start = (node: Node) => startNode(node, `${data}/${node}`, members);
    const laid = await Promise.all([...ports].map(async ([node, own]) => {
      const wires = { clients: await Wire.to(own.clients), brokers: await Wire.to(own.brokers) };
      const others = [...ports].filter(([other]) => other !== node);
      const controllers = new Map(
        await Promise.all(
          others.map(async ([other, { controller }]) => [other, await Wire.to(controller)] as const),
        ),
      );
      return [node, { ports: own, wires, controllers }] as const;
    }));
    for (const [node, member] of laid) members.set(node, { ...member, broker: undefined as never });
    await Promise.all(NODES.map(async (node) => {
      const member = members.get(node);
      if (member !== undefined) member.broker = await startNode(node, `${data}/${node}`, members, true);
    }));
    return new BrokerCluster(members, start);
  }

  /** Kills a broker; it is away until then, and needs seconds to come back. */
  kill(node: Node, until: Until): Promise<void> {
    return this.#suffer(node, async (member) => {
      await member.broker[Symbol.asyncDispose]();
      await this.#restart(node, member, until);
    });
  }

  /** Asks a broker to end, so that it hands its partitions over first. */
  leave(node: Node, until: Until): Promise<void> {
    return this.#suffer(node, async (member) => {
      await member.broker.stop();
      await this.#restart(node, member, until);
    });
  }

  /** Stops a broker; it wakes up believing that it still leads its partitions. */
  freeze(node: Node, until: Until): Promise<void> {
    return this.#suffer(node, async ({ broker }) => {
      await broker.freeze();
      await until();
      await broker.thaw();
    });
  }

  /**
   * Cuts a broker off from the others, but not from clients: they meet a leader that does not know that it was
   * replaced. It can still fetch records from the others, which does no harm.
   */
  isolate(node: Node, until: Until): Promise<void> {
    return this.#suffer(node, async ({ wires, controllers }) => {
      const toIt = [...this.#members.values()].flatMap(({ controllers }) => controllers.get(node) ?? []);
      await cut([wires.brokers, ...controllers.values(), ...toIt], until);
    });
  }

  /** Cuts clients off from a broker: the others still see it, and it continues to lead. */
  hide(node: Node, until: Until): Promise<void> {
    return this.#suffer(node, ({ wires }) => cut([wires.clients], until));
  }

  /** Kills the brokers for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#last.values());
    await Promise.all([...this.#members.values()].map(async ({ broker, wires, controllers }) => {
      await broker[Symbol.asyncDispose]();
      const all = [wires.clients, wires.brokers, ...controllers.values()];
      await Promise.all(all.map((wire) => wire[Symbol.asyncDispose]()));
    }));
  }

  #suffer(node: Node, what: (member: Member) => Promise<void>): Promise<void> {
    const done = (this.#last.get(node) ?? Promise.resolve()).then(async () => {
      const member = this.#members.get(node);
      if (member !== undefined) await what(member);
    });
    this.#last.set(node, done);
    return done;
  }

  async #restart(node: Node, member: Member, until: Until): Promise<void> {
    await until();
    for (let tries = 1;; tries++) {
      try {
        member.broker = await this.#start(node);
        return;
      } catch (error) {
        if (tries === START_TRIES) throw error;
      }
    }
  }
}

async function cut(wires: readonly Wire[], until: Until): Promise<void> {
  for (const wire of wires) wire.isCut = true;
  await until();
  for (const wire of wires) wire.isCut = false;
}

async function startNode(
  node: Node,
  data: string,
  members: ReadonlyMap<Node, Member>,
  fresh = false,
): Promise<DevBroker> {
  const own = members.get(node);
  if (own === undefined) throw new RangeError(`Cannot start broker ${node}: there are ${NODES}`);
  const { ports, wires, controllers } = own;
  const voters = NODES.map((other) => {
    const port = other === node ? ports.controller : controllers.get(other)?.port;
    return `${other}@127.0.0.1:${port}`;
  });
  return await startBroker({
    port: ports.clients,
    controllerPort: ports.controller,
    data,
    fresh,
    properties: {
      "node.id": `${node}`,
      "controller.quorum.voters": voters.join(","),
      "listeners": `PLAINTEXT://127.0.0.1:${ports.clients},BROKERS://127.0.0.1:${ports.brokers},` +
        `CONTROLLER://127.0.0.1:${ports.controller}`,
      "advertised.listeners":
        `PLAINTEXT://127.0.0.1:${wires.clients.port},BROKERS://127.0.0.1:${wires.brokers.port}`,
      "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,BROKERS:PLAINTEXT",
      "inter.broker.listener.name": "BROKERS",
      "default.replication.factor": "3",
      "min.insync.replicas": "2",
      "offsets.topic.replication.factor": "3",
      "transaction.state.log.replication.factor": "3",
      "transaction.state.log.min.isr": "2",
      "share.coordinator.state.topic.replication.factor": "3",
      // How long the coordinator of a transaction asks a leader that is cut off before it tries the next one.
      "request.timeout.ms": "3000",
      // A busy machine is no reason to expel a broker.
      "broker.session.timeout.ms": "3000",
      "broker.heartbeat.interval.ms": "500",
    },
  });
}
