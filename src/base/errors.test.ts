import { expect, test } from "vitest";

import { CreameryError, diskFullFault } from "./errors.ts";

test.each([
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("what %s ended has the exit code that shells give it: %i", (signal, code) => {
  expect(new CreameryError("interrupted", "interrupted", { signal }).exitCode).toBe(code);
});

test("without a signal the code decides", () => {
  expect(new CreameryError("interrupted", "interrupted").exitCode).toBe(3);
  expect(new CreameryError("usage", "wrong").exitCode).toBe(2);
});

test("a full disk names what was being written and the next step, all else is none", () => {
  const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
  const fault = diskFullFault(full, "/data/partial/1.log");
  expect(fault?.code).toBe("disk-full");
  expect(fault?.line).toMatch(/^\/data\/partial\/1\.log: the disk is full; free some space, or /u);
  expect(fault?.cause).toBe(full);
  const quota = Object.assign(new Error("EDQUOT"), { code: "EDQUOT" });
  expect(diskFullFault(quota, "x")?.message).toBe("the disk quota is used up");
  expect(diskFullFault(Object.assign(new Error("x"), { code: "EIO" }), "x")).toBeNull();
  expect(diskFullFault("ENOSPC", "x")).toBeNull();
});
