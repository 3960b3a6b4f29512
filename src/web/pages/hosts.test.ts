import { afterEach, beforeEach, expect, test } from "vitest";

import { HostFacts } from "../../queue/hosts.ts";
import { noteEnd } from "../../queue/host-record.ts";
import { sampleStatus } from "../api/farm.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite({ pages: { status: { status: async () => told() } } });
});
afterEach(() => site[Symbol.asyncDispose]());

/** Two at work, one lost, one that is drained. */
function told() {
  const [one] = sampleStatus(0).hosts;
  if (one === undefined) throw new Error("no host");
  const host = (name: string, change: Partial<typeof one> = {}) => ({
    ...one,
    name,
    slots: 4,
    running: 3,
    ...change,
  });
  return {
    ...sampleStatus(0),
    hosts: [
      host("one"),
      host("two"),
      host("three", { isLost: true }),
      host("four", { state: "draining" }),
    ],
  };
}

async function arrived(name: string, change: object = {}): Promise<number> {
  const facts = HostFacts.parse({
    version: "0.1.0",
    machine: "gvisor",
    image: "2026.11.2+0f3a9c21",
    cores: 8,
    memoryFreeBytes: 12.5e9,
    diskFreeBytes: 1.4e12,
    running: 2,
    ...change,
  });
  return (await site.farm.deps.hosts.arrive({ name, boot: "b1", slots: 3, facts })).host.id;
}

test("tells a stranger how many are at work, and nothing of what they are", async () => {
  for (const name of ["one", "two", "three", "four"]) await arrived(name);
  await site.farm.deps.hosts.setState("four", "draining", null);
  const text = await site.text("/hosts");
  expect(text).toContain("2 hosts take jobs, and 4 of 6 slots are in use.");
  expect(text).toContain("2 of 4");
  for (const words of ["gvisor", "2026.11.2", ">one<", "12.5 GB"])
    expect(text).not.toContain(words);
});

test("tells operators all, with why a host is out and how many of its last jobs the farm failed in", async () => {
  const id = await arrived("one");
  await arrived("three");
  const { database, nowMs, deps } = site.farm;
  for (let at = 0; at < 8; at++)
    await database.write((within) => noteEnd(within, id, at < 2, nowMs));
  await deps.hosts.setState("one", "draining", "its disk is\u202e changed");
  const as = await site.farm.token(["operate"]);
  expect(await site.text("/hosts", as)).toContain("ends what it runs");
  await database.write((within) => noteEnd(within, id, true, nowMs));
  const text = await site.text("/hosts", as);
  for (const words of [
    "its disk is\\u202e changed",
    "3 of 9 (33.3 %)",
    "12.5 GB",
    "1.4 TB",
    "2026.11.2+0f3a9c21",
    "gvisor, Creamery 0.1.0",
    "2 of 3",
    "not heard of",
  ])
    expect(text).toContain(words);
});

test("what an operator has just done to a host counts at once, in the sentence as in the table", async () => {
  await arrived("one");
  expect(await site.text("/hosts")).toContain("One host takes jobs");
  await site.farm.deps.hosts.setState("one", "draining", null);
  expect(await site.text("/hosts")).toContain("No host takes jobs at present");
});

test("an operator's token that is bound to projects sees what a stranger does", async () => {
  await arrived("one");
  const as = await site.farm.token(["operate"], { projects: ["six"] });
  expect(await site.text("/hosts", as)).not.toContain("gvisor");
});
