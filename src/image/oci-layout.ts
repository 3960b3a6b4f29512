import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

import { exitCodeOf, firstWords } from "../base/child.ts";
import { CreameryError } from "../base/errors.ts";
import type { ImageManifest } from "./manifest.ts";
import { IMAGE_TAR_FORM } from "./tar-form.ts";

/** The kernel's names of architectures, and what container tools call them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };
const ENVIRONMENT = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "LANG=C.UTF-8",
];
/** A little larger than by default, in less than half the time. */
const GZIP_LEVEL = 3;
const BLOCK = 512;
const RECORD = 20 * BLOCK;
const LAYOUT_FILES = ["index.json", "manifest.json", "oci-layout"] as const;

export interface LayoutRequest {
  readonly image: ImageManifest;
  readonly rootfs: string;
  /** When its files are from: an image's are all of one time. */
  readonly created: Date;
  /** An empty directory, which gets the files of the archive. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Bytes of the tree packed so far. */
  readonly onPacked?: (bytes: number) => void;
}

/** What a container tool calls the image: a tag has no `+`. */
export function referenceOf(image: ImageManifest): string {
  return `creamery/${image.target}:${image.id.replaceAll("+", "-")}`;
}

/**
 * Lays an image out as container tools read it: an OCI image layout (image-spec 1.0: `oci-layout`, `index.json`, `blobs/`)
 * with docker's own `manifest.json` beside it, which names the same blobs. The same image gives the same bytes.
 * @throws CreameryError `image-bad` when its tree can't be packed; an error of the file system.
 */
export async function layOciImage(request: LayoutRequest): Promise<void> {
  const { image, directory } = request;
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layer = await packLayer(request, join(directory, "layer.part"));
  await rename(join(directory, "layer.part"), join(blobs, layer.sha256));
  const keep = async (mediaType: string, value: object) => {
    const text = JSON.stringify(value);
    const sha256 = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, sha256), text);
    return { mediaType, digest: `sha256:${sha256}`, size: Buffer.byteLength(text) };
  };
  const created = request.created.toISOString();
  const machine = image.target.split("-")[1] ?? "";
  const config = await keep("application/vnd.oci.image.config.v1+json", {
    created,
    architecture: ARCHITECTURES[machine] ?? machine,
    os: "linux",
    config: {
      Env: ENVIRONMENT,
      Cmd: ["/bin/bash"],
      WorkingDir: "/",
      Labels: {
        "org.opencontainers.image.title": image.target,
        "org.opencontainers.image.version": image.id,
        "creamery.tree": `sha256:${image.treeSha256}`,
      },
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer.diffSha256}`] },
    history: [{ created, created_by: "creamery image export" }],
  });
  const manifest = await keep("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: `sha256:${layer.sha256}`,
        size: layer.sizeBytes,
      },
    ],
  });
  const reference = referenceOf(image);
  const annotations = {
    "io.containerd.image.name": reference,
    "org.opencontainers.image.ref.name": reference,
  };
  const files: Record<(typeof LAYOUT_FILES)[number], object> = {
    "oci-layout": { imageLayoutVersion: "1.0.0" },
    "index.json": {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ ...manifest, annotations }],
    },
    "manifest.json": [
      {
        Config: `blobs/sha256/${config.digest.slice("sha256:".length)}`,
        RepoTags: [reference],
        Layers: [`blobs/sha256/${layer.sha256}`],
      },
    ],
  };
  for (const [name, value] of Object.entries(files))
    await writeFile(join(directory, name), JSON.stringify(value));
}

/**
 * Size of the archive that `layoutArchive` makes of a layout, known before it is made: tar's blocks of 512 bytes, two empty
 * ones at the end, in records of 20.
 */
export async function archiveBytes(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  let bytes = 2 * BLOCK;
  for (const name of names) {
    const state = await stat(join(directory, name));
    bytes += BLOCK + (state.isFile() ? Math.ceil(state.size / BLOCK) * BLOCK : 0);
  }
  return Math.ceil(bytes / RECORD) * RECORD;
}

/** A layout as one archive (POSIX ustar), as a stream: there is no second copy on disk. @param created when its files are from. */
export function layoutArchive(directory: string, created: Date, signal: AbortSignal): Readable {
  const form = ["--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"];
  const fixed = [`--mtime=${created.toISOString()}`, "--mode=u=rwX,go=rX"];
  const tar = runTar([...form, ...fixed], directory, ["blobs", ...LAYOUT_FILES], signal);
  // What it says against the disk is told by the size, which is less than `archiveBytes` then.
  tar.stderr.resume();
  return tar.stdout;
}

/** The tree as one compressed layer. `diffSha256` is of what is packed, `sha256` and `sizeBytes` of the layer itself. */
async function packLayer(
  { rootfs, image, signal, onPacked }: LayoutRequest,
  path: string,
): Promise<{ sha256: string; diffSha256: string; sizeBytes: number }> {
  const tar = runTar(IMAGE_TAR_FORM, rootfs, ["."], signal);
  const said = firstWords(tar.stderr);
  const exited = exitCodeOf(tar);
  const packed = hashing(onPacked);
  const compressed = hashing();
  const stages = [packed.stream, createGzip({ level: GZIP_LEVEL }), compressed.stream] as const;
  await pipeline(tar.stdout, ...stages, createWriteStream(path, { flags: "wx" }), { signal });
  const code = await exited;
  signal.throwIfAborted();
  if (code !== 0)
    throw new CreameryError(
      "image-bad",
      `its tree can't be packed: ${said() || `tar ended with ${code ?? "a signal"}`}`,
      {
        input: image.id,
        nextStep: `look at it with \`creamery image verify ${image.id}\``,
      },
    );
  return {
    sha256: compressed.hash.digest("hex"),
    diffSha256: packed.hash.digest("hex"),
    sizeBytes: compressed.bytes(),
  };
}

function runTar(
  form: readonly string[],
  directory: string,
  names: readonly string[],
  signal: AbortSignal,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn("tar", ["--create", ...form, "--directory", directory, ...names], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    signal,
    killSignal: "SIGKILL",
  }).on("error", () => {
    // `close` follows; an abort is told by the signal itself.
  });
}

/** Passes everything on, hashed and counted. */
function hashing(onBytes: (bytes: number) => void = () => undefined) {
  const hash = createHash("sha256");
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes(bytes);
      done(null, chunk);
    },
  });
  return { stream, hash, bytes: () => bytes };
}
