import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { describeHostIndexes, parsePipWords } from "./host-indexes.ts";
import { findUpstreams } from "./upstreams.ts";

const signal = new AbortController().signal;

test("pip's own configuration decides; the answer is kept until that changes, and never with credentials in it", async () => {
  const home = mkdtempSync(join(tmpdir(), "creamery-pip-"));
  try {
    const configuration = join(home, "pip.conf");
    const cacheFile = join(home, "kept.json");
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      PIP_CONFIG_FILE: configuration,
      PYENV_VERSION: process.env["PYENV_VERSION"] ?? "",
    };
    const asked = (): Promise<{ indexUrl: string }> =>
      describeHostIndexes({ signal, env, cacheFile });
    writeFileSync(configuration, "[global]\nindex-url = https://index.example/simple\n");
    expect(await asked()).toMatchObject({ indexUrl: "https://index.example/simple" });
    // What is kept is what is answered: seen by changing it.
    writeFileSync(
      cacheFile,
      readFileSync(cacheFile, "utf8").replace("index.example", "kept.example"),
    );
    expect(await asked()).toMatchObject({ indexUrl: "https://kept.example/simple" });
    writeFileSync(
      configuration,
      "[global]\nindex-url = https://planted:s3cret@other.example/simple\n",
    );
    expect(await asked()).toMatchObject({
      indexUrl: "https://planted:s3cret@other.example/simple",
    });
    expect(readFileSync(cacheFile, "utf8")).not.toContain("s3cret");
    const found = await findUpstreams({ signal, env, cratesIndex: null });
    expect(found.indexes).toMatchObject([{ url: "https://other.example/simple/" }]);
    expect(JSON.stringify(found)).not.toContain("s3cret");
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test("a pip that is no module says it in words", () => {
  const listed =
    ":env:.cert='/etc/ca.pem'\nglobal.index-url='https://global.example/simple'\ninstall.index-url='https://install.example/simple'\n";
  const help =
    "  -i, --index-url <url>       Base URL of the Python Package Index (default\n                              https://index.example/simple). This should\n";
  expect(parsePipWords(listed, help)).toMatchObject({
    indexUrl: "https://install.example/simple",
    cert: "/etc/ca.pem",
  });
  expect(parsePipWords("", help)).toMatchObject({ indexUrl: "https://index.example/simple" });
  expect(() => parsePipWords("", "")).toThrow(/does not say/u);
});
