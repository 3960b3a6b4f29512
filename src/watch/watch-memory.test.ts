import { beforeEach } from "vitest";

import { watchMemoryContract } from "./watch-memory-contract.ts";
import { WatchMemoryInProcess } from "./watch-memory.ts";

let memory = new WatchMemoryInProcess();
beforeEach(() => {
  memory = new WatchMemoryInProcess();
});

watchMemoryContract(async () => ({
  memory,
  events: async () => memory.events,
  [Symbol.asyncDispose]: async () => undefined,
}));
