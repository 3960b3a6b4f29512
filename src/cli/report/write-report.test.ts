import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { sampleFarm, type SampleFarm } from "../../web/api/farm.sample.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { faultyLinks, writtenReport, type WrittenFiles } from "./report.sample.ts";

const { signal } = new AbortController();

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm();
});
afterEach(() => farm[Symbol.asyncDispose]());

const HOSTILE_VERSIONS = [
  "1.0",
  "1.0A",
  "1.0a",
  "1!2.0+local",
  "../../../index.html",
  "feed.xml",
  "matrix.svg",
  "index.html",
  "%2F..%2F",
  `"><script>alert(1)</script>`,
  "con",
  "x".repeat(300),
  "a b?c#d&amp;",
];

async function keepLog(id: string, text: string): Promise<void> {
  const options = { signal, compression: "zstd" } as const;
  await farm.bucket.create(attemptKey(id, "log.txt"), Buffer.from(text), options);
}

const textOf = (files: WrittenFiles, path: string): string => {
  const file = files.get(path);
  if (file === undefined) throw new Error(`there is no ${path}`);
  return file.toString("utf8");
};

describe("a farm's report", () => {
  test("has links to its own files alone, whatever versions and logs say, and leads to all of them", async () => {
    for (const version of HOSTILE_VERSIONS) {
      const id = await farm.record({ project: "mine", version });
      await keepLog(id, `== step <b> ${version}\n`.repeat(5000));
    }
    await farm.record({ project: "six", outcome: "pass", cause: null, configuration: "pypy-3.11" });
    const files = await writtenReport(farm);
    expect(faultyLinks(files)).toEqual([]);
    expect([...files.keys()]).toContain("p/mine/1.0/index.html");
    expect([...files.keys()]).toContain("p/mine/=66eed.xml/index.html");
    const url = "https://pages.example/report";
    expect(faultyLinks(await writtenReport(farm, {}, { url }), url)).toEqual([]);
  });

  test("is the same bytes for the same store, whenever it is written", async () => {
    const id = await farm.record({ project: "six" });
    await keepLog(id, "== test\nok\n");
    const first = await writtenReport(farm);
    farm.nowMs += 90 * 86_400_000;
    const again = await writtenReport(farm);
    expect([...again.keys()]).toEqual([...first.keys()]);
    for (const [path, content] of first) expect(again.get(path)?.equals(content), path).toBe(true);
    expect(textOf(first, "index.html")).not.toMatch(/ ago<|just now/u);
  });

  test("tells nothing of private projects unless they are asked for", async () => {
    const secret = await farm.record({ project: "secret-one" }, { visibility: "private" });
    await keepLog(secret, "== a secret-one\n");
    await farm.record({ project: "six" });
    const files = await writtenReport(farm);
    for (const [path, content] of files) {
      expect(`${path} ${content.toString("utf8")}`).not.toContain("secret-one");
      expect(`${path} ${content.toString("utf8")}`).not.toContain(secret);
    }
    const all = await writtenReport(farm, { isPrivate: true });
    expect([...all.keys()]).toContain("p/secret-one/index.html");
    expect(faultyLinks(all)).toEqual([]);
    for (const named of ["secret-one", "nothing-like-it"])
      await expect(writtenReport(farm, { projects: [named] })).rejects.toMatchObject({
        code: "unknown-project",
        message: "the farm has no such project to show",
      });
  });

  test("of named projects is of these alone", async () => {
    for (const project of ["six", "attrs", "lmdb"]) await farm.record({ project });
    const files = await writtenReport(farm, { projects: ["Six", "lmdb"] });
    expect(faultyLinks(files)).toEqual([]);
    for (const content of files.values()) expect(content.toString("utf8")).not.toContain("attrs");
    expect([...files.keys()]).toContain("p/six/index.html");
    await expect(writtenReport(farm, { projects: ["sixx"] })).rejects.toMatchObject({
      nextStep: "did you mean six?",
    });
    await expect(writtenReport(farm, { projects: ["../x"] })).rejects.toMatchObject({
      code: "usage",
    });
  });

  test("has so many attempts of each release on each configuration, the newest ones", async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await farm.record({ project: "six" }));
    const other = await farm.record({ project: "six", configuration: "pypy-3.11" });
    const files = await writtenReport(farm, { newest: 2 });
    const attempts = [...files.keys()].filter((path) => /^a\/[^/]+\/index\.html$/u.test(path));
    expect(attempts.toSorted()).toEqual(
      [...ids.slice(3), other].map((id) => `a/${id}/index.html`).toSorted(),
    );
    expect(faultyLinks(files)).toEqual([]);
  });

  test("of an empty farm says so", async () => {
    const files = await writtenReport(farm);
    expect(textOf(files, "index.html")).toContain("There is none");
    expect(faultyLinks(files)).toEqual([]);
  });

  test("leaves out a log that can't be read, and says so", async () => {
    const id = await farm.record({ project: "six" });
    await keepLog(id, "== test\n");
    farm.bucket.onOperation = (name, key) => {
      if (name === "open" && key.endsWith("log.txt"))
        throw new CreameryError("bucket", "is damaged", { input: key });
    };
    const told: string[] = [];
    const files = await writtenReport(farm, {}, { tell: (line) => void told.push(line) });
    expect(told).toEqual([
      `the log of attempt ${id} is left out: attempts/${id}/log.txt: is damaged`,
    ]);
    expect([...files.keys()]).toContain(`a/${id}/index.html`);
    expect(faultyLinks(files)).toEqual([]);
  });
});
