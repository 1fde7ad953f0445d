/**
 * The contract of {@linkcode Log}. It demands only what Kafka can keep too: gaps between offsets are allowed,
 * old records of a key may linger, and a rebalance may revoke more than it moves.
 *
 * @module
 */

import { commitContract } from "./commit_contract.ts";
import { compactionContract } from "./compaction_contract.ts";
import { erasureContract } from "./erasure_contract.ts";
import { groupContract } from "./group_contract.ts";
import { type LogContractOptions, LogSuite, type OpenLog } from "./log_suite.ts";
import { recordContract } from "./record_contract.ts";

/** Registers the tests of the contract for one implementation. */
export function logContract(name: string, open: OpenLog, options: LogContractOptions = {}): void {
  const suite = new LogSuite(name, open, options);
  recordContract(suite);
  compactionContract(suite);
  commitContract(suite);
  erasureContract(suite);
  groupContract(suite);
}
