import type { Hono } from "hono";

import { hostsPage } from "../../pages/hosts/hosts-page.ts";
import { hostRecords } from "../../queue/host-record.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

export function hostRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/hosts", async (context) => {
    const page = context.get("page");
    const hosts = await hostsNow(deps, context.req.raw.signal);
    const atWork = hosts.filter(({ state, isLost }) => state === "active" && !isLost);
    const sum = (values: readonly number[]) => values.reduce((one, other) => one + other, 0);
    const counts = {
      atWork: atWork.length,
      all: hosts.length,
      slots: sum(atWork.map(({ slots }) => slots)),
      running: sum(atWork.map(({ facts }) => facts.running)),
    };
    const shown = page.viewer.mayOperate ? await withRecords(deps, hosts, page.nowMs) : null;
    return sendPage(context, hostsPage({ counts, hosts: shown }, page));
  });
}

/** As the store has them: what an operator has just done counts at once; who is lost is looked for now and then. */
async function hostsNow({ hosts, status }: PagesDeps, signal: AbortSignal) {
  const [all, { hosts: told }] = await Promise.all([hosts.all(), status.status(signal)]);
  const lost = new Set(told.flatMap(({ name, isLost }) => (isLost ? [name] : [])));
  return all.map((host) => ({ ...host, isLost: host.state === "active" && lost.has(host.name) }));
}

async function withRecords<One extends { readonly id: number; readonly name: string }>(
  { database }: PagesDeps,
  hosts: readonly One[],
  nowMs: number,
) {
  const records = await database.read((db) => hostRecords(db, hosts, nowMs));
  return hosts.map((host) => ({ ...host, record: records.get(host.id) ?? null }));
}
