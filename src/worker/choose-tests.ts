import { CreameryError } from "../base/errors.ts";
import { discover } from "../discovery/discover.ts";
import type { Discovery, InstalledListing, TreeListing } from "../discovery/plan.ts";
import type { IndexService } from "../index/index-service.ts";
import type { AttemptJob, TestTree } from "./attempt-job.ts";
import type { UnpackedTree } from "./guest-scans.ts";
import type { GuestSession } from "./guest-session.ts";
import type { Installation } from "./install-release.ts";
import { bringTestTree, findTestsElsewhere } from "./tests-elsewhere.ts";

export interface ChosenTests {
  readonly discovery: Discovery;
  /** Where they lie in the guest: in the source, or in a repository's tree beside it; null without either. */
  readonly tree: UnpackedTree | null;
  /** The repository's tree that they are of; null where they are the source's own. */
  readonly from: TestTree | null;
  readonly notes: readonly string[];
}

export interface ChooseTestsOptions {
  readonly session: GuestSession;
  readonly job: AttemptJob;
  readonly index: Pick<IndexService, "repositories" | "project" | "provenance">;
  /** Of the source; null without one. */
  readonly tree: UnpackedTree | null;
  readonly installation: Installation;
  readonly installed: InstalledListing;
  /** Its repository is asked for them, which may take minutes. @returns what `search` does. */
  readonly elsewhere: <Value>(search: () => Promise<Value>) => Promise<Value>;
}

/** Of no source. */
export const NO_TREE: TreeListing = { files: [], texts: {}, truncated: false };

/**
 * Which tests are to be run, and of which tree: those of an earlier run, else the source's own, else those of its repository.
 * @throws CreameryError `channel` where the tree of an earlier run can't be unpacked; as `findTestsElsewhere`.
 */
export async function chooseTests(options: ChooseTestsOptions): Promise<ChosenTests> {
  const { session, job, tree } = options;
  const discovery = discoverIn(tree, options);
  const settled = job.settled?.tree;
  if (settled !== undefined) {
    const unpacked = await bringTestTree(session, settled);
    if (unpacked === null)
      throw new CreameryError("channel", "the tree of its tests could not be unpacked", {
        input: settled.file.filename,
      });
    return { discovery, tree: unpacked, from: settled, notes: [] };
  }
  const own: ChosenTests = { discovery, tree, from: null, notes: [] };
  if (discovery.kind !== "smoke-only" || discovery.cause === "smoke-only" || tree === null)
    return own;
  const {
    found,
    notes,
    rejected: others,
  } = await options.elsewhere(() =>
    findTestsElsewhere(session, job, options.index, {
      metadata: options.installed.metadata,
      root: tree.root,
    }),
  );
  const rejected = [
    ...discovery.rejected,
    { rung: "A1", why: "the sdist holds no tests" },
    ...others,
  ];
  if (found === null) return { ...own, discovery: { ...discovery, rejected } };
  const other = discoverIn(found.tree, options);
  if (other.kind === "smoke-only") {
    const why = `${found.from.url}: its tree holds no tests either`;
    const none = { ...discovery, rejected: [...rejected, { rung: found.from.rung, why }] };
    return { ...own, discovery: none };
  }
  const plans = other.plans.map((plan) => ({
    ...plan,
    rung: `${found.from.rung}+${plan.rung}`,
    rejected: [...rejected, ...plan.rejected],
  }));
  return { discovery: { kind: "plans", plans }, tree: found.tree, from: found.from, notes };
}

function discoverIn(
  tree: UnpackedTree | null,
  { job, installation, installed }: ChooseTestsOptions,
): Discovery {
  const { smokeOnly, settled, interpreter, override } = job;
  if (smokeOnly === true) return { kind: "smoke-only", cause: "smoke-only", rejected: [] };
  if (settled !== undefined) return { kind: "plans", plans: [settled.plan] };
  return discover(tree?.listing ?? NO_TREE, installed, {
    project: installation.project,
    version: installation.version,
    markers: installation.markers,
    interpreter: interpreter.name,
    ...(override === undefined ? {} : { override }),
  });
}
