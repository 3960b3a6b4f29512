import { tmpdir } from "node:os";
import { expect, test } from "vitest";

import { checkRoom } from "./check-room.ts";

test("a disk that is too small is told with what wants the room, how much, and which directory could be another", async () => {
  await checkRoom(tmpdir(), 1, "an image", "cache");
  const refused = checkRoom(tmpdir(), 1e18, "what an image is made of", "data");
  await expect(refused).rejects.toMatchObject({ code: "disk-full", input: tmpdir() });
  await expect(refused).rejects.toThrow(
    /^what an image is made of needs 1000000000\.0 GB, and [\d.]+ GB are free$/u,
  );
  await expect(refused).rejects.toMatchObject({
    nextStep: "free some space, or set [directories] data in creamery.toml",
  });
});
