import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { SnapshotManifest } from "../../src/launcher/qemu/snapshot-manifest.ts";
import { attemptOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { PASSING } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";

/** Virtual machines by the real command line. The first test that needs a snapshot makes it, a minute or two without KVM. */

const MINUTES = 60_000;
const FAILING =
  "import unittest\nclass Case(unittest.TestCase):\n    def test_adds(self):\n        self.assertEqual(1 + 1, 3)\n    def test_passes(self):\n        pass\n";

describe("virtual machines", () => {
  const farm = useFarm("virtual", [
    { name: "creamery-e2e-quick", files: PASSING },
    { name: "creamery-e2e-fails", files: { "tests/test_it.py": FAILING } },
  ]);
  let ended: Ended | undefined;
  beforeAll(async () => {
    ended = await farm().test(["creamery-e2e-quick", "--machine", "qemu", "--json"]);
  }, 25 * MINUTES);

  it("run a test whole, and leave nothing", () => {
    expect(attemptOf(ended, "creamery-e2e-quick")).toMatchObject({
      outcome: "pass",
      machine: "qemu",
      axes: { machine: "qemu" },
    });
    expect(ended?.seen.length).toBeGreaterThan(0);
    expect(ended?.leaks).toEqual([]);
  });

  it(
    "run the same once more",
    async () => {
      const { id } = attemptOf(ended, "creamery-e2e-quick");
      const again = await farm().reproduce([id, "--json"]);
      expect(attemptOf(again, "creamery-e2e-quick")).toMatchObject({
        outcome: "pass",
        machine: "qemu",
      });
    },
    10 * MINUTES,
  );

  it(
    "confirm a failure where policy forbids containers",
    async () => {
      const config = farm().configure("no-container.toml", { isolation: { minimum: "gvisor" } });
      const words = ["creamery-e2e-fails", "--machine", "gvisor", "--json", "--config", config];
      const failed = await farm().test(words);
      expect(failed.stderr).toContain("confirm (on qemu)");
      expect(attemptOf(failed, "creamery-e2e-fails")).toMatchObject({
        outcome: "fail",
        cause: "test-failure",
        confidence: "confirmed(2/2)",
        machine: "gvisor",
      });
      const refused = await farm().test([
        "creamery-e2e-fails",
        "--machine",
        "container",
        "--config",
        config,
      ]);
      expect(wrongInRefusal(refused, 2, "--machine container", "isolation.minimum")).toEqual([]);
    },
    10 * MINUTES,
  );

  it("are copied from a snapshot that is shown with what it saves", async () => {
    const { room } = farm();
    const json = await room.run(["snapshot", "list", "--json"]);
    const { snapshots } = z
      .object({ snapshots: z.array(SnapshotManifest) })
      .parse(JSON.parse(json.stdout));
    const [newest] = snapshots;
    expect(newest?.dirtyBytes).toBeGreaterThan(50e6);
    expect(newest?.warmed.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["cpython-3.13", "pypy-3.11", "pip", "uv", "compiler"]),
    );
    const text = await room.run(["snapshot", "list"]);
    expect(text.stdout).toContain(newest?.key);
    expect(text.stdout).toMatch(/warming saves: .* s become .* s/u);
    const refused = await room.run(["snapshot", "rm", "no-such-key"]);
    expect(wrongInRefusal(refused, 2, "no-such-key", "no such snapshot")).toEqual([]);
  });

  it("are what doctor speaks of, with the kind that is taken by itself", async () => {
    const { stdout } = await farm().room.run(["doctor", "--json", "--config", farm().config]);
    const { findings } = z
      .object({
        findings: z.array(z.object({ name: z.string(), state: z.string(), detail: z.string() })),
      })
      .parse(JSON.parse(stdout));
    const of = (name: string) => findings.find((finding) => finding.name === name);
    expect(of("qemu")).toMatchObject({ state: "ok" });
    expect(of("auto")?.detail).toMatch(/takes (?:qemu|gvisor)/u);
    expect(of("KVM")).toBeDefined();
  });
});
