import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { MemoryBucket } from "../bucket/memory-bucket.sample.ts";
import { collectGarbage } from "../bucket/retention/collect-garbage.ts";
import { factsOfStore } from "../bucket/retention/facts-of-store.ts";
import { policyFrom } from "../bucket/retention/retention-facts.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import { openStore } from "../store/open-store.ts";
import type { JobReason } from "../store/store.ts";
import { collectedText } from "./bucket.ts";

const { signal } = new AbortController();
const NOW = Date.UTC(2026, 10, 29);
const DAY = 24 * 3_600_000;
let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-gc-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A store and a bucket as a farm leaves them. */
async function openFarm() {
  const store = await openStore(join(root, "store.sqlite"));
  const bucket = new MemoryBucket();
  const put = async (key: string, daysAgo: number, text = key) => {
    bucket.nowMs = () => NOW - daysAgo * DAY;
    await bucket.create(key, Buffer.from(text), { signal, compression: "none" });
  };
  return {
    store,
    bucket,
    attempt: async (
      daysAgo: number,
      {
        reason = "manual",
        cause = "test-failure",
        source = null,
      }: {
        readonly reason?: JobReason;
        readonly cause?: string;
        readonly source?: string | null;
      } = {},
    ): Promise<string> => {
      const id = `a${1000 - daysAgo}`;
      const key = source === null ? null : `sources/${source}`;
      if (key !== null) await put(key, daysAgo);
      const again = { source: { sourceFile: key === null ? null : { key }, wheelFile: null } };
      for (const name of ["log.txt", "pylock.toml"]) await put(`attempts/${id}/${name}`, daysAgo);
      await put(`attempts/${id}/again.json`, daysAgo, JSON.stringify(again));
      const sample = sampleAttempt({ id, cause });
      await store.recordAttempt({
        attempt: {
          ...sample,
          source: {
            kind: source === null ? "release" : "sdist",
            sha256: (source ?? "0").repeat(64),
          },
        },
        visibility: "public",
        reason,
        startedAt: new Date(NOW - daysAgo * DAY).toISOString(),
        results: [],
      });
      return id;
    },
    collect: async (table: Parameters<typeof policyFrom>[0], dryRun: boolean) => {
      const facts = factsOfStore(store, () => Promise.resolve(null));
      const policy = policyFrom(table);
      return await collectGarbage({ bucket, facts, policy, nowMs: NOW, dryRun, signal });
    },
  };
}

test("the store says what is pinned: newest, baseline, canary; and neither confirmations nor the farm's faults", async () => {
  const farm = await openFarm();
  await using _store = farm.store;
  const fault = await farm.attempt(40, { cause: "agent-lost" });
  const confirm = await farm.attempt(41, { reason: "confirm" });
  const newest = await farm.attempt(42);
  const baseline = await farm.attempt(50);
  const old = await farm.attempt(60, { source: "a" });
  const canary = await farm.attempt(70, { reason: "canary" });
  const { retention } = await farm.collect({ newest: 1 }, false);
  expect([...retention].map(([id, { keeps }]) => `${id} ${keeps}`)).toEqual([
    `${fault} lock`,
    `${confirm} lock`,
    `${newest} whole`,
    `${baseline} whole`,
    `${old} lock`,
    `${canary} whole`,
  ]);
  // The same one that the store compares with.
  const { attempt } =
    (await farm.store.latestComparable({
      project: "mine",
      configuration: "cpython-3.13",
      olderThan: newest,
    })) ?? {};
  expect(attempt?.id).toBe(baseline);
  expect(await farm.bucket.list(`attempts/${old}/`)).toEqual([
    `attempts/${old}/again.json`,
    `attempts/${old}/pylock.toml`,
  ]);
  expect(await farm.bucket.list("sources/")).toEqual(["sources/a"]);
});

test("what would go is listed with its reason; what went is counted", async () => {
  const farm = await openFarm();
  await using _store = farm.store;
  for (const days of [40, 50, 60, 70]) await farm.attempt(days);
  expect(collectedText(await farm.collect({}, true), true)).toBe(
    [
      "attempts/a930/log.txt: of an attempt of which only the lock is kept",
      "would remove 1 of 0.0 kB (1 lock-only)",
      "3 of 4 attempts are pinned whole; of the rest the lock is kept; 0.4 kB in all",
    ].join("\n"),
  );
  const done = collectedText(await farm.collect({ max_gib: 1e-9 }, false), false);
  expect(done).toMatch(/^removed 3 of [^(]*\(1 lock-only, 2 size-bound\)$/mu);
  expect(done).toMatch(/^over retention\.max_gib by 0\.\d kB: what is pinned or too young takes/mu);
});
