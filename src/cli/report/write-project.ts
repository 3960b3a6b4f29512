import { badgeEndpoint, badgeSvg } from "../../pages/charts/badge-svg.ts";
import { matrixSvg } from "../../pages/charts/matrix-svg.ts";
import type { ReportedProject } from "../../pages/files/report-page.ts";
import { projectBadge } from "../../pages/project/project-badge.ts";
import { projectPage } from "../../pages/project/project-page.ts";
import {
  BADGED_RELEASES,
  newestRow,
  PICTURED_RELEASES,
  readMatrix,
} from "../../pages/project/read-matrix.ts";
import { readProject, type ProjectView } from "../../pages/project/read-project.ts";
import { readRelease } from "../../pages/release/read-release.ts";
import { releasePage } from "../../pages/release/release-page.ts";
import type { Database } from "../../store/database.ts";
import { visibleProject, type VisibleProject } from "../../store/sql/matrix-queries.ts";
import { writeFeed } from "./write-feed.ts";
import type { PageWriter } from "./page-writer.ts";
import type { PlannedProject } from "./plan-report.ts";

/** The pages and pictures of a project and of its releases; null where nothing of it is to be seen any more. */
export async function writeProject(
  writer: PageWriter,
  database: Database,
  { name, attempts }: PlannedProject,
): Promise<ReportedProject | null> {
  const project = await visibleProject(database, name, writer.plan.within);
  if (project === null) return null;
  await writePictures(writer, database, project);
  await writeFeed(writer, database, name);
  const view = await writeProjectPages(writer, database, project);
  for (const version of [...new Set(attempts.map((one) => one.version))].toSorted()) {
    const read = await readRelease(database, project, version);
    if (read !== null && !("elsewhere" in read))
      await writer.page({ kind: "release", project: name, version }, (context) =>
        releasePage(read, context),
      );
  }
  return {
    name,
    isPrivate: project.visibility === "private",
    version: view.newest?.version ?? null,
    sentence: view.newest?.words.main ?? "",
  };
}

/** As many pages as its releases take. @returns the first. */
async function writeProjectPages(
  writer: PageWriter,
  database: Database,
  project: VisibleProject,
): Promise<ProjectView> {
  const context = writer.contextOf({ kind: "project", project: project.name });
  const first = await readProject(database, project, { before: null, context });
  let view = first;
  for (;;) {
    const { before, next } = view;
    if (next !== null)
      writer.contents.add({ kind: "project", project: project.name, parameters: { before: next } });
    const shown = view;
    await writer.page(
      {
        kind: "project",
        project: project.name,
        ...(before === null ? {} : { parameters: { before } }),
      },
      (own) => projectPage(shown, own),
    );
    if (next === null) return first;
    view = await readProject(database, project, { before: next, context });
  }
}

async function writePictures(
  writer: PageWriter,
  database: Database,
  project: VisibleProject,
): Promise<void> {
  const { name } = project;
  const badged = await readMatrix(database, project, { most: BADGED_RELEASES });
  const badge = projectBadge(newestRow(badged.matrix.rows), null);
  await writer.file({ kind: "badge", project: name }, await badgeSvg(badge));
  const endpoint = `${JSON.stringify(badgeEndpoint(badge))}\n`;
  await writer.file({ kind: "shields", project: name }, endpoint);
  const { matrix } = await readMatrix(database, project, { most: PICTURED_RELEASES });
  await writer.file({ kind: "matrix", project: name }, await matrixSvg(name, matrix));
}
