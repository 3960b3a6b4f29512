import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

const HOUR_MS = 3_600_000;

/** An index's directory for tests, with what was last used so long ago as they say. */
export class SampleIndex implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "creamery-kept-"));

  put(path: string, content: Buffer | string, hoursAgo: number): string {
    const whole = join(this.directory, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, content);
    const seconds = (Date.now() - hoursAgo * HOUR_MS) / 1000;
    utimesSync(whole, seconds, seconds);
    return whole;
  }

  /** @returns its sha256. */
  file(content: Buffer | string, hoursAgo: number): string {
    const sha256 = sha256Of(content);
    this.put(`files/sha256/${sha256.slice(0, 2)}/${sha256}`, content, hoursAgo);
    return sha256;
  }

  pathOf(sha256: string): string {
    return join(this.directory, "files", "sha256", sha256.slice(0, 2), sha256);
  }

  page(name: string, body: string, hoursAgo: number): void {
    const at = `pages/0123456789abcdef/${name.slice(0, 2)}/${name}`;
    this.put(`${at}.page.gz`, gzipSync(body), hoursAgo);
    const facts = {
      url: `https://index.example/simple/${name}/`,
      contentType: "application/vnd.pypi.simple.v1+json",
      etag: null,
      lastModified: null,
      fetchedAtMs: 0,
      freshMs: 0,
      bodySha256: sha256Of(body),
    };
    this.put(`${at}.json`, JSON.stringify(facts), hoursAgo);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

export function sha256Of(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}
