import { posix } from "node:path";

import { isTreePath } from "../../launcher/tree-frames.ts";
import type { SampleFarm } from "../../web/api/farm.sample.ts";
import { KeptLogs } from "../../pages/log/kept-logs.ts";
import { planReport, type ReportScope } from "./plan-report.ts";
import type { TreeSink } from "./user-tree-writer.ts";
import { writeReport, type ReportOptions } from "./write-report.ts";

/** A report in memory, by the paths of its files. */
export type WrittenFiles = ReadonlyMap<string, Buffer>;

export class MemoryTree implements TreeSink {
  readonly files = new Map<string, Buffer>();

  async add(path: string, content: string | Buffer | AsyncIterable<Buffer>): Promise<void> {
    if (!isTreePath(path)) throw new Error(`no tree has ${path}`);
    if (this.files.has(path)) throw new Error(`${path} is written twice`);
    const chunks: Buffer[] = [];
    if (typeof content === "string" || Buffer.isBuffer(content)) chunks.push(Buffer.from(content));
    else for await (const chunk of content) chunks.push(chunk);
    this.files.set(path, Buffer.concat(chunks));
  }
}

/** The report of a farm for tests. */
export async function writtenReport(
  farm: SampleFarm,
  scope: Partial<ReportScope> = {},
  more: Partial<ReportOptions> = {},
): Promise<WrittenFiles> {
  const { database, bucket } = farm;
  const plan = await planReport(database, { projects: [], isPrivate: false, newest: 3, ...scope });
  const sink = new MemoryTree();
  await using logs = new KeptLogs({ bucket, directory: posix.join(farm.directory, "shown-logs") });
  await writeReport({
    sources: { database, bucket, logs, imagesDir: farm.deps.imagesDir },
    plan,
    sink,
    url: null,
    tell: () => undefined,
    onAttempts: () => undefined,
    signal: new AbortController().signal,
    ...more,
  });
  return sink.files;
}

/**
 * Links that lead to no file of the report, or to no place in one; what asks a farm, and what would run. A line each.
 * @param url where the report lies, as it was told.
 */
export function faultyLinks(files: WrittenFiles, url: string | null = null): string[] {
  const faults: string[] = [];
  const linked = new Set<string>(["index.html"]);
  for (const [path, content] of files) {
    if (!/\.(?:html|xml|svg)$/u.test(path) || path.endsWith("junit.xml")) continue;
    const text = content.toString("utf8");
    for (const [unwanted] of text.matchAll(
      /<(?:form|script|iframe|base)\b| (?:on[a-z]+|style)=|\/api\//gu,
    ))
      faults.push(`${path} has ${unwanted}`);
    for (const [, given = ""] of text.matchAll(/\s(?:href|src|action)="([^"]*)"/gu)) {
      const link = given.replaceAll("&amp;", "&");
      const [whole = "", fragment] = link.split("#");
      const own = url !== null && whole.startsWith(`${url}/`) ? whole.slice(url.length + 1) : null;
      const leads = own ?? (whole === "" ? path : posix.join(posix.dirname(path), whole));
      const target = files.get(leads);
      if (/^[a-z]+:/u.test(whole) && own === null) faults.push(`${path} leads away: ${link}`);
      else if (target === undefined) faults.push(`${path} leads nowhere: ${link}`);
      else if (fragment !== undefined && !target.includes(` id="${fragment}"`))
        faults.push(`${path} leads to no place: ${link}`);
      linked.add(leads);
    }
  }
  for (const path of files.keys())
    if (!linked.has(path) && path.endsWith(".html")) faults.push(`nothing leads to ${path}`);
  return faults;
}
