import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { utimes } from "node:fs/promises";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import S3rver from "s3rver";

/** What happens to one request instead of what it asks for. */
export type S3Trouble =
  /** Nothing of it comes through, or its answer is lost. */
  | { readonly kind: "cut-before" | "cut-after" }
  /** The answer ends in its middle. */
  | { readonly kind: "cut-answer"; readonly afterBytes: number }
  | { readonly kind: "status"; readonly status: number; readonly code: string }
  /** Status 200 and a fault all the same, as of a copy or a completion. */
  | { readonly kind: "fault-in-ok"; readonly code: string }
  /** Status 200 and this. */
  | { readonly kind: "text"; readonly text: string }
  /** One bit of the answer is another. */
  | { readonly kind: "flipped" }
  | { readonly kind: "late"; readonly ms: number };

export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly bodyBytes: number;
}

export interface S3ServerOptions {
  /** For what it keeps. */
  readonly directory: string;
  /** Whether it knows `If-None-Match`; not all do. */
  readonly conditional?: boolean;
  /** Keys on a page of a listing. */
  readonly pageKeys?: number;
}

export const S3_KEY_ID = "AKIDEXAMPLE";
/** Known to s3rver as the one account that it has; here signatures are held against it. */
export const S3_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
export const S3_BUCKET = "farm";
const REGION = "eu-example-1";

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly region: string;
  readonly seen: readonly SeenRequest[];
  /** Ids of uploads that were begun and neither completed nor aborted. */
  readonly openUploads: readonly string[];
  /** Is asked of each request, which is numbered from 0. */
  trouble: (request: SeenRequest, index: number) => S3Trouble | null;
  /** How old an object is from now on. */
  setAge(key: string, madeMs: number): Promise<void>;
  /** Makes open uploads as old as this. */
  setUploadAge(begunMs: number): void;
}

