import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import type { LivePiece } from "./coordinator.ts";
import { LiveFeed } from "./live-feed.ts";

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

test("what is said in a moment goes together, and later things after it", async () => {
  const told: (readonly LivePiece[])[] = [];
  const feed = new LiveFeed({ tell: async (_, pieces) => void told.push(pieces) }, "a1");
  feed.phase("install");
  feed.log("one ");
  feed.log("two");
  await until(() => told.length === 1);
  expect(told[0]).toMatchObject([
    { kind: "phase", phase: "install" },
    { kind: "log", text: "one two" },
  ]);
  feed.log("three");
  await until(() => told.length === 2);
  expect(told[1]).toEqual([{ kind: "log", text: "three" }]);
});

test("a farm that does not listen holds nothing up, and what is kept for it is bounded", async () => {
  let asked = 0;
  const sizes: number[] = [];
  const feed = new LiveFeed(
    {
      tell: async (_, pieces) => {
        asked++;
        for (const piece of pieces) if (piece.kind === "log") sizes.push(piece.text.length);
        throw new Error("away");
      },
    },
    "a1",
  );
  for (let index = 0; index < 1000; index++) feed.log("x".repeat(1000));
  await until(() => asked === 1);
  feed.log("y");
  await until(() => asked === 2);
  expect(sizes).toEqual([128 * 1024, 1]);
});
