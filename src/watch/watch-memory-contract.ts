import { expect, test } from "vitest";

import type { WatchEvent } from "./event.ts";
import type { WatchMemory } from "./watch-memory.ts";

/** A memory under test, and what it was given to keep. */
export interface OpenedMemory extends AsyncDisposable {
  readonly memory: WatchMemory;
  /** All events that were kept, in the order of their commits and as they stood in them. */
  events(): Promise<readonly WatchEvent[]>;
}

/** What every kind of memory does alike; `open` opens the same, at first empty, one each time it is called within one test. */
export function watchMemoryContract(open: () => Promise<OpenedMemory>): void {
  const released = (version: string): WatchEvent => ({
    kind: "released",
    project: "mine",
    version,
    uploadedAt: null,
  });

  test("knows nothing of a watcher that never committed", async () => {
    await using opened = await open();
    expect(await opened.memory.load("never")).toEqual({ revision: 0, state: new Map() });
    expect(await opened.events()).toEqual([]);
  });

  test("gives back parts and events, also after it was opened anew", async () => {
    {
      await using opened = await open();
      const changes = new Map([
        ["cursor", "7"],
        ["page:mine", "{}"],
      ]);
      expect(
        await opened.memory.commit({
          watcher: "w",
          revision: 0,
          changes,
          events: [released("1.0"), released("1.1")],
        }),
      ).toBe(1);
    }
    await using opened = await open();
    expect(await opened.memory.load("w")).toEqual({
      revision: 1,
      state: new Map([
        ["cursor", "7"],
        ["page:mine", "{}"],
      ]),
    });
    expect(await opened.events()).toEqual([released("1.0"), released("1.1")]);
  });

  test("changes the parts that are named, and leaves the others", async () => {
    await using opened = await open();
    const commit = (revision: number, changes: readonly (readonly [string, string | null])[]) =>
      opened.memory.commit({ watcher: "w", revision, changes: new Map(changes), events: [] });
    await commit(0, [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
    expect(
      await commit(1, [
        ["a", "4"],
        ["b", null],
        ["never", null],
      ]),
    ).toBe(2);
    expect((await opened.memory.load("w")).state).toEqual(
      new Map([
        ["a", "4"],
        ["c", "3"],
      ]),
    );
  });

  test("keeps nothing of who committed on an older revision", async () => {
    await using opened = await open();
    const commit = (revision: number, text: string) =>
      opened.memory.commit({
        watcher: "w",
        revision,
        changes: new Map([["cursor", text]]),
        events: [released(text)],
      });
    await commit(0, "1");
    expect(await commit(0, "2")).toBeNull();
    expect(await commit(5, "3")).toBeNull();
    expect((await opened.memory.load("w")).state.get("cursor")).toBe("1");
    expect(await opened.events()).toEqual([released("1")]);
  });

  test("of several who commit at once on one revision, one is kept", async () => {
    await using opened = await open();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        opened.memory.commit({
          watcher: "w",
          revision: 0,
          changes: new Map([["cursor", String(index)]]),
          events: [released(`1.${index}`)],
        }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome !== null)).toEqual([1]);
    const cursor = (await opened.memory.load("w")).state.get("cursor");
    expect(await opened.events()).toEqual([released(`1.${cursor}`)]);
  });

  test("keeps watchers apart, also where one's name begins another's", async () => {
    await using opened = await open();
    for (const watcher of ["w", "w:1", "W", "w%"])
      await opened.memory.commit({
        watcher,
        revision: 0,
        changes: new Map([["cursor", watcher]]),
        events: [],
      });
    for (const watcher of ["w", "w:1", "W", "w%"])
      expect(await opened.memory.load(watcher)).toEqual({
        revision: 1,
        state: new Map([["cursor", watcher]]),
      });
  });

  test("keeps hostile text as text", async () => {
    await using opened = await open();
    const hostile = "'; drop table watch; -- \u202e ü 漢 \\ \" %_~";
    const event: WatchEvent = { kind: "yanked", project: "mine", version: "1", reason: hostile };
    await opened.memory.commit({
      watcher: hostile,
      revision: 0,
      changes: new Map([[hostile, hostile]]),
      events: [event],
    });
    expect((await opened.memory.load(hostile)).state).toEqual(new Map([[hostile, hostile]]));
    expect(await opened.events()).toEqual([event]);
  });

  test("keeps a commit of 5,000 parts and 2,000 events whole", async () => {
    await using opened = await open();
    const changes = new Map(
      Array.from({ length: 5000 }, (_, index) => [`page:p${index}`, `${index}`]),
    );
    const events = Array.from({ length: 2000 }, (_, index) => released(`1.${index}`));
    await opened.memory.commit({ watcher: "w", revision: 0, changes, events });
    expect((await opened.memory.load("w")).state).toEqual(changes);
    expect(await opened.events()).toEqual(events);
  });
}
