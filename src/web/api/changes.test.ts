import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { ChangeRecorder } from "../../store/sql/change-recorder.sample.ts";
import { sampleFarm, type SampleFarm } from "./farm.sample.ts";
import { Change } from "./schemas/changes.ts";

let farm: SampleFarm;
let recorder: ChangeRecorder;
beforeEach(async () => {
  farm = await sampleFarm();
  recorder = new ChangeRecorder(farm.database, farm.nowMs);
});
afterEach(() => farm[Symbol.asyncDispose]());

const Page = z.strictObject({ changes: z.array(Change), next: z.string().nullable() });
async function changes(query = "", as?: string): Promise<z.infer<typeof Page>> {
  const answer = await farm.ask(`/changes${query}`, as === undefined ? {} : { as });
  return Page.parse(await answer.json());
}

test("a change is told with both attempts, what it is grouped by, and when", async () => {
  const before = await recorder.pass({ version: "1.0" });
  const attempt = await recorder.record({ version: "1.1", cause: "dependency-build(cffi)" });
  expect((await changes()).changes).toEqual([
    {
      id: 1,
      project: "mine",
      configuration: "cpython-3.13",
      line: "",
      kind: "broke",
      now: { attempt, version: "1.1", outcome: "fail", cause: "dependency-build(cffi)" },
      before: { attempt: before, version: "1.0", outcome: "pass", cause: null },
      root: "cffi",
      at: new Date(recorder.atMs).toISOString(),
    },
  ]);
});

test("is narrowed by project in any spelling, by kind, configuration and time, and read page by page", async () => {
  await recorder.breaks({ project: "zope-event" });
  const since = new Date(recorder.atMs + 500).toISOString();
  await recorder.pass({ project: "zope-event" });
  await recorder.breaks({ project: "six", configuration: "pypy-3.11" });
  const told = async (query: string) =>
    (await changes(query)).changes.map(({ project, kind }) => `${project} ${kind}`);
  const [six, fixed, broke] = ["six broke", "zope-event fixed", "zope-event broke"];
  expect(await told("")).toEqual([six, fixed, broke]);
  expect(await told("?project=Zope.Event")).toEqual([fixed, broke]);
  expect(await told("?kind=fixed")).toEqual([fixed]);
  expect(await told("?configuration=pypy-3.11")).toEqual([six]);
  expect(await told(`?since=${since}`)).toEqual([six, fixed]);
  const first = await changes("?limit=2");
  expect(first.changes).toHaveLength(2);
  expect(await told(`?limit=2&cursor=${first.next ?? ""}`)).toEqual([broke]);
});

test("what is no kind, instant or cursor is refused, as is what is mistyped", async () => {
  for (const query of ["kind=passed", "since=yesterday", "cursor=x", "projekt=six"])
    expect([query, (await farm.ask(`/changes?${query}`)).status]).toEqual([query, 400]);
});

test("those of a private project are told to who may see it, and to nobody else", async () => {
  await recorder.breaks({ project: "secret" }, { visibility: "private" });
  const as = await farm.token(["read-private"]);
  const other = await farm.token(["read-private"], { projects: ["six"] });
  expect([await changes(), await changes("?project=secret"), await changes("", other)]).toEqual(
    Array.from({ length: 3 }, () => ({ changes: [], next: null })),
  );
  expect((await changes("", as)).changes).toMatchObject([{ project: "secret" }]);
});
