import { afterEach, beforeEach, expect, test } from "vitest";

import { wellness } from "../../pages/home/troubles.ts";
import { sampleStatus } from "../api/farm.sample.ts";
import type { StatusSource } from "../api/schemas/status.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

test("says in one sentence whether the farm is well, and a stranger what is wrong in words that name nothing", async () => {
  const text = await site.text("/");
  expect(text).toContain("<h1>The farm is at work, with one thing amiss</h1>");
  expect(text).toContain("An index or a forge can&#39;t be followed at present");
  for (const word of ["index.example", "changelog", "creamery doctor", "/data"])
    expect(text).not.toContain(word);
});

test("tells operators what is wrong in whole, and what to do next", async () => {
  const text = await site.text("/", await site.farm.token(["operate"]));
  expect(text).toContain("the changelog can&#39;t be followed");
  expect(text).toContain("creamery doctor");
});

test("tells an operator whose token is bound to projects no more of the farm than a stranger", async () => {
  const as = await site.farm.token(["operate"], { projects: ["six"] });
  expect(await site.text("/", as)).not.toContain("the changelog can&#39;t be followed");
});

test("of several alarms of one kind a stranger hears once, and of an unknown kind no more than that there is one", async () => {
  const [alarm] = sampleStatus(0).alarms;
  if (alarm === undefined) throw new Error("no alarm");
  const told = (kind: string) => ({ ...alarm, kind, text: `host-${kind}.example is gone` });
  const status: StatusSource = {
    status: async () => ({
      ...sampleStatus(0),
      alarms: [told("host-lost"), told("host-lost"), told("new-kind")],
    }),
  };
  await using other = await sampleSite({ pages: { status } });
  const text = await other.text("/");
  expect(text.match(/One of the farm&#39;s hosts is not heard of/gu)).toHaveLength(1);
  expect(text).toContain("Something needs the operator&#39;s attention");
  expect(text).not.toContain(".example is gone");
});

test("is not said to be at work where it is not", () => {
  const trouble = { text: "", nextStep: null, sinceMs: null };
  expect(wellness([])).toBe("The farm is well");
  expect(wellness([{ ...trouble, stopsFarm: true }])).toBe("The farm is not testing at present");
});

test("shows the newest verdicts, newest first, with cause, release and attempt; confirmations and experiments are none", async () => {
  for (const version of ["1.0", "2.0"]) {
    site.farm.nowMs += 1000;
    await site.farm.record({
      project: "six",
      version,
      cause: "dependency-build(cffi)",
    });
  }
  const confirming = await site.farm.record({ project: "six" }, { reason: "confirm" });
  const experiment = await site.farm.record({ project: "six" }, { reason: "experiment" });
  const text = await site.text("/");
  expect(text.indexOf("/p/six/2.0")).toBeLessThan(text.indexOf("/p/six/1.0"));
  expect(text).toContain("the dependency cffi does not build");
  for (const id of [confirming, experiment]) expect(text).not.toContain(id);
});

test("never shows the farm's own fault as a failure", async () => {
  await site.farm.record({ project: "six", outcome: "error", cause: "vm-resume" });
  const text = await site.text("/");
  expect(text).toContain("no verdict");
  expect(text).not.toContain("v-error");
});

test("shows and counts nothing of a private project to who may not see it", async () => {
  await site.farm.record({ project: "secret" }, { visibility: "private" });
  await site.farm.record({ project: "public" });
  await site.farm.enqueue("secret", { visibility: "private" });
  const text = await site.text("/");
  expect(text).not.toContain("secret");
  expect(text).toContain("Tested: 1 in the last hour, 1 in the last day");
  expect(text).not.toContain("/queue?lane=priority&amp;state=queued");
  const seen = await site.text("/", await site.farm.token(["read-private"]));
  expect(seen).toContain("/p/secret");
  expect(seen).toContain("Tested: 2 in the last hour");
  expect(seen).toContain("/queue?lane=priority&amp;state=queued");
});

test("shows what newly broke, and of a private project to nobody who may not see it", async () => {
  for (const [project, visibility] of [
    ["six", "public"],
    ["secret", "private"],
  ] as const)
    for (const [version, outcome, cause] of [
      ["1.0", "pass", null],
      ["2.0", "fail", "test-failure"],
    ] as const) {
      site.farm.nowMs += 1000;
      await site.farm.record({ project, version, outcome, cause }, { visibility });
    }
  const broken = async (as?: string) => {
    const text = await site.text("/", as);
    return text.slice(text.indexOf("Newly broken"), text.indexOf("Newest verdicts"));
  };
  const stranger = await broken();
  expect(stranger).toContain("/p/six/2.0");
  expect(stranger).not.toContain("/p/six/1.0");
  expect(stranger).not.toContain("secret");
  expect(await broken(await site.farm.token(["read-private"]))).toContain("/p/secret/2.0");
});

test("measures the way from upload to verdict on what who looks gets to see", async () => {
  const { database, nowMs } = site.farm;
  for (const [project, visibility, seconds] of [
    ["secret", "private", 7200],
    ["six", "public", 60],
  ] as const) {
    await site.farm.enqueue(project, { visibility });
    await database.write(async (db) => {
      const target = await db
        .selectFrom("target")
        .innerJoin("project", "project.id", "target.project_id")
        .select("target.id")
        .where("project.name", "=", project)
        .executeTakeFirstOrThrow();
      await db.insertInto("watched").values({ name: project, since_ms: 0 }).execute();
      await db
        .insertInto("release_time")
        .values({
          target_id: target.id,
          uploaded_ms: nowMs - seconds * 1000,
          seen_ms: nowMs,
          verdict_ms: nowMs,
        })
        .execute();
    });
  }
  expect(await site.text("/")).toContain("it took 1 min 0 s for half of them, and 1 min 0 s");
  expect(await site.text("/", await site.farm.token(["read-private"]))).toContain("2 h 0 min");
});

test("shows what packages wrote as text, bounded", async () => {
  await site.farm.record({
    project: "six",
    version: `1.0"><img src=x onerror=alert(1)>\u202e${"9".repeat(500)}`,
    cause: "removed-api(<script>alert(1)</script>)",
  });
  const text = await site.text("/");
  expect(text).not.toMatch(/<img|<script>alert|\u202e/u);
  expect(text).not.toContain("9".repeat(100) + "<");
});
