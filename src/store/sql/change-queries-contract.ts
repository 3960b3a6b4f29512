import { expect, test } from "vitest";

import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import { ChangeRecorder } from "./change-recorder.sample.ts";
import { changeGroups, type GroupQuery } from "./change-groups.ts";
import {
  changesAfter,
  lastChange,
  newestChanges,
  visibleChange,
  type ChangeQuery,
} from "./verdict-changes.ts";

const PUBLIC: Within = { allPublic: true, public: [], private: [] };
const ALL: Within = { allPublic: true, public: [], private: "all" };
const PRIVATE = { visibility: "private" } as const;

/** What is asked of changes of verdict, in either database. */
export function changeQueriesContract(open: () => Promise<Database>): void {
  async function opened() {
    const database = await open();
    const recorder = new ChangeRecorder(database);
    const newest = async (change: Partial<ChangeQuery> = {}, most?: number) => {
      const page = await newestChanges(database, { within: PUBLIC, limit: 50, ...change }, most);
      return { ...page, told: page.changes.map(({ project, kind }) => `${project} ${kind}`) };
    };
    const groups = (change: Partial<GroupQuery> = {}, most?: number) =>
      changeGroups(
        database,
        {
          within: PUBLIC,
          sinceMs: 0,
          kinds: ["broke", "fixed"],
          mostGroups: 50,
          mostEach: 5,
          ...change,
        },
        most,
      );
    return {
      database,
      recorder,
      newest,
      groups,
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }

  test("the newest come first, page by page, by project, configuration, kind and time", async () => {
    await using farm = await opened();
    const { recorder, newest } = farm;
    await recorder.breaks({ project: "a" });
    await recorder.breaks({ project: "b", configuration: "pypy-3.11" });
    const since = recorder.atMs + 500;
    await recorder.pass({ project: "a" });
    expect((await newest()).told).toEqual(["a fixed", "b broke", "a broke"]);
    expect((await newest({ project: "a" })).told).toEqual(["a fixed", "a broke"]);
    expect((await newest({ project: "c" })).told).toEqual([]);
    expect((await newest({ configuration: "pypy-3.11" })).told).toEqual(["b broke"]);
    expect((await newest({ kinds: ["broke"] })).told).toEqual(["b broke", "a broke"]);
    expect((await newest({ sinceMs: since })).told).toEqual(["a fixed"]);
    const first = await newest({ limit: 2 });
    expect(first.told).toEqual(["a fixed", "b broke"]);
    const second = await newest({ limit: 2, olderThan: first.next ?? 0 });
    expect([second.told, second.next]).toEqual([["a broke"], null]);
  });

  test("what nobody may see is in no list, group or count, and is asked for in vain", async () => {
    await using farm = await opened();
    const { recorder, newest, groups, database } = farm;
    await recorder.breaks({ project: "secret", cause: "dependency-build(cffi)" }, PRIVATE);
    await recorder.breaks({ project: "open", cause: "dependency-build(cffi)" });
    await recorder.breaks({ project: "hidden" }, PRIVATE);
    expect((await newest()).told).toEqual(["open broke"]);
    expect((await newest({ project: "secret" })).told).toEqual([]);
    expect((await newest({ within: ALL })).told).toHaveLength(3);
    expect(await groups()).toMatchObject({
      broke: 1,
      projects: 1,
      groupCount: 1,
      groups: [{ root: "cffi", projects: 1, broke: 1, changes: 1, newest: [{ project: "open" }] }],
    });
    expect(await groups({ within: ALL })).toMatchObject({ broke: 3, groupCount: 2 });
    const [hidden] = (await newest({ within: ALL })).changes;
    expect(await visibleChange(database, hidden?.id ?? 0, ALL)).toMatchObject({
      project: "hidden",
    });
    expect(await visibleChange(database, hidden?.id ?? 0, PUBLIC)).toBeNull();
  });

  test("a page of all projects looks through so many, and says where the next goes on", async () => {
    await using farm = await opened();
    const { recorder, newest } = farm;
    await recorder.breaks({ project: "old" });
    for (const project of ["a", "b", "c"]) await recorder.breaks({ project }, PRIVATE);
    const first = await newest({}, 2);
    expect([first.told, first.next === null]).toEqual([[], false]);
    const second = await newest({ olderThan: first.next ?? 0 }, 2);
    expect([second.told, second.next]).toEqual([["old broke"], null]);
  });

  test("who tells others of changes reads on after the last, private ones too, and each once", async () => {
    await using farm = await opened();
    const { recorder, database } = farm;
    expect(await database.read(lastChange)).toBe(0);
    await recorder.breaks({ project: "a" });
    await recorder.breaks({ project: "b" }, PRIVATE);
    await recorder.breaks({ project: "c" });
    const read = (after: number) => database.read((db) => changesAfter(db, { after, limit: 2 }));
    const first = await read(0);
    expect(first.map(({ project }) => project)).toEqual(["a", "b"]);
    const last = first.at(-1)?.id ?? 0;
    expect((await read(last)).map(({ project }) => project)).toEqual(["c"]);
    expect(await read(await database.read(lastChange))).toEqual([]);
  });

  test("groups are by root, with the newest first, and count projects and configurations once", async () => {
    await using farm = await opened();
    const { recorder, groups } = farm;
    const why = "numpy 2.4 is new";
    for (const project of ["a", "b"])
      for (const configuration of ["cpython-3.13", "pypy-3.11"])
        await recorder.breaks({ project, configuration, why });
    await recorder.breaks({ project: "c" });
    await recorder.pass({ project: "a", why: "numpy 2.4.1 is new" });
    expect(await groups()).toMatchObject({
      broke: 3,
      fixed: 1,
      projects: 3,
      groupCount: 3,
      isCut: false,
      groups: [
        { root: "numpy 2.4.1", projects: 1, configurations: 1, broke: 0, fixed: 1 },
        { root: "c", projects: 1, broke: 1 },
        { root: "numpy 2.4", projects: 2, configurations: 2, changes: 4, broke: 2, fixed: 0 },
      ],
    });
    expect((await groups({ kinds: ["fixed"] })).groups.map(({ root }) => root)).toEqual([
      "numpy 2.4.1",
    ]);
    const pypy = await groups({ configuration: "pypy-3.11" });
    expect(pypy).toMatchObject({ broke: 2, groups: [{ root: "numpy 2.4", changes: 2 }] });
    expect(await groups({ configuration: "none" })).toMatchObject({ groups: [], groupCount: 0 });
    expect((await groups({ root: "c" })).groups.map(({ root }) => root)).toEqual(["c"]);
  });

  test("a group shows its newest alone, and a period with too much the newest of it", async () => {
    await using farm = await opened();
    const { recorder, groups } = farm;
    const why = "numpy 2.4 is new";
    for (const project of ["a", "b", "c"]) await recorder.breaks({ project, why });
    const [group] = (await groups({ mostEach: 2 })).groups;
    expect(group?.newest.map(({ project }) => project)).toEqual(["c", "b"]);
    expect(group?.changes).toBe(3);
    expect(await groups({}, 2)).toMatchObject({ isCut: true, broke: 2 });
    const since = recorder.atMs;
    await recorder.breaks({ project: "d" });
    expect(await groups({ sinceMs: since + 1 })).toMatchObject({ broke: 1, groupCount: 1 });
  });
}
