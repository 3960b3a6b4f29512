import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { placeOf } from "../src/index/files/file-store.ts";
import { directoriesFrom } from "../src/launcher/directories.ts";
import { bar, median, percentile, printBars, type Bar } from "./bars.ts";
import { contentOf, TO_INSTALL, uploadedMs, type Content } from "./mirror/content.ts";
import { HttpLoad } from "./mirror/http-load.ts";
import { installSeconds } from "./mirror/install.ts";
import { HANDED, startMirror, type OurMirror } from "./mirror/our-mirror.ts";
import { PythonPeers } from "./mirror/python-peers.ts";
import { staticIndex } from "./mirror/static-index.ts";
import type { IndexAt } from "./mirror/index-at.ts";
import { findNginx, nginxBefore, startNginx } from "../test/upstream/nginx.ts";
import { startUpstream } from "../test/upstream/upstream.ts";

/**
 * The mirror alone (`creamery index serve`) beside what people use instead: nginx with files, proxpi and devpi in front of the same
 * upstream, all warm, by turns, over loopback, the client a process apart.
 */
const FILE_ROUNDS = 41;
const FILE_REQUESTS = 4;
const PAGE_ROUNDS = 3;
const PAGE_REQUESTS = { mirror: 2000, proxpi: 100, devpi: 100 };
const CONNECTIONS = 8;
const INSTANTS = 200;
const INSTALL_ROUNDS = 9;
const MANY = 64;

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
/** As installers ask. */
const PAGE_HEADERS = { accept: JSON_TYPE, "accept-encoding": "gzip" };

const root = mkdtempSync(join(tmpdir(), "creamery-bench-"));
const bars: Bar[] = [];
const say = (line: string) => process.stderr.write(`${line}\n`);
try {
  await bench();
} finally {
  rmSync(root, { recursive: true, force: true });
}
printBars(bars, process.argv);

async function bench(): Promise<void> {
  const program = findNginx(root);
  if (program === null) {
    say("nginx is neither here nor to be had: apt-get update, then once more");
    process.exitCode = 3;
    return;
  }
  const { cache } = directoriesFrom(process.env);
  say("what is compared with, and ten wheels to install");
  const peers = PythonPeers.bring(cache);
  const content = contentOf(cache);
  await using upstream = await startUpstream({ files: [...content.files] });
  const www = join(root, "www");
  mkdirSync(www);
  staticIndex(www, content.files);
  await using plain = await startNginx(program, www, {
    locations: `location / { root ${www}; index index.html; }`,
  });
  const nginx = ofNginx("nginx", plain.origin);
  await using mirror = await startMirror(root, upstream.url, false);
  await using handing = await startMirror(root, upstream.url, true);
  const before = join(root, "before");
  mkdirSync(before);
  await using front = await startNginx(
    program,
    before,
    nginxBefore(handing.origin, HANDED, handing.files),
  );
  const handed = ofNginx("nginx before the mirror", front.origin);
  await using proxpi = await peers.proxpi(root, upstream.url);
  await using devpi = await peers.devpi(root, upstream.url);
  using client = new HttpLoad();

  const lone = join(www, "files", content.big.filename);
  const kept = join(handing.files, placeOf(content.big.sha256));
  await benchFiles(client, content, { mirror, nginx, proxpi, handed }, () => {
    // The very same file: how two that are alike lie in memory makes some per cent.
    rmSync(lone);
    linkSync(kept, lone);
  });
  await benchPages(client, { mirror, proxpi, devpi });
  await benchInstants(client, mirror);
  await benchMemory(client, content, mirror);
  await benchInstalls(peers.uv, { mirror, nginx, proxpi, devpi });
}

function ofNginx(name: string, origin: string): IndexAt {
  return { name, origin, indexPath: "/simple/" };
}

async function benchFiles(
  client: HttpLoad,
  { big }: Content,
  servers: Record<"mirror" | "nginx" | "proxpi" | "handed", IndexAt>,
  onWarm: () => void,
): Promise<void> {
  say("a file of 30 MB");
  const places = {
    mirror: ours(big),
    handed: ours(big),
    nginx: `/files/${big.filename}`,
    proxpi: `/index/big/${big.filename}`,
  };
  const speeds: Record<keyof typeof servers, number[]> = {
    mirror: [],
    nginx: [],
    proxpi: [],
    handed: [],
  };
  const names = ["mirror", "nginx", "proxpi", "handed"] as const;
  for (const name of names) {
    const { origin, indexPath } = servers[name];
    const one = { origin, headers: PAGE_HEADERS, connections: 1, requests: 1 };
    // Known by its page first, as an installer does; the first of each makes it warm.
    await client.ask({ ...one, paths: [`${indexPath}big/`] });
    await client.ask({ ...one, paths: [places[name]], headers: {} });
  }
  onWarm();
  for (let round = 0; round < FILE_ROUNDS; round++)
    // To and fro: who comes after whom is no advantage.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const { origin } = servers[name];
      const paths = [places[name]];
      const asked = { origin, paths, headers: {}, connections: 1, requests: FILE_REQUESTS };
      const { bytes, seconds } = await client.ask(asked);
      if (bytes !== big.sizeBytes * FILE_REQUESTS)
        throw new Error(`${bytes} bytes of ${big.filename}: ${name}`);
      speeds[name].push(bytes / 1e6 / seconds);
    }
  const of = (name: keyof typeof speeds): number => median(speeds[name]);
  // Of one round each: a host that is slow for a second is slow for both.
  const over = (name: keyof typeof speeds, other: keyof typeof speeds): number =>
    median(speeds[name].map((speed, round) => speed / (speeds[other][round] ?? Number.NaN)));
  for (const name of names)
    bars.push(bar(`file of 30 MB: ${servers[name].name}`, of(name), "MB/s"));
  bars.push(
    bar("file of 30 MB: mirror / nginx", over("mirror", "nginx"), "", { op: ">=", than: 0.4 }),
    bar("file of 30 MB: mirror / proxpi", over("mirror", "proxpi"), "", { op: ">=", than: 0.8 }),
    bar("file of 30 MB: handed to nginx / nginx", over("handed", "nginx"), "", {
      op: ">=",
      than: 0.9,
    }),
  );
}

