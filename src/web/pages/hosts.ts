import type { Hono } from "hono";

import { hostsPage } from "../../pages/hosts/hosts-page.ts";
import { hostRecords } from "../../queue/host-record.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

export function hostRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/hosts", async (context) => {
    const page = context.get("page");
    const { hosts: told } = await deps.status.status(context.req.raw.signal);
    const atWork = told.filter(({ state, isLost }) => state === "active" && !isLost);
    const sum = (values: readonly number[]) => values.reduce((one, other) => one + other, 0);
    const counts = {
      atWork: atWork.length,
      all: told.length,
      slots: sum(atWork.map(({ slots }) => slots)),
      running: sum(atWork.map(({ running }) => running)),
    };
    const hosts = page.viewer.mayOperate ? await shownHosts(deps, told, page.nowMs) : null;
    return sendPage(context, hostsPage({ counts, hosts }, page));
  });
}

async function shownHosts(
  { database, hosts }: PagesDeps,
  told: readonly { readonly name: string; readonly isLost: boolean }[],
  nowMs: number,
) {
  const all = await hosts.all();
  const records = await database.read((db) => hostRecords(db, all, nowMs));
  const lost = new Set(told.flatMap(({ name, isLost }) => (isLost ? [name] : [])));
  return all.map((host) => ({
    ...host,
    isLost: host.state === "active" && lost.has(host.name),
    record: records.get(host.id) ?? null,
  }));
}
