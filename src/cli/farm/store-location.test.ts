import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { parseFarmConfig } from "../../model/config/farm-config.ts";
import { storeLocation } from "./store-location.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-location-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const located = (text: string) =>
  storeLocation(parseFarmConfig(text, "creamery.toml", []), { data: "/data" });
const URL_TEXT = "postgres://farm:hidden@db.example/creamery";

test("the store is SQLite's in the data directory, unless creamery.toml says PostgreSQL", async () => {
  expect(await located("")).toBe("/data/store.sqlite");
  expect(await located(`[store]\nurl = "${URL_TEXT}"`)).toBe(URL_TEXT);
});

test("a URL with a password may lie in a file of its own", async () => {
  const file = join(directory, "url");
  writeFileSync(file, `${URL_TEXT}\n`);
  expect(await located(`[store]\nurl_file = "${file}"`)).toBe(URL_TEXT);
});

test("a file that is not there, or holds no URL, is told without what is in it", async () => {
  const file = join(directory, "url");
  const asked = () => located(`[store]\nurl_file = "${file}"`);
  await expect(asked()).rejects.toMatchObject({ code: "configuration-file", input: file });
  writeFileSync(file, "hidden");
  await expect(asked()).rejects.toMatchObject({
    code: "configuration-file",
    message: "store.url_file: holds no address of PostgreSQL",
  });
});

test("what is no place of a store is refused with its line, and not shown", () => {
  for (const [text, reason] of [
    [`[store]\nurl = "mysql://farm:hidden@db.example/x"`, "line 2: store.url: is no address"],
    [`[store]\nurl_file = "url"`, "line 2: store.url_file: is no absolute path"],
    [`[store]\nurl = "${URL_TEXT}"\nurl_file = "/x"`, "line 3: store.url_file: is there"],
    [`[store]\nulr = "x"`, "line 2: store.ulr: unknown key"],
  ] as const) {
    const parse = () => parseFarmConfig(text, "creamery.toml", []);
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow("hidden");
  }
});
