import { describe } from "vitest";

import { auditContract } from "./audit-contract.ts";
import { MemoryAudit } from "./memory-audit.ts";
import { MemoryPrincipals } from "./memory-principals.ts";
import { principalsContract } from "./principals-contract.ts";

describe("principals in memory", () => {
  principalsContract(() => Promise.resolve(new MemoryPrincipals()));
});

describe("a record in memory", () => {
  auditContract(() => Promise.resolve(new MemoryAudit()));
});
