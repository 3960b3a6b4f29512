import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { freePort } from "../../test/free-port.ts";
import { serveIndexAt, type IndexServer } from "./index-at.ts";

/** What people put in front of an index today; and uv, which is what asks. Pinned: a figure says what it was compared with. */
const PEERS = ["proxpi==1.3.1", "gunicorn==27.0.1", "devpi-server==6.20.3", "uv==0.13.9"];

/** Programs of the peers, brought by this host's pip into the cache, once. */
export class PythonPeers {
  readonly #place: string;

  private constructor(place: string) {
    this.#place = place;
  }

  /** @param cache the farm's own. @throws Error when pip can't bring them. */
  static bring(cache: string): PythonPeers {
    const place = join(cache, "bench-peers", PEERS.join("+").replaceAll("=", ""));
    if (!existsSync(place)) {
      const beside = `${place}.${process.pid}`;
      mkdirSync(beside, { recursive: true });
      const argv = ["-m", "pip", "install", "--quiet", "--target", beside, ...PEERS];
      execFileSync("python3", argv, { stdio: ["ignore", "ignore", "inherit"] });
      rmSync(place, { recursive: true, force: true });
      renameSync(beside, place);
    }
    return new PythonPeers(place);
  }

  get uv(): string {
    return join(this.#place, "bin/uv");
  }

  get #env(): NodeJS.ProcessEnv {
    return { PYTHONPATH: this.#place, PYTHONDONTWRITEBYTECODE: "1", PATH: process.env["PATH"] };
  }

  /** As its own image runs it, in one process, since its caches are one process's. */
  async proxpi(root: string, upstream: string): Promise<IndexServer> {
    const port = await freePort();
    const cache = join(root, "proxpi");
    mkdirSync(cache);
    return serveIndexAt("/index/", {
      name: "proxpi",
      port,
      argv: [
        "python3",
        "-m",
        "gunicorn",
        "--bind",
        `127.0.0.1:${port}`,
        "--threads",
        "2",
        "proxpi.server:app",
      ],
      env: {
        ...this.#env,
        PROXPI_INDEX_URL: upstream,
        PROXPI_CACHE_DIR: cache,
        PROXPI_INDEX_TTL: "86400",
        PROXPI_DOWNLOAD_TIMEOUT: "60",
        PROXPI_LOGGING_LEVEL: "ERROR",
      },
    });
  }

  /** With one mirror, `root/mirror`, and no other index. */
  async devpi(root: string, upstream: string): Promise<IndexServer> {
    const port = await freePort();
    const place = join(root, "devpi");
    const own = ["--serverdir", place];
    const env = { ...process.env, ...this.#env };
    const init = [join(this.#place, "bin/devpi-init"), ...own, "--no-root-pypi"];
    execFileSync("python3", init, { env, stdio: "pipe" });
    const secret = join(place, "secret");
    writeFileSync(secret, "a secret of this run's, long enough for devpi to take it\n", {
      mode: 0o600,
    });
    const serving = await serveIndexAt("/root/mirror/+simple/", {
      name: "devpi",
      port,
      argv: [
        "python3",
        join(this.#place, "bin/devpi-server"),
        ...own,
        "--secretfile",
        secret,
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--mirror-cache-expiry",
        "86400",
      ],
      env: this.#env,
    });
    const headers = { "content-type": "application/json", accept: "application/json" };
    const login = await fetch(`${serving.origin}/+login`, {
      method: "POST",
      headers,
      body: JSON.stringify({ user: "root", password: "" }),
    });
    const { result } = z
      .object({ result: z.object({ password: z.string() }) })
      .parse(await login.json());
    const auth = Buffer.from(`root:${result.password}`).toString("base64");
    const made = await fetch(`${serving.origin}/root/mirror`, {
      method: "PUT",
      headers: { ...headers, "x-devpi-auth": auth },
      body: JSON.stringify({ type: "mirror", mirror_url: upstream, volatile: true }),
    });
    if (!made.ok) throw new Error(`devpi makes no mirror: ${await made.text()}`);
    return serving;
  }
}
