import fc from "fast-check";
import { expect, test } from "vitest";

import {
  ACTIONS,
  authorise,
  FARM,
  visibilityOf,
  type Action,
  type Allowed,
  type NotAllowed,
  type Subject,
} from "./authorise.ts";
import { ANONYMOUS, SCOPES, type Principal, type Scope } from "./principals.ts";
import { samplePrincipal } from "./principals.sample.ts";

const NOW = 5000;
const pub: Subject = { kind: "project", project: "six", visibility: "public" };
const priv: Subject = { kind: "project", project: "hush", visibility: "private" };

const word = (outcome: Allowed | NotAllowed): string | number =>
  outcome.kind === "allowed" ? "ok" : outcome.status;

/** What a principal gets of each action: on the farm, on a public and on a private project. */
function table(principal: Principal | typeof ANONYMOUS): Record<Action, string> {
  const row = (action: Action): string =>
    [FARM, pub, priv].map((subject) => word(authorise(principal, action, subject, NOW))).join(" ");
  return {
    read: row("read"),
    enqueue: row("enqueue"),
    claim: row("claim"),
    heartbeat: row("heartbeat"),
    finish: row("finish"),
    "send-assets": row("send-assets"),
    "fetch-image": row("fetch-image"),
    "use-index": row("use-index"),
    "see-queue": row("see-queue"),
    "change-queue": row("change-queue"),
    drain: row("drain"),
    watch: row("watch"),
    "promote-image": row("promote-image"),
    "see-audit": row("see-audit"),
    "manage-principals": row("manage-principals"),
  };
}

const everywhere = (value: string): Record<Action, string> => ({
  read: "ok ok 404",
  enqueue: value,
  claim: value,
  heartbeat: value,
  finish: value,
  "send-assets": value,
  "fetch-image": value,
  "use-index": value,
  "see-queue": value,
  "change-queue": value,
  drain: value,
  watch: value,
  "promote-image": value,
  "see-audit": value,
  "manage-principals": value,
});

const work = {
  claim: "ok ok ok",
  heartbeat: "ok ok ok",
  finish: "ok ok ok",
  "send-assets": "ok ok ok",
  "fetch-image": "ok ok ok",
  "use-index": "ok ok ok",
};
const operate = {
  "see-queue": "ok ok ok",
  "change-queue": "ok ok ok",
  drain: "ok ok ok",
  watch: "ok ok ok",
  "promote-image": "ok ok ok",
};
const alone = {
  drain: "403 403 403",
  watch: "403 403 403",
  "promote-image": "403 403 403",
  "see-audit": "403 403 403",
  "manage-principals": "403 403 403",
};
const anonymousAlone = {
  drain: "401 401 401",
  watch: "401 401 401",
  "promote-image": "401 401 401",
  "see-audit": "401 401 401",
  "manage-principals": "401 401 401",
};
/** With a scope by which private projects may be known of. */
const knowing = { ...everywhere("403 403 403"), read: "ok ok 403", ...alone };
/** Without one. */
const unknowing = { ...everywhere("403 403 404"), ...alone };

test.each<[string, Principal | typeof ANONYMOUS, Record<Action, string>]>([
  ["nobody", ANONYMOUS, { ...everywhere("401 401 404"), ...anonymousAlone }],
  ["a token without scopes", samplePrincipal(), unknowing],
  ["worker", samplePrincipal({ scopes: ["worker"] }), { ...knowing, ...work }],
  ["operate", samplePrincipal({ scopes: ["operate"] }), { ...knowing, ...operate }],
  ["read-private", samplePrincipal({ scopes: ["read-private"] }), { ...knowing, read: "ok ok ok" }],
  ["enqueue", samplePrincipal({ scopes: ["enqueue"] }), { ...unknowing, enqueue: "ok ok 404" }],
  [
    "enqueue and read-private",
    samplePrincipal({ scopes: ["enqueue", "read-private"] }),
    { ...knowing, read: "ok ok ok", enqueue: "ok ok ok" },
  ],
  [
    "admin",
    samplePrincipal({ scopes: ["admin"] }),
    {
      ...knowing,
      ...operate,
      read: "ok ok ok",
      enqueue: "ok ok ok",
      "see-audit": "ok ok ok",
      "manage-principals": "ok ok ok",
    },
  ],
  [
    "enqueue, bound to the private project",
    samplePrincipal({ scopes: ["enqueue"], projects: ["hush"] }),
    { ...knowing, enqueue: "403 403 ok" },
  ],
  [
    "worker, bound to the public project",
    samplePrincipal({ scopes: ["worker"], projects: ["six"] }),
    {
      ...unknowing,
      claim: "ok ok 404",
      heartbeat: "ok ok 404",
      finish: "ok ok 404",
      "send-assets": "ok ok 404",
      "fetch-image": "ok ok 404",
      "use-index": "ok ok 404",
    },
  ],
  [
    "all scopes, bound to a third project",
    samplePrincipal({ scopes: SCOPES, projects: ["third"] }),
    {
      ...unknowing,
      claim: "ok 403 404",
      heartbeat: "ok 403 404",
      finish: "ok 403 404",
      "send-assets": "ok 403 404",
      "fetch-image": "ok 403 404",
      "use-index": "ok 403 404",
      "see-queue": "ok 403 404",
    },
  ],
])("%s may do what the table says, and no more", (_, principal, expected) => {
  expect(table(principal)).toEqual(expected);
});

