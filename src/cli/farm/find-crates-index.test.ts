import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { AskedMachine } from "../../worker/ask-cargo.ts";
import { findCratesIndex, knownCratesIndex, type CratesQuestion } from "./find-crates-index.ts";

const SAYS = "failed to download from";
const CREDENTIALS = '[source.a]\nregistry = "sparse+https://user:s3cret@a.example/"\n';
let root = "";
let asks = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-crates-"));
  for (const name of ["home", "bin", "index"]) mkdirSync(join(root, name));
  asks = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function configure(text: string): void {
  writeFileSync(join(root, "home/config.toml"), text);
}

/** A cargo that names the registry of its configuration, and counts how often it is asked. */
function giveHostCargo(): void {
  const script = `#!/bin/sh
echo asked >>${join(root, "log")}
sed -n 's/^registry = "sparse+\\(.*\\)"$/${SAYS} \\\`\\1config.json\\\`/p' "$CARGO_HOME/config.toml" >&2
exit 101
`;
  writeFileSync(join(root, "bin/cargo"), script, { mode: 0o755 });
}

/** The image's cargo does the same. */
const machine: AskedMachine = {
  start: async () => {
    asks++;
    let url = "https://image.example/";
    return {
      put: async (path, content) => {
        if (!path.endsWith("config.toml") || !Buffer.isBuffer(content)) return;
        url = /registry = "sparse\+([^"]+)"/u.exec(content.toString("utf8"))?.[1] ?? url;
      },
      exec: async (_request, sinks) => {
        sinks.output("stderr", Buffer.from(`${SAYS} \`${url}config.json\``));
        return { code: 101, signal: null, limit: null, seconds: 0, outputBytes: 0 };
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
};

function question(imageId = "one"): CratesQuestion {
  const spec = { imageId, memoryBytes: 1, cpuSeconds: 1, pids: 8, diskBytes: 1 };
  return {
    directory: join(root, "index"),
    env: { PATH: `${join(root, "bin")}:/usr/bin:/bin`, CARGO_HOME: join(root, "home") },
    signal: new AbortController().signal,
    asked: async () => ({ machine, spec }),
  };
}

function allKept(): string {
  const directory = join(root, "index");
  return readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("\n");
}

describe("the host's cargo", () => {
  const asked = (): number => readFileSync(join(root, "log"), "utf8").split("\n").length - 1;

  test("decides, and is asked again when its configuration has changed", async () => {
    giveHostCargo();
    configure('[source.a]\nregistry = "sparse+https://a.example/"\n');
    for (const _time of [1, 2])
      expect(await findCratesIndex(question())).toBe("https://a.example/");
    expect([asked(), asks]).toEqual([1, 0]);
    configure('[source.a]\nregistry = "sparse+https://b.example/"\n');
    expect(await findCratesIndex(question())).toBe("https://b.example/");
    expect(asked()).toBe(2);
  });

  test("names an index with its credentials, which are not kept", async () => {
    giveHostCargo();
    configure(CREDENTIALS);
    for (const _time of [1, 2])
      expect(await findCratesIndex(question())).toBe("https://user:s3cret@a.example/");
    expect(asked()).toBe(2);
    expect(allKept()).not.toContain("s3cret");
  });
});

describe("where the host has no cargo, the image's", () => {
  test("is asked once for each image and each configuration", async () => {
    for (const _time of [1, 2])
      expect(await findCratesIndex(question())).toBe("https://image.example/");
    expect(asks).toBe(1);
    configure('[source.a]\nregistry = "sparse+https://a.example/"\n');
    for (const _time of [1, 2])
      expect(await findCratesIndex(question())).toBe("https://a.example/");
    expect(asks).toBe(2);
    expect(await findCratesIndex(question("two"))).toBe("https://a.example/");
    expect(asks).toBe(3);
  });

  test("is given no credentials; the answer has them, and they are not kept", async () => {
    configure(CREDENTIALS);
    for (const _time of [1, 2])
      expect(await findCratesIndex(question())).toBe("https://user:s3cret@a.example/");
    expect(asks).toBe(1);
    expect(allKept()).toContain("https://a.example/");
    expect(allKept()).not.toContain("s3cret");
  });

  test("is known afterwards, without a guest", async () => {
    expect(await knownCratesIndex(question(), "one")).toBeNull();
    await findCratesIndex(question());
    expect(await knownCratesIndex(question(), "one")).toBe("https://image.example/");
    expect(await knownCratesIndex(question(), "two")).toBeNull();
    expect(await knownCratesIndex(question(), null)).toBeNull();
    expect(asks).toBe(1);
  });
});
