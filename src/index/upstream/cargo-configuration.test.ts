import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import {
  asConfigured,
  cargoConfigurationForGuest,
  cargoStamp,
  readCargoConfiguration,
} from "./cargo-configuration.ts";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "creamery-cargo-home-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test("cargo's configuration is read where cargo reads it, the old name first", async () => {
  const env = { CARGO_HOME: home };
  expect(await readCargoConfiguration(env)).toBeNull();
  writeFileSync(join(home, "config.toml"), "new");
  expect(await readCargoConfiguration(env)).toBe("new");
  writeFileSync(join(home, "config"), "old");
  expect(await readCargoConfiguration(env)).toBe("old");
  expect(await readCargoConfiguration({ HOME: home })).toBeNull();
});

test("the stamp changes with every change, and none is not empty", () => {
  const stamps = [null, "", "a", "b"].map(cargoStamp);
  expect(new Set(stamps).size).toBe(4);
  expect(cargoStamp("a")).toBe(stamps[2]);
});

const PLANTED = `
[source.crates-io]
replace-with = "mine"
[source.mine]
registry = "sparse+https://user:pass-w0rd@index.example/sub/?key=planted-query"
token = "planted-1"
[registries.mine]
index = "sparse+https://planted-user@index.example/sub/"
token = "planted-2"
credential-provider = ["planted-3"]
[registries]
inline = { index = "https://git.example/x", "tok\\u0065n" = "planted-4", secret-key = """
planted-5
""" }
[registry]
default = "mine"
token = '''
planted-6'''
[http]
proxy = "user:planted-7@proxy.example"
cainfo = "/etc/planted-8.pem"
[env]
CARGO_REGISTRY_TOKEN = "planted-9"
`;

describe("what a guest's cargo is given", () => {
  test("is what decides the index, and none of the planted secrets", () => {
    const text = cargoConfigurationForGuest(PLANTED);
    expect(text).not.toMatch(/planted|pass-w0rd|user/u);
    expect(parse(text)).toEqual({
      source: {
        "crates-io": { "replace-with": "mine" },
        mine: { registry: "sparse+https://index.example/sub/" },
      },
      registries: {
        mine: { index: "sparse+https://index.example/sub/" },
        inline: { index: "https://git.example/x" },
      },
      registry: { default: "mine" },
    });
  });

  test.each([
    "",
    "[build]\njobs = 1\n",
    "source = 7\nregistry = []\n",
    '[source.x]\nregistry = ["a"]\n',
  ])("of %j is a configuration that says nothing", (text) =>
    expect(cargoConfigurationForGuest(text)).not.toMatch(/[=]/u),
  );

  test("of what is no TOML is a fault that quotes nothing of it", () => {
    const told = (): unknown => {
      try {
        return cargoConfigurationForGuest('[registry]\ntoken = "planted\n');
      } catch (thrown) {
        return thrown;
      }
    };
    const error = told();
    if (!(error instanceof CreameryError)) throw new Error("was taken");
    expect(error).toMatchObject({ code: "configuration-file" });
    expect(`${error.line}${String(error.stack)}`).not.toContain("planted");
  });
});

test("an index that a guest named is asked with the credentials that its configuration has", () => {
  const url = "https://index.example/sub/";
  const own = '[source.mine]\nregistry = "sparse+https://user:pass-w0rd@index.example/sub/"\n';
  expect(asConfigured(url, own)).toBe("https://user:pass-w0rd@index.example/sub/");
  const bare = own.replace('/sub/"', '/sub"');
  expect(asConfigured(url, bare)).toBe("https://user:pass-w0rd@index.example/sub");
  expect(asConfigured("https://other.example/", own)).toBe("https://other.example/");
  expect(asConfigured(url, null)).toBe(url);
  expect(asConfigured(url, '[registries.a]\nindex = "no address"\n')).toBe(url);
});
