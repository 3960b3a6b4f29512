import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const PAGES = join(import.meta.dirname, "..");

/** One sheet for all pages, of its parts in this order. */
const STYLE = [
  "shell/base.css",
  "login/login.css",
  "shell/live.css",
  "home/home.css",
  "queue/queue.css",
  "hosts/hosts.css",
  "images/images.css",
  "about/about.css",
  "compare/compare.css",
  "log/log.css",
  "project/project.css",
  "charts/charts.css",
  "changes/changes.css",
  "attempt/attempt.css",
  "files/report.css",
];

/** What browsers run, as it lies there: each is a module of its own, and imports nothing. */
const SCRIPTS = ["shell", "live", "log", "log-find", "log-follow"] as const;

export type AssetName = "style.css" | "icon.svg" | `${(typeof SCRIPTS)[number]}.js`;

export interface Asset {
  readonly name: AssetName;
  /** `assets/style.0123456789abcdef.css`: of its content, so it may be kept for ever. */
  readonly path: string;
  readonly type: string;
  readonly content: Buffer;
}

let made: ReadonlyMap<AssetName, Asset> | undefined;

/** All that pages load. Read once. */
export function assets(): ReadonlyMap<AssetName, Asset> {
  made ??= new Map(
    [
      assetOf("style.css", "text/css; charset=utf-8", STYLE),
      assetOf("icon.svg", "image/svg+xml", ["shell/icon.svg"]),
      ...SCRIPTS.map((name) =>
        assetOf(`${name}.js`, "text/javascript; charset=utf-8", [`client/${name}.js`]),
      ),
    ].map((asset) => [asset.name, asset]),
  );
  return made;
}

export function assetPath(name: AssetName): string {
  return assets().get(name)?.path ?? "";
}

function assetOf(name: AssetName, type: string, parts: readonly string[]): Asset {
  const content = Buffer.concat(parts.map((part) => readFileSync(join(PAGES, part))));
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
  return { name, path: `assets/${name.replace(".", `.${hash}.`)}`, type, content };
}
