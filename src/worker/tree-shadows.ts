import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { InstalledListing, TreeListing } from "../discovery/plan.ts";
import type { TestReport } from "../model/attempt.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession } from "./guest-session.ts";
import {
  overlayScript,
  replacements,
  shadowsSeen,
  strayModules,
  unshadowScript,
} from "./unshadow.ts";

const UNSHADOW_MS = 60_000;

/** Parts of the tree that give way to what was installed. */
export interface GivingWay {
  readonly paths: readonly string[];
  /** In a shell of the guest. */
  readonly command: string;
  /** A file that is there once they did. */
  readonly flag: string;
}

export interface ShadowContext {
  readonly session: GuestSession;
  readonly treeRoot: string;
  readonly tree: TreeListing;
  readonly installed: InstalledListing;
}

/** The source's own copies of the release in one guest: what is tested is what was installed, so they give way. */
export class TreeShadows {
  readonly #context: ShadowContext;
  readonly #replaced = new Set<string>();
  #begun = false;
  /** How many scripts were put into the guest. */
  #scripts = 0;

  constructor(context: ShadowContext) {
    this.#context = context;
  }

  /** Puts a script into the guest by which these parts of the tree give way; null when nothing is left to do. */
  async prepare(wanted: readonly string[]): Promise<GivingWay | null> {
    const { treeRoot, tree, installed } = this.#context;
    const paths = wanted.filter((path) => !this.#replaced.has(path));
    if (paths.length === 0 && this.#begun) return null;
    const pairs = replacements(paths, installed);
    const strays = strayModules(tree, paths, installed);
    const script = unshadowScript(treeRoot, installed.sitePackages, pairs, strays);
    return { paths, ...(await this.#putScript(script)) };
  }

  /**
   * Lays what was installed over parts of the tree that a run imported all the same.
   * @returns which; empty where it imported none. @throws CreameryError `internal`.
   */
  async overlay(imported: TestReport["imported"]): Promise<readonly string[]> {
    const { treeRoot, tree, installed } = this.#context;
    const pairs = replacements(shadowsSeen(imported, treeRoot, this.#replaced), installed);
    if (pairs.length === 0) return [];
    const paths = pairs.map((pair) => pair.tree);
    const strays = strayModules(tree, paths, installed);
    const script = overlayScript(treeRoot, installed.sitePackages, pairs, strays);
    await this.assertGaveWay({ paths, ...(await this.#putScript(script)) });
    return paths;
  }

  /**
   * What did not give way beside an installation does so now, or nothing that the tests say is of what was installed.
   * @throws CreameryError `internal`.
   */
  async assertGaveWay({ command, flag, paths }: GivingWay): Promise<void> {
    const { session, treeRoot } = this.#context;
    if ((await session.guest.get(flag, 1)) === null) {
      const { ok, text } = await session.run({
        step: "unshadow",
        phase: "discover",
        argv: ["sh", "-c", command],
        wallMs: UNSHADOW_MS,
        quiet: true,
      });
      if (!ok)
        throw new CreameryError(
          "internal",
          `the source's own copy of the release can't give way: ${clip(printableLine(text), 300)}`,
          { input: treeRoot },
        );
    }
    this.#begun = true;
    for (const path of paths) this.#replaced.add(path);
  }

  /** Of any length: what is forgotten by packaging can be thousands of modules. */
  async #putScript(script: string): Promise<Omit<GivingWay, "paths">> {
    const number = this.#scripts++;
    const flag = `/job/.gave-way-${number}`;
    const path = `${GUEST.unshadow}-${number}`;
    const content = Buffer.from(`${script}\ntouch ${flag}\n`);
    await this.#context.session.guest.put(path, content, { mode: 0o644, owner: "root" });
    return { command: `sh ${path}`, flag };
  }
}
