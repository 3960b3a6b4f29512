import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import {
  startUpstream,
  type DistFile,
  type RunningUpstream,
  type UpstreamOptions,
} from "../../../test/upstream/upstream.ts";
import { CreameryError } from "../../base/errors.ts";
import { openIndexService } from "../../index/index-service.ts";
import { sampleUpstreams } from "../../index/upstream/upstreams.sample.ts";
import { LauncherClient } from "../../launcher/client.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { resolveSource, type SourceContext } from "./resolve-source.ts";
import { parseTarget } from "./target.ts";

const signal = new AbortController().signal;
interface Farm {
  readonly upstream: RunningUpstream;
  readonly context: SourceContext;
  readonly resolve: (text: string) => Promise<ResolvedSource>;
}

async function farm(options: UpstreamOptions): Promise<Farm> {
  const upstream = owned(await startUpstream(options));
  const upstreams = await sampleUpstreams({ index: upstream.url });
  const service = owned(
    await openIndexService({ directory: temporaryDirectory("source"), upstreams }),
  );
  const context: SourceContext = {
    index: () => service,
    launcher: new LauncherClient("/nowhere", () => {
      throw new Error("a release needs nothing of the launcher");
    }),
    directory: temporaryDirectory("source"),
    cwd: "/",
    mirrors: () => {
      throw new Error("a release needs no repository");
    },
  };
  return {
    upstream,
    context,
    resolve: (text) => resolveSource(parseTarget(text), context, signal),
  };
}

function sdist(filename: string, more: Partial<DistFile> = {}): DistFile {
  return { project: "attrs", filename, content: gzipSync(filename), ...more };
}

