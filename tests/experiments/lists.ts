import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { ExperimentTotals } from "../../src/experiments/totals.ts";
import { Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";

function exposureOf([experiment, variant, phase = 0]: readonly [string, string, number?]) {
  return { experiment, variant, ...(phase > 0 && { phase }) };
}

/** A sample of `rows` items with the first `clicks` of them clicked. */
export function list(
  user: string,
  clicks: number,
  { rows = 10, time = 0, closedTime = time, exposure }: {
    rows?: number;
    time?: number;
    closedTime?: number;
    exposure?: readonly [string, string, number?];
  } = {},
): Sample {
  const nothing = { items: [], categories: [], actions: [] };
  return {
    request: `${user}-${time}`,
    user,
    time,
    closedTime,
    version: 1,
    newUser: false,
    userFields: [],
    contextFields: [],
    history: { ...nothing, times: new Float64Array(0), strengths: new Float32Array(0) },
    rows: Rows.of(Array.from({ length: rows }, (_, position) => {
      return { item: `i${position}`, prediction: 0.3, label: position < clicks ? 1 : 0 };
    })),
    ...(exposure === undefined ? {} : { exposures: [exposureOf(exposure)] }),
  };
}

/** Restores `totals` with these users into `copy`. @returns `copy` */
export function restored(
  totals: ExperimentTotals,
  copy: ExperimentTotals,
  users: readonly string[],
): ExperimentTotals {
  const head = new ByteWriter();
  totals.encode(head);
  copy.decode(new ByteReader(head.toBytes()));
  for (const user of users) {
    const to = new ByteWriter();
    totals.encodeUser(to, user);
    copy.decodeUser(new ByteReader(to.toBytes()), user);
  }
  return copy;
}
