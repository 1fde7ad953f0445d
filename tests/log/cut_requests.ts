/**
 * Connections to brokers that break within a request: before it reaches the broker, or after the broker has acted on it
 * and before its answer arrives.
 *
 * @module
 */

import { once } from "node:events";
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import type { KafkaConnection } from "../../streams/log/kafka/options.ts";

/** Where in a request the connection breaks. */
export const CUT_MOMENTS = ["before the broker acts", "after it has acted"] as const;

/** That the request reaches the broker nevertheless, once {@linkcode RequestCutter.deliver} is called. */
export const LATE = "before the broker acts, which it does later";

/** What to break. */
export interface Cut {
  /** Number of the kind of request in Kafka's protocol. */
  readonly apiKey: number;
  readonly moment: (typeof CUT_MOMENTS)[number] | typeof LATE;
}

/** See the module. */
export class RequestCutter {
  #cut: Cut | undefined;
  #deliver: (() => Promise<void>) | undefined;

  /** For `KafkaLogOptions.kafka`. */
  readonly socketFactory: NonNullable<KafkaConnection["socketFactory"]> = ({ host, port, onConnect }) =>
    this.#watched(connect({ host, port }, onConnect), { host, port });

  /** Whether the cut that was asked for is still to come. */
  get isPending(): boolean {
    return this.#cut !== undefined;
  }

  /** Breaks the connection of the next request of a kind. */
  cutNext(cut: Cut): void {
    this.#cut = cut;
  }

  /** Delivers a late request, and waits for the answer. */
  async deliver(): Promise<void> {
    await this.#deliver?.();
    this.#deliver = undefined;
  }

  /** kafkajs writes one request at a time, and brokers answer a connection in order. */
  #watched(socket: Socket, address: TcpNetConnectOpts): Socket {
    const write = socket.write.bind(socket);
    const emit = socket.emit.bind(socket);
    /** The request whose answer is not to arrive. */
    let cutId: number | undefined;
    socket.write = (bytes: string | Uint8Array, ...more: unknown[]) => {
      const request = Buffer.from(bytes as Uint8Array); // of kafkajs
      if (this.#cut?.apiKey === request.readInt16BE(4)) {
        const { moment } = this.#cut;
        this.#cut = undefined;
        if (moment === LATE) this.#deliver = () => sendTo(address, request);
        if (moment !== "after it has acted") {
          socket.destroy(new Error("cut"));
          return false;
        }
        cutId = request.readInt32BE(8);
      }
      return Reflect.apply(write, undefined, [bytes, ...more]);
    };
    socket.emit = (event: string | symbol, ...values: unknown[]) => {
      const isCut = event === "data" && cutId !== undefined &&
        Buffer.from(values[0] as Uint8Array).readInt32BE(4) === cutId;
      if (!isCut) return emit(event, ...values);
      socket.destroy(new Error("cut"));
      return false;
    };
    return socket;
  }
}

/** Sends a request over a connection of its own. */
async function sendTo(address: TcpNetConnectOpts, request: Uint8Array): Promise<void> {
  const socket = connect(address, () => socket.write(request));
  await once(socket, "data");
  socket.destroy();
}
