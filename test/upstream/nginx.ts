import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { freePort } from "../free-port.ts";
import { serve, type Serving } from "../serving.ts";

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

/**
 * What docs/index.md shows for nginx before a mirror that hands it the bytes of its files.
 * @param handed what the mirror's `x_accel` says. @param files where the mirror keeps them.
 */
export function nginxBefore(mirror: string, handed: string, files: string): NginxSetup {
  return {
    upstreams: `upstream creamery { server ${new URL(mirror).host}; keepalive 16; keepalive_timeout 20s; }`,
    locations: `location / { proxy_pass http://creamery; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; proxy_read_timeout 15m; }
location ${handed} { internal; alias ${files}/; }`,
  };
}

export interface NginxSetup {
  /** Before the server's block. */
  readonly upstreams?: string;
  /** In it. */
  readonly locations: string;
}

/** @throws Error where it ends at once, with what it said. */
export async function startNginx(
  program: string,
  directory: string,
  { upstreams = "", locations }: NginxSetup,
): Promise<Serving> {
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
${upstreams}
server { listen 127.0.0.1:${port};
${locations}
} }`,
  );
  return await serve({
    name: "nginx",
    port,
    argv: [program, "-p", root, "-c", join(root, "nginx.conf")],
  });
}
