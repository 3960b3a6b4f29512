import { createHash } from "node:crypto";

import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";

import { CreameryError } from "../base/errors.ts";
import { within } from "../base/within.ts";
import { archivePath, findArchive, type ImageArchive } from "../image/archive/image-archive.ts";
import { listImages, loadImage } from "../image/image-store.ts";
import type { ImageManifest } from "../image/manifest.ts";
import { watchClient } from "../index/serve/exchange.ts";
import { sendFile } from "../index/serve/send-file.ts";
import { imageIdSchema } from "../launcher/protocol.ts";
import type { FarmImage } from "../worker/farm-images.ts";
import { problemResponse } from "./problem.ts";

export interface ImageRoutesDeps {
  readonly imagesDir: string;
  readonly archivesDir: string;
  /** Has the launcher pack it: `pack-image`. */
  readonly pack: (imageId: string, signal: AbortSignal) => Promise<unknown>;
  /** Of the farm's process: what is being packed outlives who asked for it. */
  readonly signal: AbortSignal;
}

/**
 * The farm's images for its workers, below `worker/`: `images` lists them, `images/ID` says what the archive of one is, made if need be, and
 * `images/ID/archive` is that file, by ranges, with its sha256 as its ETag.
 */
export function imageRoutes(deps: ImageRoutesDeps): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.onError((thrown) => problemResponse(thrown));
  const packing = new Packing(deps);

  app.get("/images", async (context) => {
    const manifests = await listImages(deps.imagesDir);
    const images = await Promise.all(
      manifests.map(async (manifest) =>
        told(manifest, await findArchive(deps.archivesDir, manifest.id)),
      ),
    );
    const body = JSON.stringify({ images });
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 32)}"`;
    const headers = { etag, "cache-control": "no-cache" };
    if (context.req.header("if-none-match") === etag) return context.body(null, 304, headers);
    return context.body(body, 200, { ...headers, "content-type": "application/json" });
  });

  app.get("/images/:id", async (context) => {
    const id = imageIdOf(context.req.param("id"));
    const manifest = await loadImage(deps.imagesDir, id);
    return context.json(told(manifest, await packing.archive(id, context.req.raw.signal)));
  });

  app.get("/images/:id/archive", async (context) => {
    const id = imageIdOf(context.req.param("id"));
    const { sha256, sizeBytes } = await packing.archive(id, context.req.raw.signal);
    const { incoming: request, outgoing: response } = context.env;
    // Hono answers a HEAD out of a GET's Response, and here there is none.
    if (request.method !== "GET") return context.text("an archive is for reading", 405);
    const stored = { path: archivePath(deps.archivesDir, sha256), sha256, sizeBytes };
    response.on("error", () => undefined);
    using client = watchClient(request, response);
    const signal = AbortSignal.any([deps.signal, client.signal]);
    try {
      await sendFile(
        { request, response, path: context.req.path, signal },
        {
          kept: async () => stored,
          follow: async () => {
            throw new CreameryError("internal", "is there already", { input: id });
          },
          count: () => undefined,
        },
      );
    } catch (thrown) {
      if (!response.headersSent) throw thrown;
      // Never ended as if it were whole.
      response.destroy();
    }
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}

function told({ id, target, treeSha256 }: ImageManifest, archive: ImageArchive | null): FarmImage {
  return { id, target, treeSha256, archive };
}

function imageIdOf(text: string): string {
  const parsed = imageIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CreameryError("unknown-image", "is no image's id", { input: text.slice(0, 100) });
}

/** Each image is packed once, for all who ask for it while it is. */
class Packing {
  readonly #deps: ImageRoutesDeps;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(deps: ImageRoutesDeps) {
    this.#deps = deps;
  }

  async archive(imageId: string, signal: AbortSignal): Promise<ImageArchive> {
    const { imagesDir, archivesDir } = this.#deps;
    // What was removed must not be packed, nor served by an archive that is on its way out.
    await loadImage(imagesDir, imageId);
    const known = await findArchive(archivesDir, imageId);
    if (known !== null) return known;
    let running = this.#running.get(imageId);
    if (running === undefined) {
      running = this.#deps
        .pack(imageId, this.#deps.signal)
        .finally(() => this.#running.delete(imageId));
      this.#running.set(imageId, running);
    }
    await within(running, { signal });
    const made = await findArchive(archivesDir, imageId);
    if (made !== null) return made;
    throw new CreameryError("image-bad", "was removed while it was packed", { input: imageId });
  }
}
