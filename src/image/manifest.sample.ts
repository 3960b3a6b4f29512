import type { ImageManifest } from "./manifest.ts";

interface Change {
  /** Names such as `cpython-3.13`. */
  readonly interpreters?: readonly string[];
  /** Versions by name. */
  readonly packages?: Readonly<Record<string, string>>;
  readonly tools?: Readonly<Record<string, string>>;
}

/** What a small image says of itself, for tests. @param id such as `2026.11.1+00000000`. */
export function sampleManifest(id: string, change: Change = {}): ImageManifest {
  return {
    schema: 1,
    id,
    version: id.replace(/\+.*$/u, ""),
    target: "linux-x86_64",
    treeSha256: "a".repeat(64),
    definitionSha256: "d".repeat(64),
    files: 1,
    sizeBytes: 1,
    packages: Object.entries(change.packages ?? {}).map(([name, version]) => ({
      name,
      version,
      architecture: "amd64",
      sha256: null,
    })),
    interpreters: (change.interpreters ?? []).map((name) => ({
      name,
      implementation: name.startsWith("pypy") ? "pypy" : "cpython",
      version: name.replace(/^.*-/u, ""),
      executable: `/usr/bin/${name}`,
      fullVersion: `${name.replace(/^.*-/u, "")}.1`,
      uv: true,
      builder: "debian",
      origin: "debian",
      lacks: [],
    })),
    missing: [],
    tools: Object.entries(change.tools ?? {}).map(([name, version]) => ({
      name,
      version,
      sha256: "b".repeat(64),
    })),
    kernel: null,
    built: { at: "2026-11-01T00:00:00.000Z", host: "builder", by: "creamery", seconds: 1 },
  };
}
