import { MemoryLog } from "../../streams/log/memory_log.ts";
import { logContract } from "../contracts/log_contract.ts";

logContract("MemoryLog", ({ onStep }) => Promise.resolve(new MemoryLog(onStep ? { onStep } : {})), {
  excused: { restart: "nothing in memory survives its process" },
});