/**
 * s3rver behind what it lacks of S3: signatures and payload hashes that are checked, conditional writes, pages of a listing,
 * uploads that can be listed and aborted, a copy onto itself that renews, requests that count whole or not at all. And the
 * faults that networks and servers have.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const { directory, conditional = true, pageKeys = 1000 } = options;
  const inner = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: S3_BUCKET }],
  });
  const { port: innerPort } = await inner.run();
  const seen: SeenRequest[] = [];
  const uploads = new Map<string, { key: string; begunMs: number }>();
  /** One write at a time: a condition and what it is of are one. */
  let turn: Promise<unknown> = Promise.resolve();

  const pathOf = (key: string) => join(directory, S3_BUCKET, `${key}._S3rver_object`);
  const server: S3Server = {
    endpoint: "",
    region: REGION,
    seen,
    get openUploads() {
      return [...uploads.keys()];
    },
    trouble: () => null,
    setAge: async (key, madeMs) => {
      await utimes(pathOf(key), new Date(madeMs), new Date(madeMs));
    },
    setUploadAge: (begunMs) => {
      for (const upload of uploads.values()) upload.begunMs = begunMs;
    },
    [Symbol.asyncDispose]: async () => {
      outer.closeAllConnections();
      outer.close();
      await inner.close();
    },
  };

  const exists = async (key: string): Promise<boolean> =>
    (await forward(innerPort, "HEAD", `/${S3_BUCKET}/${key}`, {}, Buffer.alloc(0))).status === 200;

  const answerTo = async (request: IncomingMessage, body: Buffer): Promise<Reply> => {
    const { method = "GET", headers } = request;
    const url = new URL(request.url ?? "/", "http://inner");
    const refused = refusal(request, url, body);
    if (refused !== null) return fault(403, refused);
    const key = /^\/[^/]+\/?(.*)$/u.exec(url.pathname)?.[1] ?? "";
    const uploadId = url.searchParams.get("uploadId");
    if (key === "" && url.searchParams.has("uploads")) return uploadList(uploads, url);
    if (key === "" && url.searchParams.get("list-type") === "2")
      return await listing(innerPort, url, pageKeys);
    if (uploadId !== null && !uploads.has(uploadId)) return fault(404, "NoSuchUpload");
    if (uploadId !== null && method === "DELETE") {
      uploads.delete(uploadId);
      return { status: 204, headers: {}, body: Buffer.alloc(0) };
    }
    const makes =
      (method === "PUT" && uploadId === null) || (method === "POST" && uploadId !== null);
    const isCopy = headers["x-amz-copy-source"] !== undefined;
    if (makes && conditional && headers["if-none-match"] === "*" && (await exists(key)))
      return fault(412, "PreconditionFailed");
    const reply = await forward(innerPort, method, request.url ?? "/", headers, body);
    if (method === "POST" && url.searchParams.has("uploads")) {
      const [, id = ""] = /<UploadId>(.*)<\/UploadId>/u.exec(reply.body.toString()) ?? [];
      uploads.set(id, { key, begunMs: Date.now() });
    }
    if (makes && reply.status === 200 && uploadId !== null) uploads.delete(uploadId);
    if (isCopy && reply.status === 200) await utimes(pathOf(key), new Date(), new Date());
    return reply;
  };

  const outer = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    request.on("error", () => undefined);
    const body = await buffer(request);
    const { method = "GET", url = "/", headers } = request;
    const one = { method, url, headers, bodyBytes: body.length };
    const trouble = server.trouble(one, seen.push(one) - 1);
    switch (trouble?.kind) {
      case "cut-before":
        response.destroy();
        return;
      case "status":
        send(response, method, fault(trouble.status, trouble.code));
        return;
      case "fault-in-ok":
        send(response, method, { ...fault(200, trouble.code), status: 200 });
        return;
      case "text":
        send(response, method, { status: 200, headers: {}, body: Buffer.from(trouble.text) });
        return;
      case "late":
        await new Promise((resolve) => setTimeout(resolve, trouble.ms));
        break;
      case "cut-after":
      case "cut-answer":
      case "flipped":
      case undefined:
    }
    const done = turn.then(() => answerTo(request, body));
    turn = done.catch(() => undefined);
    const reply = await done;
    if (trouble?.kind === "cut-after") response.destroy();
    else if (trouble?.kind === "cut-answer") {
      response.writeHead(reply.status, reply.headers);
      response.write(reply.body.subarray(0, trouble.afterBytes), () => response.destroy());
    } else {
      if (trouble?.kind === "flipped" && reply.body.length > 0)
        reply.body.writeUInt8(
          reply.body.readUInt8(reply.body.length >> 1) ^ 1,
          reply.body.length >> 1,
        );
      send(response, method, reply);
    }
  };
  outer.listen(0, "127.0.0.1");
  await once(outer, "listening");
  const address = outer.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(server, { endpoint: `http://127.0.0.1:${address.port}` });
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function send(response: ServerResponse, method: string, { status, headers, body }: Reply): void {
  response.writeHead(status, {
    ...headers,
    ...(method === "HEAD" || status === 204 ? {} : { "content-length": body.length }),
  });
  response.end(method === "HEAD" ? undefined : body);
}

function fault(status: number, code: string): Reply {
  return xml(status, `<Error><Code>${code}</Code><Message>as asked for</Message></Error>`);
}

