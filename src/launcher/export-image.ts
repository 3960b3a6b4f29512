import { mkdir, rm, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { diskFullFault } from "../base/errors.ts";
import { loadImage } from "../image/image-store.ts";
import { archiveBytes, layOciImage, layoutArchive, referenceOf } from "../image/oci-layout.ts";
import type { Directories } from "./directories.ts";
import type { LauncherReply } from "./protocol.ts";
import { everyNow } from "./every-now.ts";
import { deadSessions } from "./session.ts";
import { assertWritable, writeAs, type FileRequest } from "./user-files.ts";

export interface ExportRequest extends FileRequest {
  readonly directories: Directories;
  readonly imageId: string;
  readonly onProgress: (event: unknown) => void;
}

/**
 * Writes an image to the path of the person who asked, as an archive that container tools load.
 * @throws CreameryError `unknown-image`, `image-bad`, `output-file`, `disk-full`.
 */
export async function exportImage(request: ExportRequest): Promise<LauncherReply<"export-image">> {
  const { directories, imageId, session, signal } = request;
  const imagesDir = join(directories.cache, "images");
  const image = await loadImage(imagesDir, imageId);
  await assertWritable(request);
  const exportsDir = join(directories.cache, "exports");
  await removeLeftovers(exportsDir);
  const directory = join(exportsDir, session.id);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const rootfs = join(imagesDir, imageId, "rootfs");
    const { mtime: created } = await stat(rootfs);
    const onPacked = everyNow((bytes) =>
      request.onProgress({ packedBytes: bytes, ofBytes: image.sizeBytes }),
    );
    await layOciImage({ image, rootfs, created, directory, signal, onPacked });
    const sizeBytes = await archiveBytes(directory);
    await writeAs(request, sizeBytes, layoutArchive(directory, created, signal));
    return { reference: referenceOf(image), sizeBytes };
  } catch (thrown) {
    signal.throwIfAborted();
    throw diskFullFault(thrown, exportsDir) ?? thrown;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What exports left that were killed. */
async function removeLeftovers(exportsDir: string): Promise<void> {
  if (!existsSync(exportsDir)) return;
  for (const { directory } of deadSessions(exportsDir))
    await rm(directory, { recursive: true, force: true });
}
