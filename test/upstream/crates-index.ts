import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";

/** A local sparse index of crates that speaks the real protocol (RFC 2789): ETag, 404, a template for downloads. */

export interface SampleCrate {
  readonly name: string;
  readonly version: string;
  /** Of its `Cargo.toml`'s `[dependencies]`: crate and requirement, perhaps for a platform alone. */
  readonly needs?: readonly {
    readonly name: string;
    readonly req: string;
    readonly target?: string;
  }[];
  /** Of `src/lib.rs`. */
  readonly source?: string;
  readonly yanked?: boolean;
}

export interface CratesOptions {
  readonly crates: readonly SampleCrate[];
  /** `dl` of its configuration, below the origin: a template, or what `/{crate}/{version}/download` is added to. */
  readonly dl?: string;
  readonly authRequired?: boolean;
}

export interface RunningCrates extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/index/` */
  readonly url: string;
  /** `METHOD path [if-none-match] status` of each, in order. */
  readonly requests: string[];
  /** Every answer has this status, from now on; null for none. */
  fail: number | null;
  readonly packed: ReadonlyMap<string, Buffer>;
  add(crate: SampleCrate): void;
}

const PACK = `
import io, json, sys, tarfile, gzip
spec = json.load(sys.stdin)
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w") as archive:
    for path, text in sorted(spec["files"].items()):
        member = tarfile.TarInfo("%s-%s/%s" % (spec["name"], spec["version"], path))
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
sys.stdout.buffer.write(gzip.compress(out.getvalue(), mtime=0))
`;

/** A `.crate` as cargo packs one. */
export function packCrate({ name, version, needs = [], source = "" }: SampleCrate): Buffer {
  const manifest = [
    `[package]\nname = "${name}"\nversion = "${version}"\nedition = "2018"\n\n[lib]\npath = "src/lib.rs"\n`,
    ...needs.map((need) => {
      const table =
        need.target === undefined ? "dependencies" : `target.'${need.target}'.dependencies`;
      return `[${table}.${need.name}]\nversion = "${need.req}"\n`;
    }),
  ].join("\n");
  return execFileSync("python3", ["-I", "-c", PACK], {
    input: JSON.stringify({
      name,
      version,
      files: { "Cargo.toml": manifest, "src/lib.rs": source },
    }),
  });
}

export const checksumOf = (content: Buffer): string =>
  createHash("sha256").update(content).digest("hex");

/** One line of the index. */
export function lineOf(crate: SampleCrate, content: Buffer): string {
  return JSON.stringify({
    name: crate.name,
    vers: crate.version,
    deps: (crate.needs ?? []).map(({ name, req, target }) => ({
      name,
      req,
      features: [],
      optional: false,
      default_features: true,
      target: target ?? null,
      kind: "normal",
    })),
    cksum: checksumOf(content),
    features: {},
    yanked: crate.yanked ?? false,
  });
}

export async function startCrates(options: CratesOptions): Promise<RunningCrates> {
  const packed = new Map<string, Buffer>();
  const lines = new Map<string, string[]>();
  const add = (crate: SampleCrate): void => {
    const content = packCrate(crate);
    packed.set(`${crate.name}/${crate.version}`, content);
    const key = crate.name.toLowerCase();
    lines.set(key, [...(lines.get(key) ?? []), lineOf(crate, content)]);
  };
  for (const crate of options.crates) add(crate);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    response.on("finish", () => {
      const tag = request.headers["if-none-match"];
      requests.push(
        `${request.method ?? ""} ${request.url ?? ""}${tag === undefined ? "" : " if-none-match"} ${response.statusCode}`,
      );
    });
    if (running.fail !== null) return void response.writeHead(running.fail).end();
    answer(request, response);
  });
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodeURI(request.url ?? "/");
    const [, area, ...rest] = path.split("/");
    if (area === "dl") {
      const content = packed.get(rest.slice(0, 2).join("/"));
      return void (content === undefined
        ? response.writeHead(404).end()
        : response.writeHead(200, { "content-length": content.length }).end(content));
    }
    const body =
      path === "/index/config.json"
        ? JSON.stringify({
            dl: `http://${request.headers.host ?? ""}${options.dl ?? "/dl"}`,
            ...(options.authRequired === true ? { "auth-required": true } : {}),
          })
        : indexFile(rest, lines);
    if (body === null) return void response.writeHead(404).end();
    const etag = `"${checksumOf(Buffer.from(body)).slice(0, 16)}"`;
    response.setHeader("etag", etag);
    response.setHeader("cache-control", "max-age=60");
    if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
    else response.writeHead(200, { "content-type": "text/plain" }).end(body);
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const running: RunningCrates = {
    url: `http://127.0.0.1:${address.port}/index/`,
    requests,
    fail: null,
    packed,
    add,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return running;
}

/** Where the protocol says that a crate is: nowhere else is one. */
function indexFile(
  parts: readonly string[],
  lines: ReadonlyMap<string, readonly string[]>,
): string | null {
  const name = parts.at(-1) ?? "";
  const place =
    name.length < 3
      ? [String(name.length)]
      : name.length === 3
        ? ["3", name.slice(0, 1)]
        : [name.slice(0, 2), name.slice(2, 4)];
  if (place.join("/") !== parts.slice(0, -1).join("/")) return null;
  const found = lines.get(name);
  return found === undefined ? null : `${found.join("\n")}\n`;
}
