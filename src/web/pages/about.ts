import type { Hono } from "hono";

import { aboutPage } from "../../pages/about/about-page.ts";
import { readImages } from "../../pages/images/read-images.ts";
import { coverage, type Coverage } from "../../store/sql/coverage.ts";
import { errorFigures, type ErrorFigures } from "../../store/sql/error-figures.ts";
import { KeptReading } from "../kept-reading.ts";
import type { FarmReadings } from "./farm-readings.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

const DAY_MS = 86_400_000;
const COVERED_DAYS = 7;

export function aboutRoutes(app: Hono<PagesEnv>, deps: PagesDeps, readings: FarmReadings): void {
  const { database, imagesDir, version, elapsedMs } = deps;
  const covered = new KeptReading<Coverage>(0, elapsedMs);
  const errors = new KeptReading<ErrorFigures>(0, elapsedMs);
  const image = new KeptReading<string | null>(0, elapsedMs);

  app.get("/about", async (context) => {
    const page = context.get("page");
    const { within, nowMs } = page;
    const key = JSON.stringify(within);
    // As over the API: of public projects, unless all private ones are theirs to see too.
    const visibility = within.private === "all" ? "all" : "public";
    const sinceMs = nowMs - COVERED_DAYS * DAY_MS;
    const facts = {
      latency: await readings.latency(context),
      coverage: await covered.of(visibility, () =>
        database.read((db) => coverage(db, { sinceMs, visibility })),
      ),
      errors: await errors.of(key, () => errorFigures(database, within)),
      version,
      image: await image.of("", async () => {
        const images = await readImages(imagesDir);
        const stable = images.find(({ channels }) => channels.includes("stable"));
        return (stable ?? images[0])?.id ?? null;
      }),
    };
    return sendPage(context, aboutPage(facts, page));
  });
}
