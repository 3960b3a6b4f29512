import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

import type { ChangeHistory, PageState } from "./change-history.ts";

/**
 * A local index that tells its history as indexes do: XML-RPC changelog, RSS, simple pages with ETag and serials. It can be
 * made to fail, and its edges to be stale.
 */

export interface FeedFault {
  /** For requests whose path contains this. */
  readonly on: string;
  readonly kind: "down" | "status" | "garbage" | "cut" | "rpc-fault";
  readonly status?: number;
  readonly retryAfter?: string;
  readonly body?: string;
  /** So many times only. */
  times?: number;
}

export interface ChangeFeedsOptions {
  readonly history: ChangeHistory;
  /** Which it has besides simple pages. */
  readonly feeds?: readonly ("changelog" | "rss")[];
  readonly etag?: boolean;
  readonly lastModified?: boolean;
  /** `X-PyPI-Last-Serial` and `_last-serial`. */
  readonly serials?: boolean;
  readonly format?: "json" | "html";
  readonly rssItems?: number;
  readonly maxRows?: number;
}

export interface RunningFeeds extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/simple/` */
  readonly url: string;
  /** `METHOD path` of each request, in order. */
  readonly requests: string[];
  readonly faults: FeedFault[];
  /** The serial up to which the edge that answers next knows of a project; everything by default. */
  edge: (project: string) => number;
  /** The same for the journal and the RSS. */
  replica: () => number;
  /** Pages that were sent whole. */
  wholePages: number;
}

export async function startChangeFeeds(options: ChangeFeedsOptions): Promise<RunningFeeds> {
  const running: Omit<RunningFeeds, "url" | typeof Symbol.asyncDispose> = {
    requests: [],
    faults: [],
    edge: () => Infinity,
    replica: () => Infinity,
    wholePages: 0,
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    running.requests.push(`${request.method ?? ""} ${path}`);
    const fault = running.faults.find(({ on, times }) => path.includes(on) && times !== 0);
    if (fault?.times !== undefined) fault.times--;
    // Of a client that goes away within its question.
    answer(request, response, path, fault, options, running).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(running, {
    url: `http://127.0.0.1:${address.port}/simple/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

type State = Omit<RunningFeeds, "url" | typeof Symbol.asyncDispose>;

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  fault: FeedFault | undefined,
  options: ChangeFeedsOptions,
  running: State,
): Promise<void> {
  const asked = request.method === "POST" ? await text(request) : "";
  switch (fault?.kind) {
    case "down":
      return void response.destroy();
    case "status":
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      return void response.writeHead(fault.status ?? 503).end(fault.body ?? "a fault");
    case "garbage":
      return void response
        .writeHead(200, { "content-type": "text/xml" })
        .end(fault.body ?? "<rss><channel></rss>");
    case "cut":
      response.writeHead(200, { "content-type": "text/xml", "content-length": 5000 });
      return void response.write("<?xml version='1.0'?><rss>", () => response.destroy());
    case "rpc-fault":
      return sendXml(
        response,
        `<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32500</int></value></member><member><name>faultString</name><value><string>HTTPTooManyRequests: The action could not be performed because there were too many requests by the client.</string></value></member></struct></value></fault></methodResponse>`,
      );
    case undefined:
  }
  const project = /^\/simple\/([^/]+)\/$/u.exec(path)?.[1];
  if (project !== undefined) return sendPage(request, response, project, options, running);
  if (path === "/pypi" && options.feeds?.includes("changelog") === true)
    return sendChangelog(response, asked, options, running);
  if (path === "/rss/updates.xml" && options.feeds?.includes("rss") === true)
    return sendRss(request, response, options, running);
  response.writeHead(404).end();
}

