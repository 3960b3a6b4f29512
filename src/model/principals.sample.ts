import type { Principal } from "./principals.ts";

/** A principal for tests, to be changed at one place. */
export function samplePrincipal(change: Partial<Principal> = {}): Principal {
  return {
    kind: "person",
    id: "0123456789abcdef",
    name: "somebody",
    scopes: [],
    projects: null,
    createdAtMs: 1000,
    createdBy: null,
    expiresAtMs: null,
    revokedAtMs: null,
    lastUsedAtMs: null,
    ...change,
  };
}