function wheel(filename: string, more: Partial<DistFile> = {}): DistFile {
  return { project: "attrs", filename, content: Buffer.from(filename), ...more };
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

const RELEASES = [
  sdist("attrs-24.1.0.tar.gz", { requiresPython: ">=3.7" }),
  sdist("attrs-25.3.0.tar.gz", { requiresPython: ">=3.8" }),
  wheel("attrs-25.3.0-py3-none-any.whl", { requiresPython: ">=3.9" }),
  wheel("attrs-25.3.0-cp313-cp313-manylinux_2_28_x86_64.whl"),
  sdist("attrs-25.4.0.tar.gz", { yanked: "breaks\npickles" }),
  sdist("attrs-26.0.0rc1.tar.gz"),
  sdist("other-99.0.tar.gz"),
  sdist("attrs-97.0.egg"),
  sdist("attrs-98.0-py3.13.exe"),
];

describe("a release", () => {
  test("is what pip would take: the sdist whole and verified, the wheels by name", async () => {
    const { resolve, upstream } = await farm({ files: RELEASES });
    const content = gzipSync("attrs-25.3.0.tar.gz");
    const source = await resolve("Attrs[Tests]>=24");
    expect(source).toEqual({
      kind: "release",
      project: "attrs",
      version: "25.3.0",
      extras: ["tests"],
      sourceFile: {
        path: source.sourceFile?.path,
        filename: "attrs-25.3.0.tar.gz",
        sha256: sha256(content),
      },
      wheelFile: null,
      wheelNames: [
        "attrs-25.3.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        "attrs-25.3.0-py3-none-any.whl",
      ],
      requiresPython: ">=3.8",
      yanked: null,
      sha256: sha256(content),
      // For its lock: others have it from there.
      origin: {
        kind: "index",
        file: {
          project: "attrs",
          filename: "attrs-25.3.0.tar.gz",
          sha256: sha256(content),
          sizeBytes: content.length,
          uploadTime: "2026-01-02T03:04:05.000000Z",
          requiresPython: ">=3.8",
          url: `${upstream.origin}/packages/attrs-25.3.0.tar.gz`,
          upstream: upstream.url,
        },
      },
      label: "attrs[tests] 25.3.0",
    });
    expect(readFileSync(source.sourceFile?.path ?? "")).toEqual(content);
    expect(upstream.requests.filter((line) => line.includes(".whl"))).toEqual([]);
  });

  test.each([
    ["attrs", "25.3.0", null],
    ["attrs<25", "24.1.0", null],
    ["attrs==24.1", "24.1.0", null],
    ["attrs==25.4.0", "25.4.0", "breaks\npickles"],
    ["attrs===25.4.0", "25.4.0", "breaks\npickles"],
    ["attrs>=26.0.0rc1", "26.0.0rc1", null],
    ["attrs==26.*", "26.0.0rc1", null],
    ["attrs>25.3", "26.0.0rc1", null],
  ])("%s is %s, yanked: %j", async (text, version, yanked) => {
    const { resolve } = await farm({ files: RELEASES });
    expect(await resolve(text)).toMatchObject({ version, yanked, label: `attrs ${version}` });
  });

  test("of wheels alone has no source file, and the first wheel's hash", async () => {
    const content = makeWheel("attrs", "1.0", { "attrs.py": "" });
    const files = [
      wheel("attrs-1.0-py3-none-win32.whl"),
      wheel("attrs-1.0-py3-none-any.whl", { content, requiresPython: ">=3.9" }),
    ];
    const { resolve, upstream } = await farm({ files });
    expect(await resolve("attrs")).toMatchObject({
      sourceFile: null,
      requiresPython: ">=3.9",
      sha256: sha256(content),
    });
    expect(upstream.requests).toEqual(["GET /simple/attrs/"]);
    // An index that says no hash sends the file to have it known.
    const silent = await farm({ files: files.map((file) => ({ ...file, extra: { hashes: {} } })) });
    expect(await silent.resolve("attrs")).toMatchObject({ sha256: sha256(content) });
  });

  test("one pre-release is taken where there is nothing else, and a sdist that is not yanked before one that is", async () => {
    const files = [
      sdist("attrs-1.0b1.zip"),
      sdist("attrs-1.0b1.tar.gz", { yanked: "" }),
      sdist("attrs-1.0b1.tar.bz2"),
    ];
    const { resolve } = await farm({ files });
    expect(await resolve("attrs")).toMatchObject({
      version: "1.0b1",
      yanked: null,
      sourceFile: { filename: "attrs-1.0b1.zip" },
    });
  });

  test("files of 1.0 and of 1.0.0 are of one release", async () => {
    const { resolve } = await farm({
      files: [wheel("attrs-1.0.0-py3-none-any.whl"), sdist("attrs-1.0.tar.gz")],
    });
    expect(await resolve("attrs==1")).toMatchObject({
      version: "1.0",
      sourceFile: { filename: "attrs-1.0.tar.gz" },
      wheelNames: ["attrs-1.0.0-py3-none-any.whl"],
    });
  });
});

describe("a release that can't be had", () => {
  test.each([
    [
      "attrz",
      "unknown-project",
      /^attrz: no index has it: http:\/\/127\.0\.0\.1:\d+\/simple\/; check its spelling, or write \.\/attrz /u,
    ],
    [
      "attrs==25.30",
      "unknown-version",
      /^attrs==25\.30: there is no such release; the newest are 26\.0\.0rc1, 25\.3\.0, 24\.1\.0; write attrs==25\.3\.0,/u,
    ],
    ["attrs<1", "unknown-version", /write attrs==25\.3\.0, for one$/u],
    [
      "attrs>=25.4,<26",
      "unknown-version",
      /yanked: 25\.4\.0 \(breaks\\npickles\); pin it, as in attrs==25\.4\.0/u,
    ],
    ["attrs==97.0.egg", "bad-requirement", /write attrs==VERSION/u],
    ["attrs==98.0", "no-distribution", /^attrs==98\.0: none of its files .* wheel or an sdist/u],
  ])("%s is refused as %s", async (text, code, line) => {
    const { resolve } = await farm({ files: RELEASES });
    // Through a promise, since some are refused before anything is asked.
    const outcome: unknown = await Promise.resolve(text)
      .then(resolve)
      .catch((thrown: unknown) => thrown);
    const error = outcome instanceof CreameryError ? outcome : null;
    expect([error?.code, error?.exitCode]).toEqual([code, 2]);
    expect(error?.line).toMatch(line);
  });

  test("a project of eggs alone has no distribution", async () => {
    const { resolve } = await farm({ files: [sdist("attrs-1.0-py2.7.egg")] });
    await expect(resolve("attrs")).rejects.toMatchObject({ code: "no-distribution" });
  });

  test.each([
    [{ on: "/simple/", kind: "status", status: 500 }, "upstream", 3],
    [{ on: "/simple/", kind: "status", status: 404 }, "unknown-project", 2],
    [{ on: "/simple/", kind: "garbage" }, "upstream", 3],
    [{ on: ".tar.gz", kind: "wrong-bytes" }, "upstream-hash", 3],
    [{ on: ".tar.gz", kind: "status", status: 404 }, "upstream", 3],
  ] as const)("the upstream's fault %o is told as %s", async (fault, code, exitCode) => {
    const { resolve } = await farm({ files: RELEASES, faults: [fault] });
    await expect(resolve("attrs")).rejects.toMatchObject({ code, exitCode });
  });

  test("an interruption ends the wait", async () => {
    const { context } = await farm({ files: RELEASES, faults: [{ on: "/simple/", kind: "hang" }] });
    await expect(
      resolveSource(parseTarget("attrs"), context, AbortSignal.timeout(50)),
    ).rejects.toThrow(/abort|timeout/iu);
  });
});