function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  project: string,
  options: ChangeFeedsOptions,
  running: State,
): void {
  const state = options.history.page(project, running.edge(project));
  if (state.files === null) return void response.writeHead(404).end();
  const body = options.format === "html" ? htmlPage(state) : jsonPage(project, state, options);
  if (options.serials === true) response.setHeader("x-pypi-last-serial", state.serial);
  if (options.etag === true) {
    const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`;
    response.setHeader("etag", etag);
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
  }
  if (options.lastModified === true) {
    const modified = new Date(state.serial * 1000).toUTCString();
    response.setHeader("last-modified", modified);
    if (request.headers["if-modified-since"] === modified)
      return void response.writeHead(304).end();
  }
  running.wholePages++;
  response
    .writeHead(200, {
      "content-type":
        options.format === "html" ? "text/html" : "application/vnd.pypi.simple.v1+json",
    })
    .end(request.method === "HEAD" ? undefined : body);
}

function jsonPage(project: string, state: PageState, options: ChangeFeedsOptions): string {
  const files = state.status === "quarantined" ? [] : (state.files ?? []);
  return JSON.stringify({
    meta: {
      "api-version": "1.4",
      ...(options.serials === true ? { "_last-serial": state.serial } : {}),
    },
    name: project,
    "project-status": { status: state.status },
    versions: [...new Set(files.map(({ version }) => version))],
    files: files.map(({ filename, sha256, uploadTime, yanked }) => ({
      filename,
      url: `../../packages/${filename}`,
      hashes: { sha256 },
      "upload-time": uploadTime,
      yanked: yanked === null ? false : yanked === "" ? true : yanked,
    })),
  });
}

function htmlPage(state: PageState): string {
  const anchors = (state.files ?? []).map(
    ({ filename, sha256, yanked }) =>
      `<a href="../../packages/${filename}#sha256=${sha256}"${yanked === null ? "" : ` data-yanked="${yanked}"`}>${filename}</a>`,
  );
  return `<!DOCTYPE html><html><head><meta name="pypi:project-status" content="${state.status}"></head><body>${state.status === "quarantined" ? "" : anchors.join("<br>\n")}</body></html>`;
}

const MAX_ROWS = 50_000;

function sendChangelog(
  response: ServerResponse,
  asked: string,
  { history, maxRows = MAX_ROWS }: ChangeFeedsOptions,
  running: State,
): void {
  const upTo = running.replica();
  const visible = history.journal.filter(({ hidden, serial }) => !hidden && serial <= upTo);
  if (asked.includes("<methodName>changelog_last_serial</methodName>")) {
    // A hidden row's serial is not known to the database's `max` either.
    const last = visible.at(-1)?.serial ?? Math.min(history.lastSerial, upTo);
    return sendXml(response, rpcResponse(`<int>${last}</int>`));
  }
  const since = Number(/<int>(\d+)<\/int>/u.exec(asked)?.[1] ?? Number.NaN);
  if (!asked.includes("<methodName>changelog_since_serial</methodName>") || Number.isNaN(since))
    return void response.writeHead(400).end();
  const rows = visible
    .filter(({ serial }) => serial > since)
    .slice(0, maxRows)
    .map(({ project, version, timestamp, action, serial }) =>
      [
        string(project),
        version === null ? "<nil/>" : string(version),
        `<int>${timestamp}</int>`,
        string(action),
        `<int>${serial}</int>`,
      ]
        .map((cell) => `<value>${cell}</value>`)
        .join("\n"),
    )
    .map((cells) => `<value><array><data>\n${cells}\n</data></array></value>`);
  sendXml(response, rpcResponse(`<array><data>\n${rows.join("\n")}\n</data></array>`));
}

function sendRss(
  request: IncomingMessage,
  response: ServerResponse,
  { history, rssItems = 40, etag }: ChangeFeedsOptions,
  running: State,
): void {
  const upTo = running.replica();
  const items = history.journal
    .filter(({ action, serial }) => action === "new release" && serial <= upTo)
    .slice(-rssItems)
    .toReversed()
    .map(
      ({ project, version, timestamp }) =>
        `<item><title>${escapeXml(`${project} ${version ?? ""}`)}</title><link>http://index.example/project/${project}/${version ?? ""}/</link><description>a &amp; b</description><pubDate>${new Date(timestamp * 1000).toUTCString()}</pubDate></item>`,
    );
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>recent updates</title>${items.join("\n")}</channel></rss>`;
  if (etag === true) {
    const tag = `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`;
    response.setHeader("etag", tag);
    if (request.headers["if-none-match"] === tag) return void response.writeHead(304).end();
  }
  sendXml(response, body);
}

function rpcResponse(value: string): string {
  return `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;
}

function sendXml(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "text/xml; charset=utf-8" }).end(body);
}

function string(value: string): string {
  return `<string>${escapeXml(value)}</string>`;
}

function escapeXml(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
