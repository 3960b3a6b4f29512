import type { ImageLock } from "./image-lock.ts";

/** What a small image was made of, for tests. */
export function sampleLock(change: Partial<ImageLock> = {}): ImageLock {
  const file = (digit: string) => ({ sha256: digit.repeat(64), sizeBytes: 1 });
  return {
    schema: 1,
    id: "2026.11.2+aaaaaaaa",
    target: "linux-x86_64",
    architecture: "amd64",
    treeSha256: "a".repeat(64),
    by: "creamery",
    definition: { sha256: "b".repeat(64), files: [{ name: "image.toml", ...file("1") }] },
    packages: [
      { name: "libc6", version: "2.41-12", architecture: "amd64", ...file("2"), use: "install" },
      {
        name: "tzdata",
        version: "2026b-0+deb13u1",
        architecture: "all",
        ...file("3"),
        use: "install",
      },
      {
        name: "python3-lib2to3",
        version: "3.9.2-1",
        architecture: "all",
        ...file("4"),
        use: "unpack",
      },
      {
        name: "python3-lib2to3",
        version: "3.11.2-3",
        architecture: "all",
        ...file("5"),
        use: "unpack",
      },
    ],
    tools: [{ name: "uv", version: "0.13.9", ...file("6") }],
    archives: [{ interpreter: "cpython-3.12", ...file("7") }],
    missing: [],
    ...change,
  };
}
