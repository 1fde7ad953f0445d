/**
 * The transactions of one transactional id, in the two ways that brokers support.
 *
 * - *Explicit*, before Kafka 4: partitions and groups are announced to the coordinator before they are written to.
 * - *Implicit* (KIP-890, `transaction.version` 2): the writes announce them, and each transaction has its own epoch, so
 *   a late request cannot join the next one. A commit takes three requests instead of five, and waits for two in
 *   sequence instead of three.
 */

import type { GroupOffset, Place } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { about, isPassingForPartitions } from "./protocol/errors.ts";
import type { Broker } from "./protocol/patch.ts";
import { type Produce, produce, type Produced } from "./protocol/requests.ts";
import {
  endTransaction,
  finalizedLevel,
  storeInTransaction,
  type TransactionOwner,
} from "./protocol/transaction_requests.ts";

/** Level of `transaction.version` from which transactions are implicit. */
const IMPLICIT_LEVEL = 2;

/** Whether a failure may be temporary. */
type Passes = (error: unknown) => boolean;

/** The transactions of one transactional id, one after another. */
export interface Transactions {
  /** The owner of the current or next transaction. */
  readonly owner: TransactionOwner;
  /** Whether sequence numbers begin at 0 with each transaction. */
  readonly countsAnew: boolean;
  /** Announces the partitions to write to, if that is needed. @param passes after which failures to retry */
  begin(partitions: readonly Place[], passes?: Passes): Promise<void>;
  /** Writes batches to the broker that leads their partitions. */
  produce(leader: Broker, batches: readonly Produce[]): Promise<readonly Produced[]>;
  storeOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void>;
  /**
   * Commits or aborts the transaction, by one request. Retrying is safe: the coordinator accepts the same end again.
   */
  end(committed: boolean): Promise<void>;
}

/** Opens a transactional id; resolves once every earlier transaction of it is over. */
export async function openTransactions(
  client: KafkaClient,
  transactionalId: string,
  transactionTimeout: number,
): Promise<Transactions> {
  return await client.retry(async () => {
    const coordinator = await client.coordinator("transaction", transactionalId);
    const level = await finalizedLevel(coordinator, "transaction.version");
    const identity = { transactionalId, transactionTimeout };
    const { producerId, producerEpoch } = await coordinator.initProducerId(identity).catch((error) => {
      throw about(`open writer ${transactionalId}`, error);
    });
    const owner = { transactionalId, producerId, producerEpoch };
    return level >= IMPLICIT_LEVEL
      ? new ImplicitTransactions(client, owner)
      : new ExplicitTransactions(client, owner);
  });
}

class ImplicitTransactions implements Transactions {
  owner: TransactionOwner;
  readonly countsAnew = true;
  readonly #client: KafkaClient;

  constructor(client: KafkaClient, owner: TransactionOwner) {
    this.#client = client;
    this.owner = owner;
  }

  begin(): Promise<void> {
    return Promise.resolve();
  }

  produce(leader: Broker, batches: readonly Produce[]): Promise<readonly Produced[]> {
    return produce(leader, this.owner.transactionalId, batches, 12);
  }

  async storeOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void> {
    await this.#client.retry(async () => {
      const coordinator = await this.#client.coordinator("group", group);
      await storeInTransaction(coordinator, this.owner, group, offsets);
    }, isPassingForPartitions);
  }

  async end(committed: boolean): Promise<void> {
    const coordinator = await this.#client.coordinator("transaction", this.owner.transactionalId);
    this.owner = await endTransaction(coordinator, this.owner, committed);
  }
}

class ExplicitTransactions implements Transactions {
  readonly owner: TransactionOwner;
  readonly countsAnew = false;
  readonly #client: KafkaClient;

  constructor(client: KafkaClient, owner: TransactionOwner) {
    this.#client = client;
    this.owner = owner;
  }

  async begin(partitions: readonly Place[], passes: Passes = isPassingForPartitions): Promise<void> {
    if (partitions.length === 0) return;
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, added]) => ({
      topic,
      partitions: [...new Set(added.map(({ partition }) => partition))],
    }));
    await this.#client.retry(async () => {
      const coordinator = await this.#coordinator();
      await coordinator.addPartitionsToTxn({ ...this.owner, topics });
    }, passes);
  }

  produce(leader: Broker, batches: readonly Produce[]): Promise<readonly Produced[]> {
    return produce(leader, this.owner.transactionalId, batches);
  }

  async storeOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void> {
    await this.#client.retry(async () => {
      const coordinator = await this.#coordinator();
      await coordinator.addOffsetsToTxn({ ...this.owner, groupId: group });
    });
    await this.#client.retry(async () => {
      const coordinator = await this.#client.coordinator("group", group);
      await storeInTransaction(coordinator, this.owner, group, offsets, 3);
    }, isPassingForPartitions);
  }

  async end(committed: boolean): Promise<void> {
    const coordinator = await this.#coordinator();
    await coordinator.endTxn({ ...this.owner, transactionResult: committed });
  }

  #coordinator(): Promise<Broker> {
    return this.#client.coordinator("transaction", this.owner.transactionalId);
  }
}
