import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { freePort } from "../free-port.ts";

/**
 * The host's nginx, else Debian's package of this host's mirror, unpacked: installed it would start a service.
 * @returns null when it is neither here nor to be had.
 */
export function findNginx(directory: string): string | null {
  const places = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  const there = places.map((place) => join(place, "nginx")).find((path) => existsSync(path));
  if (there !== undefined) return there;
  const place = join(directory, "nginx");
  mkdirSync(place);
  try {
    // apt's own user fetches into it.
    for (const path of [directory, place]) chmodSync(path, 0o777);
    execFileSync("apt-get", ["download", "-q", "nginx"], { cwd: place, stdio: "pipe" });
    execFileSync("sh", ["-c", "dpkg --extract ./*.deb ."], { cwd: place, stdio: "pipe" });
  } catch {
    return null;
  }
  const unpacked = join(place, "usr/sbin/nginx");
  return existsSync(unpacked) ? unpacked : null;
}

export interface RunningNginx extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
}

/** @param locations what stands in the server's block. */
export async function startNginx(
  program: string,
  directory: string,
  locations: string,
): Promise<RunningNginx> {
  const root = join(directory, "nginx-run");
  mkdirSync(root);
  const port = await freePort();
  const own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${root}/${name};`)
    .join(" ");
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    join(root, "nginx.conf"),
    `daemon off; ${user} worker_processes 1; pid ${root}/pid; error_log ${root}/error;
events {}
http { access_log off; sendfile on; ${own}
server { listen 127.0.0.1:${port};
${locations}
} }`,
  );
  const child = spawn(program, ["-p", root, "-c", join(root, "nginx.conf")], { stdio: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  const ended = once(child, "exit");
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(url).catch(() => null)) break;
    await sleep(50);
  }
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
