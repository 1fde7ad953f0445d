/** Fetches a schema registry and a Kafka broker for tests, once: `deno run -A scripts/kafka/prepare.ts`. */

import { prepareBroker } from "./dev_broker.ts";
import { prepareRegistry } from "./schema_registry.ts";

await prepareRegistry();
await prepareBroker();