test("a list is narrowed to what is theirs", () => {
  const within = (principal: Principal | typeof ANONYMOUS, action: Action): unknown => {
    const outcome = authorise(principal, action, FARM, NOW);
    return outcome.kind === "allowed" ? outcome.within : outcome;
  };
  expect(within(ANONYMOUS, "read")).toEqual({ allPublic: true, private: [], public: [] });
  expect(within(samplePrincipal({ scopes: ["enqueue"] }), "read")).toEqual({
    allPublic: true,
    private: [],
    public: [],
  });
  expect(within(samplePrincipal({ scopes: ["read-private"] }), "read")).toEqual({
    allPublic: true,
    private: "all",
    public: [],
  });
  expect(within(samplePrincipal({ scopes: ["read-private"], projects: ["hush"] }), "read")).toEqual(
    { allPublic: true, private: ["hush"], public: ["hush"] },
  );
  expect(within(samplePrincipal({ scopes: ["worker"], projects: ["hush"] }), "claim")).toEqual({
    allPublic: false,
    private: ["hush"],
    public: ["hush"],
  });
  expect(within(samplePrincipal({ scopes: ["enqueue"] }), "enqueue")).toEqual({
    allPublic: true,
    private: [],
    public: [],
  });
});

test("what a refusal says is the same for a private project and for one that is not there", () => {
  const refused = (project: string): unknown =>
    authorise(ANONYMOUS, "read", { kind: "project", project, visibility: "private" }, NOW);
  expect(refused("hush")).toEqual(refused("no-such-project"));
});

const subjects = fc.oneof(
  fc.constant(FARM),
  fc.record({
    kind: fc.constant("project" as const),
    project: fc.constantFrom("six", "hush", "third"),
    visibility: fc.constantFrom("public" as const, "private" as const),
  }),
);
const scopes = fc.subarray<Scope>([...SCOPES]);
const projects = fc.oneof(fc.constant(null), fc.subarray(["six", "hush", "third"]));
const principals = fc.record({ scopes, projects }).map(samplePrincipal);
const actions = fc.constantFrom(...ACTIONS);
const isPublic = (subject: Subject): boolean =>
  subject.kind === "farm" || subject.visibility === "public";

test("nobody without a scope gets anything done, but to read what is public", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.constant(ANONYMOUS),
        projects.map((bound) => samplePrincipal({ projects: bound })),
      ),
      actions,
      subjects,
      (principal, action, subject) => {
        const { kind } = authorise(principal, action, subject, NOW);
        expect(kind).toBe(action === "read" && isPublic(subject) ? "allowed" : "refused");
      },
    ),
  );
});

test("who is bound to projects gets nothing done to another, but to read what is public", () => {
  fc.assert(
    fc.property(principals, actions, subjects, (principal, action, subject) => {
      const outcome = authorise(principal, action, subject, NOW);
      if (outcome.kind === "refused" || principal.projects === null) return;
      const bound = principal.projects;
      expect(outcome.within.private).not.toBe("all");
      for (const project of [outcome.within.private, outcome.within.public].flat())
        expect(bound).toContain(project);
      expect(outcome.within.allPublic).toBe(action === "read");
      const free = action === "read" && isPublic(subject);
      expect(free || subject.kind === "farm" || bound.includes(subject.project)).toBe(true);
    }),
  );
});

test("more scopes never take anything away", () => {
  fc.assert(
    fc.property(principals, scopes, actions, subjects, (principal, more, action, subject) => {
      const before = authorise(principal, action, subject, NOW).kind;
      const wider = { ...principal, scopes: [...principal.scopes, ...more] };
      const kinds = [before, authorise(wider, action, subject, NOW).kind];
      expect(kinds).not.toEqual(["allowed", "refused"]);
    }),
  );
});

test("what was revoked or has expired gets nothing done, not even what anybody may", () => {
  const times = fc.constantFrom(
    { revokedAtMs: NOW },
    { revokedAtMs: 1 },
    { expiresAtMs: NOW },
    { expiresAtMs: 1 },
  );
  fc.assert(
    fc.property(principals, times, actions, subjects, (principal, time, action, subject) => {
      expect(authorise({ ...principal, ...time }, action, subject, NOW)).toMatchObject({
        kind: "refused",
        status: 401,
      });
    }),
  );
  const still = samplePrincipal({ scopes: ["admin"], expiresAtMs: NOW + 1 });
  expect(authorise(still, "drain", FARM, NOW).kind).toBe("allowed");
});

test.each([
  ["tree", "public", null, "private"],
  ["sdist", "public", null, "private"],
  ["wheel", "public", null, "private"],
  ["release", "public", null, "public"],
  ["release", "private", null, "private"],
  ["repository", "public", null, "public"],
  ["repository", "private", null, "private"],
  ["tree", "private", "public", "public"],
  ["release", "public", "private", "private"],
] as const)("a %s of a %s upstream, told %s, is %s", (source, upstream, told, expected) => {
  expect(visibilityOf({ source, upstream, told })).toBe(expected);
});
