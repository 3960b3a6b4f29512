import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { sampleManifest } from "../../image/manifest.sample.ts";
import type { AuditRecord } from "../../model/audit.ts";
import { FORM_TOKEN } from "../../pages/shell/deed-form.ts";
import { arrive } from "../api/farm.sample.ts";
import { sampleSite, type SampleBrowser, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
let operator: SampleBrowser;
beforeEach(async () => {
  site = await sampleSite();
  operator = await site.loggedIn(["operate", "enqueue"]);
});
afterEach(() => site[Symbol.asyncDispose]());

const record = async (): Promise<readonly string[]> => {
  const { records } = await site.farm.audit.list({ limit: 50 });
  return records.map(
    ({ by, action, subject, outcome }: AuditRecord) => `${by.kind} ${action} ${subject} ${outcome}`,
  );
};

const jobsOf = async (browser: SampleBrowser): Promise<string> =>
  (await browser.get("/api/v1/jobs")).text();

/** Follows where an answer sends, and gives the text there. */
const after = async (browser: SampleBrowser, answer: Response): Promise<string> => {
  expect(answer.status).toBe(303);
  // Where another page lies, what was done is told all the same.
  return (await browser.get("/search")).text();
};

describe("a job", () => {
  test("is cancelled after a question, and queued again, and the record says who did it", async () => {
    const key = await site.farm.enqueue("six");
    const question = await (await operator.get(`/queue/${key}/cancel`)).text();
    expect(question).toContain("six 1.0 on CPython 3.13 is queued");
    expect(question).toContain(`action="/queue/${key}/cancel"`);
    expect(await jobsOf(operator)).toContain(`"state":"queued"`);
    const cancelled = await operator.post(`/queue/${key}/cancel`, { to: "/queue?state=dead" });
    expect(cancelled.headers.get("location")).toBe("/queue?state=dead");
    const told = await after(operator, cancelled);
    expect(told).toContain("The job is cancelled.");
    // Once, and not again.
    expect(await (await operator.get("/search")).text()).not.toContain("The job is cancelled.");
    expect(await jobsOf(operator)).toContain(`"state":"cancelled"`);
    const again = await operator.post(`/queue/${key}/cancel`);
    expect(again.status).toBe(409);
    expect(await again.text()).toContain("it is over already");
    expect(await after(operator, await operator.post(`/queue/${key}/retry`))).toContain(
      "The job is queued again.",
    );
    expect(await record()).toEqual([
      `person change-queue job ${key} done`,
      `person change-queue job ${key} failed`,
      `person change-queue job ${key} done`,
    ]);
  });

  test("is nobody's to cancel who may not, and one of a private project is as none", async () => {
    const open = await site.farm.enqueue("six");
    const hidden = await site.farm.enqueue("secret", { visibility: "private" });
    const reader = await site.loggedIn(["enqueue"]);
    for (const act of ["cancel", "retry"]) {
      expect((await reader.post(`/queue/${open}/${act}`)).status).toBe(403);
      const [missing, secret] = [
        await reader.post(`/queue/nothere/${act}`),
        await reader.post(`/queue/${hidden}/${act}`),
      ];
      expect([missing.status, secret.status]).toEqual([404, 404]);
      expect((await secret.text()).replaceAll(hidden, "nothere")).toBe(await missing.text());
    }
    expect((await reader.get(`/queue/${open}/cancel`)).status).toBe(403);
    expect((await reader.get(`/queue/${hidden}/cancel`)).status).toBe(404);
    expect((await site.browser().get(`/queue/${open}/cancel`)).status).toBe(401);
    expect(await jobsOf(operator)).not.toContain(`"state":"cancelled"`);
    expect(new Set(await record())).toEqual(new Set([`person change-queue job ${open} refused`]));
  });

  test("of whatever name is shown as text", async () => {
    const version = `1.0"><script>alert(1)</script>\u202e`;
    const key = await site.farm.enqueue("six", { version });
    const text = await (await operator.get(`/queue/${key}/cancel`)).text();
    expect(text).not.toContain("<script>alert");
    expect(text).not.toContain("\u202e");
  });
});

describe("what is to be tested", () => {
  test("is added to the queue, each line of it, by who may", async () => {
    const page = await (await operator.get("/queue/add?target=six")).text();
    expect(page).toContain(">six</textarea>");
    const answer = await operator.post("/queue/add", {
      targets: "six\r\n\r\n attrs==25.3.0 ",
      configurations: "cpython-3.13",
      lane: "manual",
    });
    expect(await after(operator, answer)).toContain("2 jobs were added to the queue.");
    const jobs = await jobsOf(operator);
    expect(jobs).toContain(`"word":"six"`);
    expect(jobs).toContain(`"word":"attrs==25.3.0"`);
    expect(await record()).toEqual(["person enqueue six attrs==25.3.0 done"]);
  });

  test("is told what is wrong with it, and nothing of it is queued", async () => {
    for (const [fields, status] of [
      [{ targets: " \n", configurations: "all" }, 400],
      [{ configurations: "all" }, 400],
      [{ targets: "six\n./mine", configurations: "all" }, 400],
      [{ targets: "six", configurations: "cpython-9.9" }, 400],
      [{ targets: Array.from({ length: 51 }, () => "six").join("\n"), configurations: "all" }, 400],
      [{ targets: "six", configurations: "all", lane: "background" }, 400],
    ] as const)
      expect((await operator.post("/queue/add", fields)).status).toBe(status);
    expect(await jobsOf(operator)).toContain(`"jobs":[]`);
  });

  test("is asked for by those alone who may, of what is theirs", async () => {
    const nobody = site.browser();
    expect((await nobody.get("/queue/add")).status).toBe(401);
    const reader = await site.loggedIn(["read-private"]);
    expect((await reader.get("/queue/add")).status).toBe(403);
    const fields = { targets: "six", configurations: "priority" };
    expect((await reader.post("/queue/add", fields)).status).toBe(403);
    const bound = await site.loggedIn(["enqueue"], { projects: ["attrs"] });
    expect((await bound.get("/queue/add")).status).toBe(200);
    expect((await bound.post("/queue/add", fields)).status).toBe(403);
    expect((await bound.post("/queue/add", { ...fields, targets: "attrs" })).status).toBe(303);
    expect(
      (await bound.post("/queue/add", { ...fields, targets: "attrs", lane: "manual" })).status,
    ).toBe(403);
    expect(await record()).toContain("person enqueue six refused");
  });
});

describe("a host", () => {
  test("is drained after a question, with a reason, and goes on again", async () => {
    await arrive(site.farm, "one/two");
    const path = "/hosts/one%2Ftwo";
    expect(await (await operator.get(`${path}/drain`)).text()).toContain("Drain this host?");
    const drained = await operator.post(`${path}/drain`, { reason: "new disk" });
    expect(await after(operator, drained)).toContain("given nothing more");
    const host = async () => await site.farm.deps.hosts.byName("one/two");
    expect(await host()).toMatchObject({ state: "draining", reason: "new disk" });
    await operator.post(`${path}/resume`);
    expect(await host()).toMatchObject({ state: "active", reason: null });
    expect((await operator.get("/hosts/none/drain")).status).toBe(404);
    expect((await operator.post("/hosts/none/drain")).status).toBe(404);
    const reader = await site.loggedIn(["enqueue"]);
    for (const act of ["drain", "resume"])
      expect((await reader.post(`${path}/${act}`)).status).toBe(403);
    expect((await reader.get(`${path}/drain`)).status).toBe(403);
    expect(await record()).toContain("person drain host one/two done");
  });
});

describe("what is watched", () => {
  test("is listed, added and taken away by operators", async () => {
    const added = await operator.post("/watched", { names: "Six, zope.interface\n attrs" });
    expect(added.headers.get("location")).toBe("/watched");
    const list = await (await operator.get("/watched")).text();
    expect(list).toContain("3 projects are watched from now on.");
    for (const name of ["six", "zope-interface", "attrs"]) expect(list).toContain(`>${name}</a>`);
    expect((await operator.post("/watched", { names: "no name!" })).status).toBe(400);
    expect((await operator.post("/watched", { names: " " })).status).toBe(400);
    expect(await (await operator.get("/watched/six/remove")).text()).toContain("Watch it no more?");
    await operator.post("/watched/six/remove");
    expect(await (await operator.get("/watched")).text()).not.toContain(">six</a>");
    expect((await operator.post("/watched/six/remove")).status).toBe(404);
    expect((await operator.post("/watched", { names: "*" })).status).toBe(303);
    expect(await (await operator.get("/watched")).text()).toContain(
      "Everything that the index has",
    );
    expect((await operator.post("/watched/*/remove")).status).toBe(303);
    expect(await record()).toContain("person watch six done");
  });

  test("is nobody else's to see or change", async () => {
    const reader = await site.loggedIn(["enqueue", "read-private"]);
    expect((await site.browser().get("/watched")).status).toBe(401);
    expect((await reader.get("/watched")).status).toBe(403);
    expect((await reader.post("/watched", { names: "six" })).status).toBe(403);
    expect((await reader.post("/watched/six/remove")).status).toBe(403);
    expect(await record()).toEqual(["person watch six refused", "person watch six refused"]);
  });

  test("is shown page by page", async () => {
    const names = Array.from({ length: 250 }, (_, at) => `p${String(at).padStart(3, "0")}`);
    await operator.post("/watched", { names: names.join(" ") });
    const first = await (await operator.get("/watched")).text();
    expect(first).toContain(`href="/watched?after=p199"`);
    const second = await (await operator.get("/watched?after=p199")).text();
    expect([second.includes(">p200</a>"), second.includes(">p199</a>")]).toEqual([true, false]);
  });
});

describe("an image", () => {
  const put = (id: string): void => {
    const directory = join(site.farm.deps.imagesDir, id);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "manifest.json"), JSON.stringify(sampleManifest(id)));
  };

  test("is promoted after a question, by operators, and no path is made of its name", async () => {
    const id = "2026.11.1+0ed3d8fa";
    put(id);
    expect(await (await operator.get(`/images/${id}/promote`)).text()).toContain(
      "Promote this image?",
    );
    expect(site.promoted).toEqual([]);
    const answer = await operator.post(`/images/${id}/promote`);
    expect(await after(operator, answer)).toContain("points to that image now");
    for (const none of ["nothere", "..%2F..%2Fetc", `..%2Fimages%2F${id}`])
      expect((await operator.post(`/images/${none}/promote`)).status).toBe(404);
    const reader = await site.loggedIn(["enqueue"]);
    expect((await reader.get(`/images/${id}/promote`)).status).toBe(403);
    expect((await reader.post(`/images/${id}/promote`)).status).toBe(403);
    expect(site.promoted).toEqual([`stable ${id}`]);
    expect(await record()).toContain(`person promote-image image ${id} done`);
  });
});

test("no form is shown to who has nothing to send it with, nor to who may not", async () => {
  const key = await site.farm.enqueue("six");
  const as = await site.farm.token(["operate"]);
  const text = await site.text(`/queue/${key}/cancel`, as);
  expect(text).not.toContain(FORM_TOKEN);
  expect(text).toContain("log in with this browser");
});
