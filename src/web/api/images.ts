import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { readChannels } from "../../image/channels.ts";
import { listImages } from "../../image/image-store.ts";
import { ALWAYS, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { Image } from "./schemas/images.ts";

const list = createRoute({
  method: "get",
  path: "/images",
  operationId: "listImages",
  tags: ["images"],
  summary: "The images that tests run on, newest first",
  middleware: whileItIsSo,
  responses: {
    ...ok(z.object({ images: z.array(Image) }), "Those of the farm's own host"),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
});

export function imageListRoutes(app: OpenAPIHono<ApiEnv>, { imagesDir }: ApiDeps): void {
  app.openapi(list, async (context) => {
    const [manifests, channels] = await Promise.all([
      listImages(imagesDir),
      readChannels(imagesDir),
    ]);
    const images = manifests.map((manifest): Image => {
      const { id, version, target, treeSha256, sizeBytes, interpreters, missing, tools } = manifest;
      return {
        id,
        version,
        target,
        channels: [...channels].flatMap(([channel, image]) => (image === id ? [channel] : [])),
        treeSha256,
        sizeBytes,
        builtAt: manifest.built.at,
        interpreters: interpreters.map((interpreter) => ({
          name: interpreter.name,
          fullVersion: interpreter.fullVersion,
          builder: interpreter.builder,
          lacks: interpreter.lacks,
        })),
        missing,
        tools: tools.map((tool) => ({ name: tool.name, version: tool.version })),
        packages: manifest.packages.length,
      };
    });
    return context.json({ images }, 200);
  });
}
