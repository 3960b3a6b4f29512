import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { renderFindings } from "./finding.ts";
import { imageFinding } from "./guests.ts";
import {
  cgroupFinding,
  commandsFinding,
  diskFinding,
  memoryFinding,
  nodeFinding,
  userNamespaceFinding,
} from "./host.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("what the host has", () => {
  test.each([
    ["24.12.0", "ok"],
    ["25.0.0", "ok"],
    ["24.11.9", "lacks"],
    ["20.20.2", "lacks"],
  ])("Node %s: %s", (version, state) => {
    expect(nodeFinding(version, "/usr/bin/node").state).toBe(state);
  });

  test("commands that are missing are named with the packages that bring them", () => {
    const finding = commandsFinding(directory);
    expect(finding).toMatchObject({ state: "lacks" });
    expect(finding.detail).toContain("mmdebstrap");
    expect(finding.nextStep).toContain("apt-get install --no-install-recommends mmdebstrap");
  });

  test("cgroups of version 2, by the controllers it names", () => {
    writeFileSync(join(directory, "cgroup.controllers"), "cpuset cpu io memory pids\n");
    expect(cgroupFinding(directory)).toMatchObject({ state: "ok" });
    writeFileSync(join(directory, "cgroup.controllers"), "cpu memory\n");
    expect(cgroupFinding(directory)).toMatchObject({
      state: "lacks",
      detail: "version 2, without pids: limits would not bite",
    });
  });

  test("cgroups of version 1, by the hierarchies mounted", () => {
    for (const controller of ["memory", "cpu"]) {
      mkdirSync(join(directory, controller));
      writeFileSync(join(directory, controller, "cgroup.procs"), "");
    }
    expect(cgroupFinding(directory)).toMatchObject({
      state: "lacks",
      detail: "version 1, without pids: limits would not bite",
    });
  });

  test("a host without user namespaces loses one machine kind, not its main job", () => {
    const path = join(directory, "max");
    writeFileSync(path, "0\n");
    expect(userNamespaceFinding(path).state).toBe("note");
    writeFileSync(path, "96365\n");
    expect(userNamespaceFinding(path).state).toBe("ok");
  });

  test("too little disk is a lack that says how to go elsewhere", () => {
    expect(diskFinding("cache", "/var/cache", 5e9, 1e9).state).toBe("ok");
    expect(diskFinding("cache", "/var/cache", 5e8, 1e9)).toMatchObject({
      state: "lacks",
      nextStep: "make room, or name another place with CREAMERY_CACHE_DIR",
    });
    expect(memoryFinding(1e9).state).toBe("note");
  });
});

test("findings are told in words, with control characters made visible and no colour unless asked", () => {
  const findings = [
    { name: "one", state: "ok", detail: "fine" },
    { name: "longer", state: "lacks", detail: "bad\u001b[2J", nextStep: "do this" },
  ] as const;
  expect(renderFindings(findings, false)).toBe(
    [
      "ok     one     fine",
      "LACKS  longer  bad\\x1b[2J",
      "               next: do this",
      "",
      "Tests cannot run here yet: 1 thing is missing or wrong.",
      "",
    ].join("\n"),
  );
  expect(renderFindings(findings, true)).toContain("\u001b[31;1mLACKS\u001b[0m");
});

test("an image that was made without an interpreter is a note that says why, and what to do", () => {
  const missing = [{ name: "cpython-3.12", reason: "no Maven", nextStep: "install maven" }];
  expect(imageFinding({ missing }, "2026.11.2+1")).toEqual({
    name: "image",
    state: "note",
    detail: "2026.11.2+1, without cpython-3.12 (no Maven)",
    nextStep: "install maven",
  });
  expect(imageFinding({ missing: [] }, "2026.11.2+1")).toMatchObject({ state: "ok" });
});
