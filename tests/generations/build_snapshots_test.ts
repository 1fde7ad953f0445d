/** What a killed build leaves on disk. */

import assert from "node:assert/strict";
import { builderGroup, dropBuildSnapshots } from "../../streams/generations/online/build_snapshots.ts";
import type { GroupMember } from "../../streams/log/log.ts";
import { generationTopics, topicNames } from "../../streams/topics/topics.ts";
import { ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { until } from "../service/deployment.ts";
import { startService } from "../service/task_command.ts";

const topics = topicNames(ownPrefix(import.meta.url, "left"));
const { state } = generationTopics(topics, 3);
const broker = await testBroker();

async function leftBehind(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await Deno.mkdir(`${folder}/build/${name}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/build/${name}/users`, "some");
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("dropBuildSnapshots() removes what a build of this deployment left, unless one is running", async () => {
  const folder = await Deno.makeTempDir();
  const building: GroupMember[] = [];
  const log = {
    members: (group: string) => Promise.resolve(group === builderGroup(topics) ? building : []),
  };
  assert.deepEqual(await dropBuildSnapshots(log, topics, folder), [], "there is nothing");
  const own = [`${state}-0`, `${state}-11`, `${topics.state}-2`];
  const others = [`${topics.items}-0`, `${state}.bak-0`];
  await leftBehind(folder, [...own, ...others]);
  await Deno.mkdir(`${folder}/${state}-0`); // of the service
  building.push({ id: "a", host: "b", partitions: [0] });
  assert.deepEqual(await dropBuildSnapshots(log, topics, folder), []);
  building.length = 0;
  assert.deepEqual(await dropBuildSnapshots(log, topics, folder), own.toSorted());
  assert.deepEqual(await namesIn(`${folder}/build`), others);
  assert.deepEqual(await namesIn(folder), ["build", `${state}-0`]);
  await Deno.remove(`${folder}/build`, { recursive: true });
  await leftBehind(folder, own);
  await dropBuildSnapshots({}, topics, folder);
  assert.deepEqual(await namesIn(folder), [`${state}-0`], "the folder itself is removed, too");
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: "a service on Kafka that builds nothing removes at start what an earlier build left",
  ignore: broker === undefined,
  async fn({ name }) {
    const prefix = ownPrefix(import.meta.url, name);
    const folder = await Deno.makeTempDir();
    await leftBehind(folder, [`${prefix}state.g2-0`]);
    const place = ["--log", "kafka", "--brokers", broker?.address ?? "", "--prefix", prefix];
    const child = await startService([
      ...place,
      "--partitions",
      "1",
      "--model",
      "base",
      "--snapshots",
      folder,
      "--members",
      `${folder}/members`,
    ]);
    const isGone = async () => !(await namesIn(folder)).includes("build");
    await until(isGone, "it is removed");
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  },
});
