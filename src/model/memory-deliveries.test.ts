import { describe } from "vitest";

import { deliveriesContract } from "./deliveries-contract.ts";
import { MemoryDeliveries } from "./memory-deliveries.ts";

describe("deliveries in memory", () => {
  deliveriesContract(() => Promise.resolve(new MemoryDeliveries()));
});