function xml(status: number, text: string): Reply {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`),
  };
}

/** As it came, but for the signature, which is checked here: s3rver knows another account. */
async function forward(
  port: number,
  method: string,
  path: string,
  given: IncomingHttpHeaders,
  body: Buffer,
): Promise<Reply> {
  const headers = without(given, ["authorization", "connection", "host"]);
  const outgoing = httpRequest({ port, host: "127.0.0.1", method, path, headers, agent: false });
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on("response", resolve).on("error", reject).end(body);
  });
  return {
    status: incoming.statusCode ?? 0,
    headers: without(incoming.headers, ["transfer-encoding", "connection"]),
    body: await buffer(incoming),
  };
}

function without(headers: IncomingHttpHeaders, names: readonly string[]): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/** s3rver's own tokens need a cipher that Node has no more: a page is one of version 1, with a token of ours. */
async function listing(port: number, url: URL, pageKeys: number): Promise<Reply> {
  const query = new URLSearchParams({ "max-keys": String(pageKeys) });
  const prefix = url.searchParams.get("prefix");
  if (prefix !== null) query.set("prefix", prefix);
  const token = url.searchParams.get("continuation-token");
  if (token !== null) query.set("marker", Buffer.from(token, "base64").toString());
  const reply = await forward(
    port,
    "GET",
    `${url.pathname}?${query.toString()}`,
    {},
    Buffer.alloc(0),
  );
  const text = reply.body.toString();
  const last = [...text.matchAll(/<Key>([^<]*)<\/Key>/gu)].at(-1)?.[1];
  const next =
    text.includes("<IsTruncated>true</IsTruncated>") && last !== undefined
      ? `<NextContinuationToken>${Buffer.from(last).toString("base64")}</NextContinuationToken>`
      : "";
  return { ...reply, body: Buffer.from(text.replace("</ListBucketResult>", `${next}$&`)) };
}

/** One on a page. */
function uploadList(
  uploads: ReadonlyMap<string, { key: string; begunMs: number }>,
  url: URL,
): Reply {
  const prefix = url.searchParams.get("prefix") ?? "";
  const after = url.searchParams.get("upload-id-marker") ?? "";
  const rows = [...uploads].filter(([id, { key }]) => id > after && key.startsWith(prefix));
  const [first, ...more] = rows.toSorted(([left], [right]) => (left < right ? -1 : 1));
  const row =
    first === undefined
      ? ""
      : `<Upload><Key>${first[1].key}</Key><UploadId>${first[0]}</UploadId><Initiated>${new Date(first[1].begunMs).toISOString()}</Initiated></Upload>` +
        `<NextKeyMarker>${first[1].key}</NextKeyMarker><NextUploadIdMarker>${first[0]}</NextUploadIdMarker>`;
  return xml(
    200,
    `<ListMultipartUploadsResult>${row}<IsTruncated>${more.length > 0}</IsTruncated></ListMultipartUploadsResult>`,
  );
}

/** Why a request is not one of the account's; null for one that is. Signature Version 4, by its specification. */
function refusal(request: IncomingMessage, url: URL, body: Buffer): string | null {
  const { headers, method = "GET" } = request;
  const said =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/u.exec(
      headers.authorization ?? "",
    );
  if (said === null) return "AccessDenied";
  const [, credential = "", signedHeaders = "", signature = ""] = said;
  const [keyId = "", ...scope] = credential.split("/");
  const [date = "", region = "", service = "", terminal = ""] = scope;
  if (keyId !== S3_KEY_ID) return "InvalidAccessKeyId";
  const payload = String(headers["x-amz-content-sha256"]);
  if (payload !== createHash("sha256").update(body).digest("hex"))
    return "XAmzContentSHA256Mismatch";
  for (const name of Object.keys(headers))
    if (name.startsWith("x-amz-") && !signedHeaders.split(";").includes(name))
      return "AccessDenied";
  const encoded = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/gu,
      (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const query = [...url.searchParams]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join("&");
  const lines = signedHeaders.split(";").map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [method, url.pathname, query, lines.join(""), signedHeaders, payload].join(
    "\n",
  );
  const toSign = [
    "AWS4-HMAC-SHA256",
    String(headers["x-amz-date"]),
    scope.join("/"),
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  const mac = (key: string | Buffer, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const key = [date, region, service, terminal].reduce<string | Buffer>(mac, `AWS4${S3_SECRET}`);
  if (region !== REGION || mac(key, toSign).toString("hex") !== signature)
    return "SignatureDoesNotMatch";
  return null;
}
