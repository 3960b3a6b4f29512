import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { hasRelease, projectsPage, releasesPage } from "../../store/sql/project-queries.ts";
import { newestPerConfiguration } from "../../store/sql/result-queries.ts";
import { compareConfigurations } from "../../model/configuration-name.ts";
import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { NEXT, PAGE, pageOf, readCursor, readNumberCursor } from "./cursors.ts";
import { Project, Release, Result } from "./schemas/results.ts";
import { resultOf } from "./result-view.ts";
import { readableProject, sightOf } from "./sight.ts";

const name = z
  .string()
  .min(1)
  .max(200)
  .openapi({ description: "A project's name, in any spelling" });
const results = z
  .array(Result)
  .describe("The newest of each configuration, in the order of configurations");

const list = createRoute({
  method: "get",
  path: "/projects",
  operationId: "listProjects",
  tags: ["projects"],
  summary: "Projects, by their names",
  middleware: whileItIsSo,
  request: {
    query: z.strictObject({
      prefix: z
        .string()
        .max(100)
        .regex(/^[A-Za-z0-9._-]*$/u)
        .default("")
        .openapi({ description: "Of the name" }),
      ...PAGE,
    }),
  },
  responses: {
    ...ok(z.object({ projects: z.array(Project), next: NEXT }), "A page of projects"),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
});

const one = createRoute({
  method: "get",
  path: "/projects/{name}",
  operationId: "getProject",
  tags: ["projects"],
  summary: "A project, and its newest result on each configuration",
  middleware: whileItIsSo,
  request: { params: z.object({ name }) },
  responses: {
    ...ok(
      z.object({ name: z.string(), visibility: Project.shape.visibility, results }),
      "The project",
    ),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

const releases = createRoute({
  method: "get",
  path: "/projects/{name}/releases",
  operationId: "listReleases",
  tags: ["projects"],
  summary: "Releases of a project, the one that was heard of last first",
  middleware: whileItIsSo,
  request: { params: z.object({ name }), query: z.strictObject(PAGE) },
  responses: {
    ...ok(z.object({ releases: z.array(Release), next: NEXT }), "A page of releases"),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

const release = createRoute({
  method: "get",
  path: "/releases/{project}/{version}",
  operationId: "getRelease",
  tags: ["projects"],
  summary: "A release, and its newest result on each configuration",
  middleware: whileItIsSo,
  request: {
    params: z.object({
      project: name,
      version: z
        .string()
        .min(1)
        .max(200)
        .openapi({ description: "As the farm writes it; of a push its commit" }),
    }),
  },
  responses: {
    ...ok(z.object({ project: z.string(), version: z.string(), results }), "The release"),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

export function projectRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { database } = deps;

  app.openapi(list, async (context) => {
    const { prefix, limit, cursor } = context.req.valid("query");
    const after = readCursor("projects", cursor);
    const found = await projectsPage(database, {
      within: sightOf(context, deps),
      // As names are normalised, so that any spelling finds them.
      prefix: prefix.toLowerCase().replaceAll(/[-_.]+/gu, "-"),
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { items, next } = pageOf("projects", found, limit, (project) => project.name);
    return context.json({ projects: [...items], next }, 200);
  });

  app.openapi(one, async (context) => {
    const project = await readableProject(context, deps, context.req.valid("param").name);
    const newest = await newestPerConfiguration(database, project.name);
    return context.json({ ...project, results: matrix(newest) }, 200);
  });

  app.openapi(releases, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const before = readNumberCursor("releases", cursor);
    const project = await readableProject(context, deps, context.req.valid("param").name);
    const found = await releasesPage(database, project.name, limit + 1, before);
    const { items, next } = pageOf("releases", found, limit, ({ id }) => String(id));
    const told = items.map(({ version, attempts, lastStartedAt }) => ({
      version,
      attempts,
      lastStartedAt,
    }));
    return context.json({ releases: told, next }, 200);
  });

  app.openapi(release, async (context) => {
    const { project: given, version } = context.req.valid("param");
    const project = await readableProject(context, deps, given);
    if (version.includes("\0") || !(await hasRelease(database, project.name, version)))
      throw new CreameryError("unknown-version", "the farm knows no such release", {
        input: clip(printableLine(`${project.name} ${version}`), 200),
        nextStep: `look at /api/v1/projects/${project.name}/releases, or have it tested`,
      });
    const newest = await newestPerConfiguration(database, project.name, version);
    return context.json({ project: project.name, version, results: matrix(newest) }, 200);
  });
}

function matrix(newest: readonly StoredAttempt[]): Result[] {
  return newest
    .map(resultOf)
    .toSorted((left, right) => compareConfigurations(left.configuration, right.configuration));
}
