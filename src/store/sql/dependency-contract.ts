import { expect, test } from "vitest";

import type { Dependency } from "../../python/depends-on.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import { dependentCounts, dependents, type DependentsQuery } from "./dependency-rows.ts";
import { SqlStore } from "./sql-store.ts";

const run = (...names: readonly string[]): readonly Dependency[] =>
  names.map((name) => ({ name, kind: "run" }));

interface TestedChange {
  readonly visibility?: "public" | "private";
  readonly configuration?: string;
}

/** The graph of dependencies in either database. */
export function dependencyContract(open: () => Promise<Database>): void {
  async function opened() {
    const database = await open();
    const store = new SqlStore(database);
    const tested = (
      name: string,
      version: string,
      dependencies: readonly Dependency[],
      { visibility = "public", configuration = "cpython-3.13" }: TestedChange = {},
    ) => {
      const id = newAttemptId();
      const [project, reason] = [name, "release"] as const;
      return store.recordAttempt({
        attempt: sampleAttempt({ id, project, version, configuration }),
        visibility,
        reason,
        startedAt: new Date().toISOString(),
        results: [],
        dependencies,
      });
    };
    const ask = (name: string, change: Partial<DependentsQuery> = {}) =>
      database.read((db) =>
        dependents(db, { name, transitive: false, visibility: "all", limit: 100, ...change }),
      );
    const counts = async (...names: readonly string[]) =>
      Object.fromEntries(await database.read((db) => dependentCounts(db, names)));
    return {
      database,
      tested,
      ask,
      counts,
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }
  const names = ({ list }: { readonly list: readonly { readonly project: string }[] }) =>
    list.map(({ project }) => project);

  test("direct dependents come before those through others, and of these the most needed first", async () => {
    await using farm = await opened();
    await farm.tested("pandas", "2.0", run("numpy"));
    await farm.tested("scipy", "1.0", run("numpy"));
    await farm.tested("seaborn", "1.0", run("scipy", "numpy"));
    await farm.tested("plots", "1.0", run("seaborn", "scipy"));
    const all = await farm.ask("numpy", { transitive: true });
    expect(all).toMatchObject({ direct: 3, transitive: 4, truncated: false });
    expect(names(all)).toEqual(["scipy", "seaborn", "pandas", "plots"]);
    expect(all.list.at(-1)).toMatchObject({ distance: 2 });
    expect(await farm.ask("numpy")).toMatchObject({ direct: 3, transitive: null });
    expect(await farm.counts("numpy", "scipy", "nobody")).toEqual({ numpy: 3, scipy: 2 });
    expect(await farm.ask("numpy", { limit: 1 })).toMatchObject({ direct: 3, truncated: true });
  });

  test("a project that drops a dependency with a newer release is no dependent any more", async () => {
    await using farm = await opened();
    await farm.tested("app", "1.0", run("six", "attrs"));
    await farm.tested("other", "1.0", run("six"));
    await farm.tested("app", "1.1", run("attrs"));
    expect(names(await farm.ask("six"))).toEqual(["other"]);
    expect(await farm.counts("six", "attrs")).toEqual({ six: 1, attrs: 1 });
    await farm.tested("other", "1.1", []);
    expect(await farm.counts("six")).toEqual({});
  });

  test("an older release that is tested later says nothing of today", async () => {
    await using farm = await opened();
    await farm.tested("app", "2.0", run("attrs"));
    await farm.tested("app", "1.0", run("six"));
    await farm.tested("app", "3.0rc1", run("six"));
    expect(names(await farm.ask("six"))).toEqual([]);
    expect(names(await farm.ask("attrs"))).toEqual(["app"]);
  });

  test("what one release says on several interpreters counts together, and once", async () => {
    await using farm = await opened();
    await farm.tested("app", "1.0", run("six"));
    await farm.tested("app", "1.0", run("six", "futures"), { configuration: "cpython-2.7" });
    await farm.tested("app", "1.0", run("six"));
    expect(await farm.counts("six", "futures")).toEqual({ six: 1, futures: 1 });
  });

  test("the same said at once by many configurations is counted once", async () => {
    await using farm = await opened();
    await farm.tested("app", "2.0", []);
    await farm.database.write((within) => within.deleteFrom("dependency_source").execute());
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        farm.tested("app", "2.0", run("six", "attrs"), { configuration: `cpython-3.${index}` }),
      ),
    );
    expect(await farm.counts("six", "attrs")).toEqual({ six: 1, attrs: 1 });
  });

  test("what builds it counts, what only an extra brings is shown when it is asked for and leads nowhere", async () => {
    await using farm = await opened();
    await farm.tested("app", "1.0", [
      { name: "hatchling", kind: "build" },
      { name: "hatchling", kind: "run" },
      { name: "pytest", kind: "extra" },
    ]);
    await farm.tested("user", "1.0", run("app"));
    expect(await farm.counts("hatchling", "pytest")).toEqual({ hatchling: 1 });
    expect(names(await farm.ask("pytest", { transitive: true }))).toEqual([]);
    const withExtras = await farm.ask("pytest", { transitive: true, extras: true });
    expect(withExtras.list).toMatchObject([{ project: "app", kind: "extra" }]);
    expect(withExtras.list).toHaveLength(1);
  });

  test("those who need each other end, and a project never depends on itself", async () => {
    await using farm = await opened();
    await farm.tested("a", "1.0", run("b", "a"));
    await farm.tested("b", "1.0", run("a"));
    expect(names(await farm.ask("a", { transitive: true }))).toEqual(["b"]);
  });

  test("what nobody may see is shown to nobody, nor what only it leads to", async () => {
    await using farm = await opened();
    await farm.tested("secret", "1.0", run("numpy"), { visibility: "private" });
    await farm.tested("open", "1.0", run("secret"));
    const seen = { transitive: true, visibility: "public" } as const;
    expect(await farm.ask("numpy", seen)).toMatchObject({ direct: 0, transitive: 0, list: [] });
    expect(names(await farm.ask("numpy", { transitive: true }))).toEqual(["secret", "open"]);
    expect(await farm.counts("numpy")).toEqual({ numpy: 1 });
  });

  test("an experiment, a push and a tree change nothing of the graph", async () => {
    await using farm = await opened();
    const store = new SqlStore(farm.database);
    for (const [reason, kind] of [
      ["experiment", "release"],
      ["release", "tree"],
      ["push", "repository"],
    ] as const) {
      const sample = sampleAttempt({ id: newAttemptId(), project: "app" });
      await store.recordAttempt({
        attempt: { ...sample, source: { ...sample.source, kind } },
        visibility: "public",
        reason,
        startedAt: new Date().toISOString(),
        results: [],
        dependencies: run("six"),
      });
    }
    expect(names(await farm.ask("six"))).toEqual([]);
  });
}
