import { createHash } from "node:crypto";

import type { OpenAPIHono } from "@hono/zod-openapi";

import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { documentPage, PAGE_STYLE } from "./document-page.ts";

const DESCRIPTION = `What the farm tested, tests, and is to test. Everything that the command line and the pages show comes from here.
Who shows no token sees what is public. Errors are problem+json (RFC 9457); lists are read page by page, with \`cursor\`.`;

const TAGS = [
  ["projects", "Projects, their releases, and how these stand"],
  [
    "attempts",
    "Results, and all that is kept of them. A result is an attempt's: they are one noun here",
  ],
  ["queue", "What is to be tested, and is being tested"],
  ["live", "Server-sent events"],
  ["images", "What tests run on"],
  ["results", "All results at once"],
  ["operators", "For those who run the farm"],
] as const;

/** `openapi.json` describes all other routes; `docs` shows it to a person. */
export function documentRoutes(app: OpenAPIHono<ApiEnv>, { version }: ApiDeps): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "A token of docs/principals.md",
  });
  let made: { readonly json: string; readonly page: string } | undefined;
  const documents = () => {
    if (made !== undefined) return made;
    const document = app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "Creamery", version, description: DESCRIPTION },
      servers: [{ url: "/api/v1" }],
      tags: TAGS.map(([name, description]) => ({ name, description })),
      // Nothing is needed for what is public.
      security: [{}, { token: [] }],
    });
    const json = JSON.stringify(document);
    made = { json, page: documentPage(JSON.parse(json)) };
    return made;
  };

  app.get("/openapi.json", whileItIsSo, (context) =>
    context.body(documents().json, 200, { "content-type": "application/json" }),
  );

  const styleHash = createHash("sha256").update(PAGE_STYLE).digest("base64");
  app.get("/docs", whileItIsSo, (context) =>
    context.body(documents().page, 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      "referrer-policy": "no-referrer",
    }),
  );
}
