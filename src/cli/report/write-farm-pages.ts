import { aboutPage } from "../../pages/about/about-page.ts";
import { changesPage } from "../../pages/changes/changes-page.ts";
import type { ChangesQuery } from "../../pages/changes/changes-query.ts";
import { readChanges } from "../../pages/changes/read-changes.ts";
import { imagesPage } from "../../pages/images/images-page.ts";
import { readImages, type ShownImage } from "../../pages/images/read-images.ts";
import { releaseLatency } from "../../queue/release-latency.ts";
import type { Database } from "../../store/database.ts";
import { coverage } from "../../store/sql/coverage.ts";
import { errorFigures } from "../../store/sql/error-figures.ts";
import { VERSION } from "../version.ts";
import { writeFeed } from "./write-feed.ts";
import type { PageWriter } from "./page-writer.ts";

const DAY_MS = 86_400_000;
const COVERED_DAYS = 7;
const MOST_MEASURED = 100;
const CHANGES: ChangesQuery = { days: 30, kind: "both", configuration: null, root: null };

/** What is said of the farm as a whole, as it was when its newest attempt in the report began. */
export async function writeFarmPages(
  writer: PageWriter,
  database: Database,
  imagesDir: string,
): Promise<void> {
  const images = await readImages(imagesDir);
  await writer.page({ kind: "images" }, (context) =>
    imagesPage({ images, difference: null }, context),
  );
  const { within, atMs } = writer.plan;
  const changes = await readChanges(database, CHANGES, { within, nowMs: atMs });
  await writeFeed(writer, database, null);
  await writer.page({ kind: "changes" }, (context) => changesPage(changes, CHANGES, context));
  if (writer.plan.isWholeFarm) await writeAbout(writer, database, images);
}

async function writeAbout(
  writer: PageWriter,
  database: Database,
  images: readonly ShownImage[],
): Promise<void> {
  const { within, atMs } = writer.plan;
  const facts = {
    latency: await database.read((db) => releaseLatency(db, atMs - DAY_MS, MOST_MEASURED, within)),
    coverage: await database.read((db) =>
      coverage(db, {
        sinceMs: atMs - COVERED_DAYS * DAY_MS,
        visibility: within.private === "all" ? "all" : "public",
      }),
    ),
    errors: await errorFigures(database, within),
    version: VERSION,
    image: (images.find(({ channels }) => channels.includes("stable")) ?? images[0])?.id ?? null,
  };
  await writer.page({ kind: "about" }, (context) => aboutPage(facts, context));
}
