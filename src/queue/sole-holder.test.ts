import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { onBothDatabases } from "../../test/postgresql/on-both-databases.ts";
import { whileSole } from "./sole-holder.ts";

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

onBothDatabases("what one coordinator of several does", (open) => {
  test("is done by one at a time, by the next at once when it stops, and by another when it falls silent", async () => {
    await using database = await open();
    const [now, most]: [Set<string>, string[]] = [new Set(), []];
    // It stands: nobody falls silent because this machine is busy.
    const nowMs = Date.now();
    const run = (holder: string, signal: AbortSignal, aheadMs = 0) =>
      whileSole(
        { database, what: "watching", holder, leaseMs: 300, now: () => nowMs + aheadMs },
        async (ends) => {
          now.add(holder);
          most.push([...now].toSorted().join());
          await untilAborted(ends);
          now.delete(holder);
        },
        signal,
      );
    const [first, second] = [new AbortController(), new AbortController()];
    const a = run("a", first.signal);
    await until(() => now.has("a"));
    const b = run("b", second.signal);
    await sleep(700);
    expect([...now]).toEqual(["a"]);
    first.abort();
    await a;
    await until(() => now.has("b"));
    // One whose clock is far ahead sees the other as silent, and takes its place: that one stops.
    const third = new AbortController();
    const c = run("c", third.signal, 60_000);
    await until(() => now.has("c") && !now.has("b"));
    third.abort();
    second.abort();
    await Promise.all([b, c]);
    expect(most[0]).toBe("a");
    expect(most[1]).toBe("b");
    expect(now.size).toBe(0);
  });
});
