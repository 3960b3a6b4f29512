import { describe } from "vitest";

import { bucketContract } from "./bucket-contract.ts";
import { MemoryBucket } from "./memory-bucket.sample.ts";

describe("a bucket in memory, which tests take for a real one", () => {
  bucketContract(() => {
    const bucket = new MemoryBucket();
    const keptOf = (key: string) => {
      const kept = bucket.kept.get(key);
      if (kept === undefined) throw new Error(`${key} is not there`);
      return kept;
    };
    return Promise.resolve({
      bucket,
      setAge: async (key, madeMs) => {
        keptOf(key).madeMs = madeMs;
      },
      spoil: async (key) => {
        const { bytes } = keptOf(key);
        bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      },
    });
  });
});
