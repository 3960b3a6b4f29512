import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { MemoryBucket } from "../memory-bucket.sample.ts";
import { collectGarbage, type Collected, type CollectOptions } from "./collect-garbage.ts";
import {
  DEFAULT_RETENTION,
  type RetainedAttempt,
  type RetentionFacts,
  type RetentionPolicy,
} from "./retention-facts.ts";

const { signal } = new AbortController();
const NOW = Date.UTC(2026, 10, 29);
const DAY = 24 * 3_600_000;
const policy: RetentionPolicy = { ...DEFAULT_RETENTION, days: 30, newest: 1, graceMs: 2 * DAY };
const NAMES = [
  "again.json",
  "log.txt",
  "pylock.build.toml",
  "pylock.toml",
  "record.json",
  "report.json",
];
const LOCK = ["again.json", "pylock.build.toml", "pylock.toml", "record.json"];

/** A farm with its bucket and what its store knows. */
class Farm {
  readonly bucket = new MemoryBucket();
  readonly known = new Map<string, RetainedAttempt>();
  imageFiles: ReadonlySet<string> | null = new Set();

  readonly facts: RetentionFacts = {
    attempts: () => stream(this.newestFirst()),
    attemptsOf: (project, configuration) =>
      stream(
        this.newestFirst().filter(
          (one) => one.project === project && one.configuration === configuration,
        ),
      ),
    attempt: (id) => Promise.resolve(this.known.get(id) ?? null),
    imageFiles: () => Promise.resolve(this.imageFiles),
  };

  newestFirst(): RetainedAttempt[] {
    return [...this.known.values()].toSorted((left, right) => (left.id < right.id ? 1 : -1));
  }

  async put(key: string, text: string, daysAgo: number): Promise<void> {
    this.bucket.nowMs = () => NOW - daysAgo * DAY;
    await this.bucket.create(key, Buffer.from(text), { signal, compression: "none" });
    this.bucket.nowMs = () => NOW;
  }

  /** An attempt as the farm keeps it; `unknown` where its row was not written. */
  async attempt(daysAgo: number, change: Partial<Made> = {}): Promise<string> {
    const { source = null, unknown = false, pad = 0, ...facts } = change;
    const id = change.id ?? `a${String(1000 - daysAgo).padStart(4, "0")}`;
    const key = source === null ? null : `sources/${source}`;
    if (key !== null) await this.put(key, `source ${source}${"s".repeat(pad)}`, daysAgo);
    const file = key === null ? null : { key };
    const again = JSON.stringify({ source: { sourceFile: file, wheelFile: null } });
    for (const name of NAMES)
      await this.put(
        `attempts/${id}/${name}`,
        name === "again.json" ? again : `${name}${"x".repeat(pad)}`,
        daysAgo,
      );
    if (!unknown)
      this.known.set(id, {
        id,
        project: "lmdb",
        configuration: "cpython-3.13",
        startedMs: NOW - daysAgo * DAY,
        isCanary: false,
        isComparable: true,
        isNamedBaseline: false,
        sourceSha256: source,
        ...facts,
      });
    return id;
  }

  async collect(change: Partial<CollectOptions> = {}): Promise<Collected> {
    return await collectGarbage({
      bucket: this.bucket,
      facts: this.facts,
      policy,
      nowMs: NOW,
      dryRun: false,
      signal,
      ...change,
    });
  }

  names(id: string): string[] {
    return this.keys(`attempts/${id}/`).map((key) => key.slice(`attempts/${id}/`.length));
  }

