import { describe, expect, it } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { LauncherClient } from "./client.ts";
import { toLauncherSchema, type ToLauncher } from "./protocol.ts";

function connected() {
  const sent: ToLauncher[] = [];
  const client = new LauncherClient("/session", (message) =>
    sent.push(toLauncherSchema.parse(message)),
  );
  return { client, sent };
}

describe("the launcher's client", () => {
  it("matches answers to requests, in any order", async () => {
    const { client } = connected();
    const first = client.request({ kind: "probe-runtime", runtime: "gvisor" });
    const second = client.request({ kind: "probe-runtime", runtime: "container" });
    client.receive({ id: 2, value: { version: "two" } });
    client.receive({ id: 1, value: { version: "one" } });
    expect([await first, await second]).toEqual([{ version: "one" }, { version: "two" }]);
  });

  it("throws the launcher's error with its code, input and next step", async () => {
    const { client } = connected();
    const asked = client.request({ kind: "remove-image", imageId: "x", files: false });
    client.receive({
      id: 1,
      error: { code: "unknown-image", reason: "no", input: "x", nextStep: "list them" },
    });
    await expect(asked).rejects.toMatchObject({
      code: "unknown-image",
      input: "x",
      nextStep: "list them",
    });
  });

  it("passes progress on, and refuses an answer of the wrong shape", async () => {
    const { client } = connected();
    const seen: unknown[] = [];
    const asked = client.request(
      { kind: "build-image", definition: "d", force: false },
      { onProgress: (event) => seen.push(event) },
    );
    client.receive({ id: 1, progress: { step: "fetch" } });
    client.receive({ id: 1, value: { wrong: true } });
    await expect(asked).rejects.toThrow();
    expect(seen).toEqual([{ step: "fetch" }]);
  });

  it("sends an abort, and throws the caller's own reason", async () => {
    const { client, sent } = connected();
    const controller = new AbortController();
    const asked = client.request(
      { kind: "build-image", definition: "d", force: false },
      { signal: controller.signal },
    );
    const reason = new CreameryError("interrupted", "by hand");
    controller.abort(reason);
    client.receive({ id: 1, error: { code: "image-build", reason: "stopped" } });
    await expect(asked).rejects.toBe(reason);
    expect(sent.at(-1)).toEqual({ id: 1, abort: true });
  });

  it("gives up at its deadline, and when the launcher is gone", async () => {
    const { client } = connected();
    await expect(
      client.request({ kind: "stop-guest", guestId: "g1" }, { deadlineMs: 5 }),
    ).rejects.toMatchObject({ code: "deadline" });
    const asked = client.request({ kind: "stop-guest", guestId: "g1" });
    client.lose();
    await expect(asked).rejects.toMatchObject({ code: "launcher" });
  });
});
