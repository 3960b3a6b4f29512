import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { TogetherReader, togetherScript, type Lane } from "./together.ts";

const directory = mkdtempSync(join(tmpdir(), "creamery-together-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(lanes: readonly Lane[]): { reader: TogetherReader; shown: string } {
  const script = togetherScript(lanes).replaceAll("/job/.together", join(directory, "out"));
  const reader = new TogetherReader(lanes);
  return { reader, shown: reader.read(execFileSync("sh", ["-c", script], { encoding: "utf8" })) };
}
const sh = (name: string, script: string, shown = false) => ({
  name,
  shown,
  argv: ["sh", "-c", script],
});

test("tells how each ended, what failed with its words, and shows what is to be shown", () => {
  const { reader, shown } = run([
    [[sh("first", "exit 0")], [sh("second", "echo visible; echo too >&2", true)]],
    [[sh("other", "echo said; echo '==first 7'; exit 3")], [sh("never", "exit 0")]],
  ]);
  expect(reader.endOf("first")).toMatchObject({ ok: true, code: 0, text: "" });
  expect(reader.endOf("second")).toMatchObject({ ok: true, text: "visible\ntoo" });
  expect(reader.endOf("other")).toMatchObject({ ok: false, code: 3 });
  expect(reader.endOf("other").text).toContain("said");
  expect(reader.endOf("never")).toMatchObject({ ok: false, code: null, endedAt: null });
  expect(shown.trim()).toBe("visible\ntoo");
});

test("a stage's commands run side by side, and the next waits for all of them to be well", () => {
  const { reader } = run([
    [[sh("one", "exit 0"), sh("two", "exit 1")], [sh("after", "exit 0")]],
    [[sh("three", "exit 0"), sh("four", "exit 0")], [sh("then", "exit 0")]],
  ]);
  expect(reader.endOf("two")).toMatchObject({ code: 1 });
  expect(reader.endOf("after").code).toBeNull();
  expect(reader.endOf("then")).toMatchObject({ ok: true });
});

test("words are words, whatever they hold, and an end that is said twice counts once", () => {
  const odd = 'it\'s $HOME `x` "q" \\ *';
  const { reader } = run([
    [[{ name: "words", argv: ["printf", "%s\n@@words 0\n@@words 5", odd], shown: true }]],
  ]);
  expect(reader.endOf("words")).toMatchObject({ ok: true, text: odd });
});