  keys(prefix = ""): string[] {
    return [...this.bucket.kept.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  bytes(): number {
    return [...this.bucket.kept.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

interface Made extends RetainedAttempt {
  readonly source: string | null;
  readonly unknown: boolean;
  /** So many bytes more in each blob. */
  readonly pad: number;
}

async function* stream<Value>(values: readonly Value[]): AsyncGenerator<Value> {
  for (const value of values) yield value;
}

test("of what is pinned all is kept, of the rest the lock, and a dry run tells the same and does nothing", async () => {
  const farm = new Farm();
  const newest = await farm.attempt(40, { source: "s40" });
  const baseline = await farm.attempt(50);
  const old = await farm.attempt(60, { source: "s60" });
  const before = farm.keys();
  const told = await farm.collect({ dryRun: true });
  expect(farm.keys()).toEqual(before);
  const done = await farm.collect();
  expect(done.removed).toEqual(told.removed);
  expect(done.removed.map(({ key, because }) => `${key} ${because}`)).toEqual([
    `attempts/${old}/log.txt lock-only`,
    `attempts/${old}/report.json lock-only`,
  ]);
  expect(farm.names(newest)).toEqual(NAMES);
  expect(farm.names(baseline)).toEqual(NAMES);
  expect(farm.names(old)).toEqual(LOCK);
  // What runs it again is kept, so is what that names.
  expect(farm.keys("sources/")).toEqual(["sources/s40", "sources/s60"]);
  expect(done.retention.get(old)).toEqual({ keeps: "lock" });
  expect((await farm.collect()).removed).toEqual([]);
});

test("what no store knows goes when it is old, its source too where nobody else refers to that", async () => {
  const farm = new Farm();
  await farm.attempt(40, { source: "shared" });
  const lost = await farm.attempt(20, { unknown: true, source: "lost" });
  const lostToo = await farm.attempt(19, { unknown: true, source: "shared" });
  const running = await farm.attempt(1, { unknown: true, source: "young" });
  await farm.put("sources/alone", "x", 3);
  await farm.put("sources/alone-young", "x", 1);
  await farm.put("wheels/other/room", "x", 900);
  await farm.collect();
  expect(farm.names(lost)).toEqual([]);
  expect(farm.names(lostToo)).toEqual([]);
  expect(farm.names(running)).toEqual(NAMES);
  expect(farm.keys("sources/")).toEqual(["sources/alone-young", "sources/shared", "sources/young"]);
  expect(farm.keys("wheels/")).toEqual(["wheels/other/room"]);
});

test("a running attempt that began long ago refers to its source all the same", async () => {
  const farm = new Farm();
  const running = await farm.attempt(1, { unknown: true });
  await farm.bucket.remove(`attempts/${running}/again.json`);
  await farm.put("sources/old", "x", 300);
  const again = JSON.stringify({ source: { sourceFile: { key: "sources/old" }, wheelFile: null } });
  await farm.put(`attempts/${running}/again.json`, again, 1);
  await farm.collect();
  expect(farm.keys("sources/")).toEqual(["sources/old"]);
});

test("a word on sources that can't be read keeps them all, and is told", async () => {
  const farm = new Farm();
  const broken = await farm.attempt(40, { source: "s" });
  await farm.bucket.remove(`attempts/${broken}/again.json`);
  await farm.put(`attempts/${broken}/again.json`, "{}", 40);
  await farm.put("sources/alone", "x", 300);
  const { plan } = await farm.collect();
  expect(plan.unreadable).toEqual([broken]);
  expect(farm.keys("sources/")).toEqual(["sources/alone", "sources/s"]);
});

test("files of images go where no lock names them, they are old, and all locks are known", async () => {
  const farm = new Farm();
  for (const [name, days] of [
    ["named", 90],
    ["orphan", 90],
    ["young", 1],
  ] as const)
    await farm.put(`image-files/${name}`, "x", days);
  farm.imageFiles = null;
  await farm.collect();
  expect(farm.keys()).toHaveLength(3);
  farm.imageFiles = new Set(["named"]);
  await farm.collect();
  expect(farm.keys()).toEqual(["image-files/named", "image-files/young"]);
});

test("what a comparison found is kept for a year, and is no reason to keep or remove anything else", async () => {
  const farm = new Farm();
  await farm.attempt(40);
  await farm.put("comparisons/old.json", "{}", 366);
  await farm.put("comparisons/young.json", "{}", 364);
  const { removed } = await farm.collect({ policy: { ...policy, maxBytes: 1 } });
  expect(removed.map(({ key, because }) => `${key} ${because}`)).toEqual([
    "comparisons/old.json old-comparison",
  ]);
  expect(farm.keys("comparisons/")).toEqual(["comparisons/young.json"]);
});

describe("a bound", () => {
  test("takes the oldest that are not pinned first, whole, and no more than it must", async () => {
    const farm = new Farm();
    const newest = await farm.attempt(40, { pad: 1000 });
    const baseline = await farm.attempt(50, { pad: 1000 });
    const younger = await farm.attempt(60, { pad: 1000, source: "s60" });
    const older = await farm.attempt(70, { pad: 1000, source: "s70" });
    await farm.collect();
    const maxBytes = farm.bytes() - 1;
    const { plan } = await farm.collect({ policy: { ...policy, maxBytes } });
    expect(plan.overBytes).toBe(0);
    expect(farm.names(older)).toEqual([]);
    expect(farm.names(younger)).toEqual(LOCK);
    expect(farm.keys("sources/")).toEqual(["sources/s60"]);
    for (const id of [newest, baseline]) expect(farm.names(id)).toEqual(NAMES);
    expect(farm.bytes()).toBeLessThanOrEqual(maxBytes);
  });

  test("that what is pinned exceeds alone is told, and nothing pinned goes", async () => {
    const farm = new Farm();
    const newest = await farm.attempt(40, { pad: 1000, source: "s40" });
    const baseline = await farm.attempt(50, { pad: 1000 });
    const old = await farm.attempt(60, { pad: 1000 });
    const { plan } = await farm.collect({ policy: { ...policy, maxBytes: 100 } });
    for (const id of [newest, baseline]) expect(farm.names(id)).toEqual(NAMES);
    expect(farm.names(old)).toEqual([]);
    expect(farm.keys("sources/")).toEqual(["sources/s40"]);
    expect(plan).toMatchObject({ pinnedBytes: farm.bytes(), overBytes: farm.bytes() - 100 });
  });
});

test("of an attempt that is half removed nothing stays for ever", async () => {
  const farm = new Farm();
  for (const days of [40, 50, 60]) await farm.attempt(days, { pad: 1000, source: `s${days}` });
  await farm.collect();
  let removals = 0;
  farm.bucket.onOperation = (name) => {
    if (name === "remove" && ++removals === 2) throw new Error("ended");
  };
  const bounded = { ...policy, maxBytes: farm.bytes() - 1 };
  await expect(farm.collect({ policy: bounded })).rejects.toThrow("ended");
  farm.bucket.onOperation = () => undefined;
  expect(farm.keys("attempts/a0940/")).toHaveLength(3);
  // With what is left the bound may hold: half a lock is of no use all the same.
  const { removed } = await farm.collect();
  expect(removed.map(({ because }) => because)).toEqual([
    "remnant",
    "remnant",
    "remnant",
    "unreferenced",
  ]);
  expect(farm.keys("attempts/a0940/")).toEqual([]);
  expect(farm.keys("sources/")).toEqual(["sources/s40", "sources/s50"]);
});

test("the source of what is pinned stays, whatever else of that is gone", async () => {
  const farm = new Farm();
  const pinned = await farm.attempt(40, { source: "s" });
  for (const name of NAMES) await farm.bucket.remove(`attempts/${pinned}/${name}`);
  await farm.collect();
  expect(farm.keys()).toEqual(["sources/s"]);
});

describe("beside others who are at work", () => {
  /** Does something right before the first removal of a key that begins so. */
  const rightBefore = (farm: Farm, prefix: string, act: () => void): void => {
    let done = false;
    farm.bucket.onOperation = (name, key) => {
      if (done || name !== "open" || !key.startsWith(prefix)) return;
      done = true;
      act();
    };
  };

  test("an attempt that is made a baseline while garbage is marked keeps all of it", async () => {
    const farm = new Farm();
    const first = await farm.attempt(40);
    const second = await farm.attempt(50);
    const third = await farm.attempt(60, { source: "s60" });
    // What was between is found to be the farm's own failure.
    rightBefore(farm, `attempts/${third}/again.json`, () => {
      for (const id of [second]) {
        const known = farm.known.get(id);
        if (known !== undefined) farm.known.set(id, { ...known, isComparable: false });
      }
    });
    const { spared } = await farm.collect();
    expect(spared).toHaveLength(2);
    expect(farm.names(third)).toEqual(NAMES);
    expect(farm.names(first)).toEqual(NAMES);
  });

  test("an attempt whose row is written while garbage is marked stays, and its source", async () => {
    const farm = new Farm();
    const late = await farm.attempt(20, { unknown: true, source: "late" });
    rightBefore(farm, `attempts/${late}/again.json`, () => {
      farm.known.set(late, {
        id: late,
        project: "lmdb",
        configuration: "cpython-3.13",
        startedMs: NOW - 20 * DAY,
        isCanary: false,
        isComparable: true,
        isNamedBaseline: false,
        sourceSha256: "late",
      });
    });
    await farm.collect();
    expect(farm.names(late)).toEqual(NAMES);
    expect(farm.keys("sources/")).toEqual(["sources/late"]);
  });

  test("a source that is renewed while garbage is marked stays", async () => {
    const farm = new Farm();
    await farm.put("sources/s", "x", 90);
    let renewed = false;
    farm.bucket.onOperation = (name) => {
      const kept = farm.bucket.kept.get("sources/s");
      if (name !== "remove" || renewed || kept === undefined) return;
      renewed = true;
      kept.madeMs = NOW;
    };
    const { spared } = await farm.collect();
    expect(spared.map(({ key }) => key)).toEqual(["sources/s"]);
    expect(farm.keys()).toEqual(["sources/s"]);
  });
});

test("one run removes no more than it may, in whole attempts, and the next goes on", async () => {
  const farm = new Farm();
  for (const days of [40, 50, 60, 70, 80]) await farm.attempt(days);
  const first = await farm.collect({ maxRemovals: 3 });
  expect(first.removed).toHaveLength(4);
  expect(first.left).toBe(2);
  expect((await farm.collect({ maxRemovals: 3 })).left).toBe(0);
  expect((await farm.collect()).removed).toEqual([]);
});

/** What is pinned, said once more and otherwise: by looking at all of it for each. */
function pinnedOf(attempts: readonly RetainedAttempt[], rules: RetentionPolicy): Set<string> {
  const sameAs = (one: RetainedAttempt) => (other: RetainedAttempt) =>
    other.project === one.project &&
    other.configuration === one.configuration &&
    other.isComparable;
  const byOwn = attempts.filter((one) => {
    const newer = attempts.filter(sameAs(one)).filter(({ id }) => id > one.id);
    return (
      NOW - one.startedMs < rules.days * DAY ||
      one.isCanary ||
      one.isNamedBaseline ||
      (one.isComparable && newer.length < rules.newest)
    );
  });
  const baselines = byOwn
    .filter(({ isComparable }) => isComparable)
    .flatMap((one) => {
      const older = attempts.filter(sameAs(one)).filter(({ id }) => id < one.id);
      return older.toSorted((left, right) => (left.id < right.id ? 1 : -1)).slice(0, 1);
    });
  return new Set([...byOwn, ...baselines].map(({ id }) => id));
}

const history = fc.array(
  fc.record({
    daysAgo: fc.integer({ min: 0, max: 80 }),
    project: fc.constantFrom("lmdb", "attrs"),
    configuration: fc.constantFrom("cpython-3.13", "pypy-3.11"),
    isCanary: fc.boolean(),
    isComparable: fc.boolean(),
    isNamedBaseline: fc.boolean(),
    source: fc.constantFrom(null, null, "s1", "s2", "s3", "s4"),
    unknown: fc.boolean(),
    pad: fc.integer({ min: 0, max: 400 }),
  }),
  { maxLength: 25 },
);
const rules = fc.record({
  days: fc.integer({ min: 0, max: 60 }),
  newest: fc.integer({ min: 0, max: 3 }),
  maxBytes: fc.option(fc.integer({ min: 0, max: 20_000 })),
});

type History = typeof history extends fc.Arbitrary<infer Rows> ? Rows : never;

async function farmOf(rows: History): Promise<Farm> {
  const farm = new Farm();
  let number = 0;
  for (const row of rows.toSorted((left, right) => right.daysAgo - left.daysAgo)) {
    const { daysAgo, ...change } = row;
    await farm.attempt(daysAgo, {
      ...change,
      pad: 0,
      id: `a${String(80 - daysAgo).padStart(3, "0")}${String(number++).padStart(3, "0")}`,
    });
    const id = [...farm.keys("attempts/")].at(-1)?.split("/")[1] ?? "";
    await farm.put(`attempts/${id}/extra.txt`, "x".repeat(row.pad), daysAgo);
  }
  return farm;
}

/** What must hold at any instant, however a collection ended. */
function expectNothingLost(farm: Farm, before: ReadonlySet<string>, given: RetentionPolicy): void {
  const pinned = pinnedOf([...farm.known.values()], given);
  const idOf = (key: string) => key.split("/")[1] ?? "";
  const lost = [...before].filter(
    (key) => key.startsWith("attempts/") && pinned.has(idOf(key)) && !farm.bucket.kept.has(key),
  );
  expect(lost).toEqual([]);
  // Whatever would run an attempt again finds what it names.
  const dangling = [...farm.bucket.kept].filter(([key, { bytes }]) => {
    const [, named] = /"key":"(sources\/\w+)"/u.exec(bytes.toString()) ?? [];
    const isYoung = farm
      .keys(`attempts/${idOf(key)}/`)
      .some((one) => (farm.bucket.kept.get(one)?.madeMs ?? 0) >= NOW - given.graceMs);
    const counts = farm.known.has(idOf(key)) || isYoung;
    return named !== undefined && counts && !farm.bucket.kept.has(named);
  });
  expect(dangling.map(([key]) => key)).toEqual([]);
}

test("of any history nothing pinned is lost, the bound holds where it can, and a second run finds nothing", async () => {
  await fc.assert(
    fc.asyncProperty(history, rules, async (rows, change) => {
      const farm = await farmOf(rows);
      const before = new Set(farm.keys());
      const given = { ...policy, ...change };
      const { plan, left, removed } = await farm.collect({ policy: given });
      expect(left).toBe(0);
      expectNothingLost(farm, before, given);
      expect(farm.bytes()).toBe(plan.keptBytes);
      const gone = new Set(removed.map(({ key }) => key));
      expect([...before].filter((key) => !gone.has(key)).toSorted()).toEqual(farm.keys());
      const bound = given.maxBytes ?? Number.POSITIVE_INFINITY;
      expect(plan.overBytes).toBe(Math.max(0, farm.bytes() - bound));
      // Over it only by what no bound may remove.
      expect(farm.bytes()).toBeLessThanOrEqual(Math.max(bound, plan.pinnedBytes));
      const pinned = pinnedOf([...farm.known.values()], given);
      const dropped = [...farm.known.keys()].filter(
        (id) => !pinned.has(id) && farm.names(id).includes("again.json"),
      );
      const old = dropped.filter((id) =>
        farm
          .keys(`attempts/${id}/`)
          .every((key) => (farm.bucket.kept.get(key)?.madeMs ?? 0) < NOW - given.graceMs),
      );
      expect(plan.overBytes > 0 && old.length > 0).toBe(false);
      expect((await farm.collect({ policy: given })).removed).toEqual([]);
    }),
  );
});

test("a collection that is ended at any operation loses nothing, and the next one comes to the same end", async () => {
  await fc.assert(
    fc.asyncProperty(history, rules, fc.nat(200), async (rows, change, at) => {
      const given = { ...policy, ...change };
      const whole = await farmOf(rows);
      await whole.collect({ policy: given });
      const farm = await farmOf(rows);
      const before = new Set(farm.keys());
      let operations = 0;
      farm.bucket.onOperation = () => {
        if (operations++ === at) throw new Error("ended");
      };
      await farm.collect({ policy: given }).catch(() => undefined);
      farm.bucket.onOperation = () => undefined;
      expectNothingLost(farm, before, given);
      await farm.collect({ policy: given });
      await farm.collect({ policy: given });
      expectNothingLost(farm, before, given);
      // The bound may be met with less once a half of an attempt is gone: never with more.
      for (const key of farm.keys()) expect(before.has(key)).toBe(true);
      expect((await farm.collect({ policy: given })).removed).toEqual([]);
      expect(farm.bytes()).toBeLessThanOrEqual(
        Math.max(whole.bytes(), given.maxBytes ?? whole.bytes()),
      );
    }),
  );
});
