import { expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { storeFault } from "./store-fault.ts";

const PATH = "/data/store.sqlite";
const roomy = () => 1e9;

test("a store that can't be used on a full disk is not called broken", () => {
  const asked: string[] = [];
  const full = (directory: string) => {
    asked.push(directory);
    return 1000;
  };
  for (const fault of [
    storeFault(new Error("disk I/O error"), PATH, full),
    storeFault(new Error("unable to open database file"), PATH, full),
    storeFault(new Error("database or disk is full"), PATH, roomy),
  ]) {
    expect(fault.code).toBe("disk-full");
    expect(fault.line).toBe(
      "/data/store.sqlite: no space for the results; free some space, or set another data directory",
    );
  }
  expect(asked).toEqual(["/data", "/data"]);
});

test("where there is room the file is looked at; a directory that is not there tells nothing", () => {
  expect(storeFault(new Error("disk I/O error"), PATH, roomy).code).toBe("store");
  expect(storeFault(new Error("disk I/O error"), "/no/such/place/store.sqlite").code).toBe("store");
});

test("a fault of our own stays what it is", () => {
  const own = new CreameryError("store", "newer");
  expect(storeFault(own, PATH, () => 0)).toBe(own);
});
