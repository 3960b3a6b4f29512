import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";

import { prepareMigration, sendState, takeState } from "./migrate.ts";
import { QmpClient, type QmpEvent } from "./qmp-client.ts";

const never = new AbortController().signal;
const GREETING = '{"QMP": {"version": {}, "capabilities": []}}';
const commandSchema = z.object({
  execute: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  id: z.number(),
});

/** What QEMU 7.2 and its client once said to each other: `<` is QEMU's, `>` what it was asked. */
const RECORDED = new Map(
  readFileSync(join(import.meta.dirname, "recorded-qmp.txt"), "utf8")
    .split(/^# /mu)
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", ...lines] = part.trim().split("\n");
      return [name, lines] as const;
    }),
);

let directory = "";
let farm: Socket;
let qemu: Socket;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "creamery-qmp-"));
  const server = createServer();
  server.listen(join(directory, "qmp.sock"));
  await once(server, "listening");
  const connected = new Promise<Socket>((resolve) => server.once("connection", resolve));
  qemu = connect(join(directory, "qmp.sock"));
  farm = await connected;
  server.close();
});
afterEach(() => {
  farm.destroy();
  qemu.destroy();
  rmSync(directory, { recursive: true });
});

/** Plays QEMU's part of a recorded conversation, and fails where it is asked for something else. */
async function play(name: string): Promise<void> {
  const lines = [...(RECORDED.get(name) ?? [])];
  let text = "";
  for (;;) {
    while (lines[0]?.startsWith("<") === true) qemu.write(`${lines.shift()?.slice(2)}\n`);
    if (lines[0] === undefined) return;
    if (lines[0] === "closed") {
      qemu.end();
      return;
    }
    while (!text.includes("\n")) {
      const said: readonly unknown[] = await once(qemu, "data");
      text += String(said[0]);
    }
    const end = text.indexOf("\n");
    const asked = commandSchema.parse(JSON.parse(text.slice(0, end)));
    text = text.slice(end + 1);
    const expected = commandSchema.parse(JSON.parse(lines.shift()?.slice(2) ?? ""));
    expect(asked).toEqual(expected);
  }
}

async function opened(onEvent?: (event: QmpEvent) => void): Promise<QmpClient> {
  const options = { deadlineMs: 60_000, signal: never };
  return await QmpClient.open(farm, onEvent === undefined ? options : { ...options, onEvent });
}

/** A QEMU that greets, and answers each command by what is returned for it. */
function answering(answer: (execute: string, id: number) => string | null): void {
  qemu.write(`${GREETING}\n`);
  qemu.on("data", (chunk) => {
    for (const line of chunk.toString().split("\n").filter(Boolean)) {
      const { execute, id } = commandSchema.parse(JSON.parse(line));
      const said =
        execute === "qmp_capabilities" ? `{"return": {}, "id": ${id}}` : answer(execute, id);
      if (said !== null) qemu.write(`${said}\n`);
    }
  });
}

describe("a recorded conversation with QEMU 7.2", () => {
  it("stops a template and has its state sent", async () => {
    const played = play("template");
    const seen: string[] = [];
    const control = await opened((event) => seen.push(event.event));
    await control.command("stop");
    await prepareMigration(control, never);
    await sendState(control, never);
    await control.command("quit");
    await played;
    expect(seen).toEqual(["STOP", "MIGRATION", "MIGRATION", "MIGRATION", "SHUTDOWN"]);
  });

  it("gives a copy its state and lets it go on", async () => {
    const played = play("copy");
    const control = await opened();
    await prepareMigration(control, never);
    await takeState(control, never);
    await control.command("cont");
    expect(await control.command("query-status")).toMatchObject({ status: "running" });
    await control.command("quit");
    await played;
  });

  it("tells that a state can't be gone on with", async () => {
    const played = play("broken copy");
    const control = await opened();
    await prepareMigration(control, never);
    await expect(takeState(control, never)).rejects.toThrow("can't go on");
    await played;
  });
});

describe("the client of QEMU's control channel", () => {
  it("gives an event that came before it was waited for, and each once", async () => {
    answering((execute, id) =>
      execute === "stop"
        ? `{"event": "STOP", "timestamp": {}}\n{"return": {}, "id": ${id}}`
        : `{"return": {}, "id": ${id}}`,
    );
    const control = await opened();
    await control.command("stop");
    const wanted = { deadlineMs: 50 };
    expect(await control.event(({ event }) => event === "STOP", wanted)).toMatchObject({
      event: "STOP",
    });
    await expect(control.event(({ event }) => event === "STOP", wanted)).rejects.toThrow(
      "did not answer in 50 ms",
    );
  });

  it("passes over events it does not know, and tells those of a failing disk", async () => {
    const seen: QmpEvent[] = [];
    answering((_, id) => `{"event": "NEW_ONE", "data": {"x": 1}}\n{"return": 7, "id": ${id}}`);
    const control = await opened((event) => seen.push(event));
    expect(await control.command("anything")).toBe(7);
    qemu.write('{"event": "BLOCK_IO_ERROR", "data": {"nospace": true, "device": "d1"}}\n');
    await control.event(({ event }) => event === "BLOCK_IO_ERROR", { deadlineMs: 60_000 });
    expect(seen).toEqual([{ event: "BLOCK_IO_ERROR", data: { nospace: true } }]);
  });

  it("ends every wait when the process ends", async () => {
    answering(() => null);
    const control = await opened();
    const command = control.command("query-status");
    const event = control.event(() => true, { deadlineMs: 60_000 });
    for (const one of [command, event]) one.catch(() => undefined);
    qemu.destroy();
    await expect(command).rejects.toMatchObject({ code: "vm-resume" });
    await expect(event).rejects.toThrow("the machine's process ended");
    await expect(control.command("cont")).rejects.toThrow("the machine's process ended");
    expect(control.fault).not.toBeNull();
  });

  it("gives a command up at its deadline, and goes on", async () => {
    answering((execute, id) => (execute === "slow" ? null : `{"return": {}, "id": ${id}}`));
    const control = await opened();
    await expect(control.command("slow", {}, { deadlineMs: 30 })).rejects.toThrow("(slow)");
    await control.command("cont");
  });

  it("gives up when whoever asked does, with his reason", async () => {
    answering(() => null);
    const control = await opened();
    const giving = new AbortController();
    const command = control.command("slow", {}, { signal: giving.signal });
    const reason = new Error("given up");
    giving.abort(reason);
    await expect(command).rejects.toBe(reason);
  });

  it("says what QEMU refuses", async () => {
    answering(
      (_, id) => `{"error": {"class": "GenericError", "desc": "no such thing"}, "id": ${id}}`,
    );
    const control = await opened();
    await expect(control.command("nonsense")).rejects.toThrow("QEMU refuses: no such thing");
  });

  it.each([
    ["what is no JSON", "rubbish\n"],
    ["what is no message", '{"hello": 1}\n'],
    ["a line without an end", "x".repeat(1_100_000)],
  ])("loses a machine that says %s", async (_, said) => {
    answering(() => null);
    const control = await opened();
    const waiting = control.command("query-status");
    qemu.write(said);
    await expect(waiting).rejects.toMatchObject({ code: "vm-resume" });
    expect(control.fault).not.toBeNull();
  });

  it("waits for the greeting no longer than it may", async () => {
    await expect(QmpClient.open(farm, { deadlineMs: 30, signal: never })).rejects.toThrow(
      "the greeting",
    );
  });
});
