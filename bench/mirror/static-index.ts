import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { DistFile } from "../../test/upstream/upstream.ts";

/** An index as files, for a server that has nothing but files: pages with hashes, and what they link to. */
export function staticIndex(www: string, files: readonly DistFile[]): void {
  mkdirSync(join(www, "files"));
  for (const [project, own] of Map.groupBy(files, (file) => file.project)) {
    const place = join(www, "simple", project);
    mkdirSync(place, { recursive: true });
    const links = own.map(({ filename, content }) => {
      writeFileSync(join(www, "files", filename), content);
      const sha256 = createHash("sha256").update(content).digest("hex");
      return `<a href="/files/${filename}#sha256=${sha256}">${filename}</a><br>`;
    });
    writeFileSync(join(place, "index.html"), `<!DOCTYPE html>\n${links.join("\n")}\n`);
  }
}
