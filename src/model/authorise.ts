import type { Anonymous, Principal, Scope, Visibility } from "./principals.ts";

/** All that can be done with the farm over its API. */
export const ACTIONS = [
  "read",
  "enqueue",
  "claim",
  "heartbeat",
  "finish",
  "send-assets",
  "fetch-image",
  "use-index",
  "see-queue",
  "change-queue",
  "drain",
  "watch",
  "promote-image",
  "see-audit",
  "manage-principals",
] as const;
export type Action = (typeof ACTIONS)[number];

/** What an action is done to: the farm as a whole (lists among it), or what belongs to one project. */
export type Subject =
  | { readonly kind: "farm" }
  | {
      readonly kind: "project";
      /** Normalised. */
      readonly project: string;
      readonly visibility: Visibility;
    };

export const FARM: Subject = { kind: "farm" };

export interface Allowed {
  readonly kind: "allowed";
  /** What the answer, or the choice of jobs, is to be narrowed to. */
  readonly within: Within;
}

/** Which projects' matters somebody gets to see or to do. */
export interface Within {
  /** Whether all that is public is among it. */
  readonly allPublic: boolean;
  /** Private projects: all of them, or those of these normalised names. */
  readonly private: "all" | readonly string[];
  /** Where not all that is public is: these normalised names. */
  readonly public: readonly string[];
}

export interface NotAllowed {
  readonly kind: "refused";
  /** 404 where even that the project is there is not theirs to know. */
  readonly status: 401 | 403 | 404;
  /** For a person; names no private project. */
  readonly reason: string;
}

interface Rule {
  /** Any of them is enough. */
  readonly scopes: readonly Scope[];
  /** Whether nothing is needed where the subject is public. */
  readonly openWherePublic?: true;
  /** What else it takes, any of them, for private projects that a token is not bound to. */
  readonly forPrivate?: readonly Scope[];
  /** Whether it is done to the farm as a whole, whatever subject is named. */
  readonly farmAlone?: true;
  /** Who is bound to projects and asks for the farm as a whole gets what is theirs of it, or nothing. */
  readonly boundOnFarm: "narrowed" | "refused";
}

const WORK: Rule = { scopes: ["worker"], boundOnFarm: "narrowed" };
const OPERATE: Rule = { scopes: ["operate", "admin"], boundOnFarm: "refused" };
const ADMIN: Rule = { scopes: ["admin"], boundOnFarm: "refused", farmAlone: true };

/** Everything that may be done, and by whom. `admin` does no worker's work: a lease it took would be nobody's. */
const RULES: Readonly<Record<Action, Rule>> = {
  read: { scopes: ["read-private", "admin"], boundOnFarm: "narrowed", openWherePublic: true },
  enqueue: {
    scopes: ["enqueue", "admin"],
    boundOnFarm: "refused",
    forPrivate: ["read-private", "admin"],
  },
  claim: WORK,
  heartbeat: WORK,
  finish: WORK,
  "send-assets": WORK,
  "fetch-image": WORK,
  "use-index": WORK,
  "see-queue": { ...OPERATE, boundOnFarm: "narrowed" },
  "change-queue": OPERATE,
  drain: { ...OPERATE, farmAlone: true },
  watch: { ...OPERATE, farmAlone: true },
  "promote-image": { ...OPERATE, farmAlone: true },
  "see-audit": ADMIN,
  "manage-principals": ADMIN,
};

/** How far a token goes: everywhere, to all that is public, or to projects by their normalised names. */
type Reach = "all" | "public" | readonly string[];

/**
 * Whether somebody may do something to something, at a time (ms since the epoch). The one place where that is decided:
 * whoever acts asks it first, and narrows what it does to `within`.
 */
export function authorise(
  principal: Principal | Anonymous,
  action: Action,
  subject: Subject,
  nowMs: number,
): Allowed | NotAllowed {
  const rule = RULES[action];
  const on = rule.farmAlone === true ? FARM : subject;
  const known = principal.kind === "anonymous" ? null : principal;
  // Also for what anybody may see: a token that is good no more is to be noticed.
  if (known !== null && known.revokedAtMs !== null && known.revokedAtMs <= nowMs)
    return refuse(401, "this token was revoked");
  if (known !== null && known.expiresAtMs !== null && known.expiresAtMs <= nowMs)
    return refuse(401, "this token has expired");
  const holder = known !== null && hasAny(known, rule.scopes) ? known : null;
  const reach = holder === null ? [] : reachOf(holder, rule);
  const allowed: Allowed = { kind: "allowed", within: withinOf(reach, rule) };
  if (rule.openWherePublic === true && (on.kind === "farm" || on.visibility === "public"))
    return allowed;
  if (on.kind === "project" && isWithin(on, reach)) return allowed;
  if (on.kind === "project" && on.visibility === "private" && !maySee(known, on.project))
    return refuse(404, "there is no such project");
  if (known === null) return refuse(401, "this needs a token");
  if (holder === null) return refuse(403, `this needs a token with ${rule.scopes.join(" or ")}`);
  if (on.kind === "farm" && (holder.projects === null || rule.boundOnFarm === "narrowed"))
    return allowed;
  return refuse(403, "this token is bound to other projects");
}

function hasAny({ scopes }: Principal, wanted: readonly Scope[]): boolean {
  return scopes.some((scope) => wanted.includes(scope));
}

function reachOf(holder: Principal, { forPrivate }: Rule): Reach {
  if (holder.projects !== null) return holder.projects;
  return forPrivate === undefined || hasAny(holder, forPrivate) ? "all" : "public";
}

function isWithin(
  { project, visibility }: Extract<Subject, { kind: "project" }>,
  reach: Reach,
): boolean {
  if (reach === "all") return true;
  return reach === "public" ? visibility === "public" : reach.includes(project);
}

/** Whether that a private project is there is theirs to know. */
function maySee(principal: Principal | null, project: string): boolean {
  if (principal === null) return false;
  if (principal.projects !== null) return principal.projects.includes(project);
  return hasAny(principal, ["worker", "operate", "read-private", "admin"]);
}

function withinOf(reach: Reach, { openWherePublic }: Rule): Within {
  const names = typeof reach === "string" ? [] : reach;
  return {
    allPublic: openWherePublic === true || typeof reach === "string",
    private: reach === "all" ? "all" : names,
    public: names,
  };
}

function refuse(status: NotAllowed["status"], reason: string): NotAllowed {
  return { kind: "refused", status, reason };
}

/** Where a source came from, as far as that makes it private. */
export interface Origin {
  readonly source: "release" | "repository" | "tree" | "sdist" | "wheel";
  /** Whether its index, or the repository's host, is one that anybody can ask. */
  readonly upstream: "public" | "private";
  /** What the operator says of the project; null for nothing. */
  readonly told: Visibility | null;
}

/** Local trees and files, and what comes of private indexes, are private unless the operator says otherwise. */
export function visibilityOf({ source, upstream, told }: Origin): Visibility {
  if (told !== null) return told;
  switch (source) {
    case "tree":
    case "sdist":
    case "wheel":
      return "private";
    case "release":
    case "repository":
      return upstream;
  }
}
