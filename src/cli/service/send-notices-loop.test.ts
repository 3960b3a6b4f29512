import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { Delivery, NoticeTarget } from "../../notify/notice-target.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import { openDatabase } from "../../store/open-database.ts";
import { SqlStore } from "../../store/sql/sql-store.ts";
import { FarmLog } from "./farm-log.ts";
import { FarmMetrics } from "./metrics.ts";
import { sendNoticesLoop } from "./send-notices-loop.ts";

const PASS = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;

test("what changed is sent, counted and told in the log, until the farm ends", async () => {
  const directory = mkdtempSync(join(tmpdir(), "creamery-notices-"));
  const lines: string[] = [];
  const log = new FarmLog({ write: (text) => lines.push(text) }, "json");
  const metrics = new FarmMetrics({ facts: async () => null, alarms: () => [], version: "1" });
  const ends = new AbortController();
  const answers: Delivery[] = [
    { kind: "refused", reason: "answered 422\nnot so" },
    { kind: "later", reason: "answered 500", afterMs: null, isOfHost: false },
  ];
  const target: NoticeTarget = {
    kind: "webhook",
    project: "mine",
    host: "hooks.example",
    takes: "change",
    send: async () => {
      const answer = answers.shift() ?? { kind: "delivered" };
      if (answers.length === 0) setTimeout(() => ends.abort(), 200);
      return answer;
    },
  };
  try {
    await using database = await openDatabase(join(directory, "store.sqlite"));
    const store = new SqlStore(database);
    const startedMs = Date.now() - 60_000;
    for (const [index, change] of [PASS, {}, PASS].entries()) {
      const id = newAttemptId(startedMs + index);
      const attempt = sampleAttempt({ id, version: `1.${index}`, ...change });
      const startedAt = new Date(startedMs).toISOString();
      await store.recordAttempt({
        attempt,
        visibility: "public",
        reason: "release",
        startedAt,
        results: [],
      });
    }
    const repositoryOf = () => null;
    await sendNoticesLoop(
      { database, holder: "h", targets: [target], repositoryOf, log, metrics },
      ends.signal,
    );
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { level: "warn", event: "notice-lost", how: "refused", reason: "answered 422\\nnot so" },
      { level: "warn", event: "notices-failing", project: "mine", target: "webhook" },
    ]);
    const told = (await metrics.text()).text.split("\n");
    expect(told).toContain('creamery_notices_total{target="webhook",result="refused"} 1');
    expect(told).toContain('creamery_notices_total{target="webhook",result="later"} 1');
    expect(told).toContain("creamery_notices_waiting 1");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