function ours({ sha256, filename }: Content["big"]): string {
  return `/files/big/${sha256}/${filename}`;
}

async function benchPages(
  client: HttpLoad,
  servers: Record<keyof typeof PAGE_REQUESTS, IndexAt>,
): Promise<void> {
  say("a page of 1,110 files");
  const names = ["mirror", "proxpi", "devpi"] as const;
  const rates: Record<keyof typeof servers, number[]> = { mirror: [], proxpi: [], devpi: [] };
  const sizes: Record<keyof typeof servers, number> = { mirror: 0, proxpi: 0, devpi: 0 };
  for (let round = 0; round <= PAGE_ROUNDS; round++)
    for (const name of names) {
      const { origin, indexPath } = servers[name];
      const requests = round === 0 ? CONNECTIONS : PAGE_REQUESTS[name];
      const paths = [`${indexPath}many/`];
      const asked = { origin, paths, headers: PAGE_HEADERS, connections: CONNECTIONS, requests };
      const { seconds, bytes } = await client.ask(asked);
      sizes[name] = bytes / requests;
      if (round > 0) rates[name].push(requests / seconds);
    }
  const of = (name: keyof typeof rates): number => median(rates[name]);
  for (const name of names) {
    const what = `page of 1,110 files as JSON: ${servers[name].name}, ${Math.round(sizes[name] / 1000)} kB`;
    bars.push(bar(what, of(name), "/s"));
  }
  bars.push(
    bar("page of 1,110 files: mirror / devpi", of("mirror") / of("devpi"), "times", {
      op: ">",
      than: 10,
    }),
    bar("page of 1,110 files: mirror / proxpi", of("mirror") / of("proxpi"), "times", {
      op: ">",
      than: 5,
    }),
  );
}

/** Each at an instant of its own, so that each is made anew. */
async function benchInstants(client: HttpLoad, { origin }: IndexAt): Promise<void> {
  say("a page of 1,000 files at 200 instants");
  const paths = Array.from({ length: INSTANTS }, (_, index) => {
    const at = new Date(uploadedMs((index + 1) / INSTANTS)).toISOString();
    return `/at/${at}/simple/dated/`;
  });
  const asked = { origin, paths, headers: PAGE_HEADERS, connections: 1, requests: INSTANTS };
  const { latencies } = await client.ask(asked);
  bars.push(
    bar("page of 1,000 files at an instant, median", median(latencies), "ms"),
    bar("page of 1,000 files at an instant, p95", percentile(latencies, 0.95), "ms", {
      op: "<",
      than: 20,
    }),
  );
}

async function benchMemory(
  client: HttpLoad,
  { big }: Content,
  { origin, pid }: OurMirror,
): Promise<void> {
  say(`${MANY} connections`);
  const at = (index: number): string => new Date(uploadedMs(index / MANY)).toISOString();
  const load = { origin, headers: PAGE_HEADERS, connections: MANY };
  const pages = ["/simple/many/", "/simple/dated/", ...TO_INSTALL.map((one) => pageOf(one))];
  const dated = Array.from({ length: MANY }, (_, index) => `/at/${at(index)}/simple/dated/`);
  await client.ask({ ...load, paths: [...pages, ...dated], requests: MANY * 20 });
  await client.ask({ ...load, paths: [ours(big)], requests: MANY * 2 });
  bars.push(
    bar(
      `mirror's resident memory at its most, with ${MANY} connections`,
      peakBytes(pid) / 1e6,
      "MB",
      {
        op: "<",
        than: 200,
      },
    ),
  );
}

function pageOf(requirement: string): string {
  return `/simple/${requirement.split("==")[0]}/`;
}

/** Bytes, since it was started. */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/mu.exec(status)?.[1]) * 1024;
}

async function benchInstalls(
  uv: string,
  servers: Record<"mirror" | "nginx" | "proxpi" | "devpi", IndexAt>,
): Promise<void> {
  say("ten packages by uv");
  const names = ["mirror", "nginx", "proxpi", "devpi"] as const;
  const times: Record<keyof typeof servers, number[]> = {
    mirror: [],
    nginx: [],
    proxpi: [],
    devpi: [],
  };
  for (let round = 0; round <= INSTALL_ROUNDS; round++)
    for (const name of names) {
      const seconds = await installSeconds(uv, root, servers[name], TO_INSTALL);
      if (round > 0) times[name].push(seconds);
    }
  const of = (name: keyof typeof times): number => median(times[name]);
  for (const name of names)
    bars.push(bar(`uv, ten packages, no cache: ${servers[name].name}`, of(name), "s"));
  const quickest = Math.min(of("nginx"), of("proxpi"), of("devpi"));
  bars.push(
    bar("uv, ten packages: mirror / the quickest other", of("mirror") / quickest, "times", {
      op: "<=",
      than: 1.1,
    }),
  );
}
