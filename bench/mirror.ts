import { execFileSync, fork, spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { openIndexService } from "../src/index/index-service.ts";
import { findUpstreams } from "../src/index/upstreams.ts";
import { startUpstream } from "../test/upstream/upstream.ts";
import { bar, median, printBars } from "./bars.ts";

/** A warm file of 30 MB from the mirror's endpoint and from nginx, both on Unix sockets, by turns in one run; their client is a process apart. */

const SIZE_BYTES = 30 * 1024 * 1024;
const ROUNDS = 15;
const Answer = z.object({ speed: z.number().optional(), fault: z.string().optional() });

const root = mkdtempSync(join(tmpdir(), "creamery-bench-"));
try {
  await bench(findNginx());
} finally {
  rmSync(root, { recursive: true, force: true });
}

/** The host's, else Debian's package of this host's mirror, unpacked for this run: installed it would start a service. */
function findNginx(): string {
  const directories = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  const there = directories
    .map((directory) => join(directory, "nginx"))
    .find((path) => existsSync(path));
  if (there !== undefined) return there;
  const place = join(root, "nginx");
  mkdirSync(place);
  try {
    // apt's own user fetches into it.
    execFileSync("chmod", ["777", root, place]);
    execFileSync("apt-get", ["download", "-q", "nginx"], { cwd: place, stdio: "pipe" });
    execFileSync("sh", ["-c", "dpkg --extract ./*.deb ."], { cwd: place, stdio: "pipe" });
  } catch {
    process.stderr.write("nginx is neither here nor to be had: apt-get update, then once more\n");
    process.exit(3);
  }
  return join(place, "usr/sbin/nginx");
}

async function bench(program: string): Promise<void> {
  const content = randomBytes(SIZE_BYTES);
  mkdirSync(join(root, "www"));
  writeFileSync(join(root, "www", "big.tar.gz"), content);
  execFileSync("chmod", ["755", root, join(root, "www")]);
  const configuration = `daemon off; worker_processes 1; pid ${root}/pid; error_log ${root}/error;
events {} http { access_log off; sendfile on; client_body_temp_path ${root}/b; proxy_temp_path ${root}/p; fastcgi_temp_path ${root}/f; uwsgi_temp_path ${root}/u; scgi_temp_path ${root}/s;
server { listen unix:${root}/nginx.sock; root ${root}/www; } }`;
  writeFileSync(join(root, "nginx.conf"), configuration);
  const child = spawn(program, ["-p", root, "-c", join(root, "nginx.conf")], { stdio: "inherit" });
  try {
    await waitForSocket(join(root, "nginx.sock"));
    await using upstream = await startUpstream({
      files: [{ project: "big", filename: "big-1.0.tar.gz", content }],
    });
    const signal = AbortSignal.timeout(300_000);
    const upstreams = await findUpstreams({
      settings: { index: upstream.url },
      signal,
      cratesIndex: null,
    });
    await using service = await openIndexService({ directory: join(root, "index"), upstreams });
    const mirrorSocket = join(root, "index.sock");
    await using endpoint = await service.openEndpoint({
      socketPath: mirrorSocket,
      attemptId: "bench",
      limits: { bytes: 1e12 },
    });
    const sha256 = createHash("sha256").update(content).digest("hex");
    const path = `${endpoint.indexPath.replace("/simple/", "/files/")}big/${sha256}/big-1.0.tar.gz`;
    // It ends with the channel to us.
    const client = fork(fileURLToPath(new URL("./fetch-speed.ts", import.meta.url)));
    // Both warm: the first of each is not counted.
    const speeds: { mirror: number[]; nginx: number[] } = { mirror: [], nginx: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      const mirror = await fetchSpeed(client, mirrorSocket, path);
      const plain = await fetchSpeed(client, join(root, "nginx.sock"), "/big.tar.gz");
      if (round === 0) continue;
      speeds.mirror.push(mirror);
      speeds.nginx.push(plain);
    }
    const [ours, theirs] = [median(speeds.mirror), median(speeds.nginx)];
    printBars(
      [
        bar("mirror, warm 30 MB file", ours, "MB/s"),
        bar("nginx, the same file", theirs, "MB/s"),
        bar("mirror / nginx", ours / theirs, "", { op: ">=", than: 0.4 }),
      ],
      process.argv,
    );
    client.disconnect();
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
}

/** MB (10^6 bytes) a second, as the client sees it. @throws when it is not the whole file. */
async function fetchSpeed(client: ChildProcess, socketPath: string, path: string): Promise<number> {
  client.send({ socketPath, path, sizeBytes: SIZE_BYTES });
  const answer: unknown = (await once(client, "message"))[0];
  const { speed, fault } = Answer.parse(answer);
  if (speed === undefined) throw new Error(fault);
  return speed;
}

async function waitForSocket(path: string): Promise<void> {
  const until = Date.now() + 10_000;
  while (!existsSync(path)) {
    if (Date.now() > until) throw new Error("nginx did not start");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
