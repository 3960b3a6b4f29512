import { attemptKey } from "../../src/worker/bucket-keys.ts";
import type { SampleFarm } from "../../src/web/api/farm.sample.ts";

const signal = AbortSignal.timeout(600_000);

/** Stores the log of an attempt that was recorded. */
export async function storeLog(farm: SampleFarm, id: string, log: Buffer): Promise<void> {
  const options = { signal, compression: "gzip" } as const;
  await farm.bucket.create(attemptKey(id, "log.txt"), log, options);
}

const FAILURE =
  "E   AssertionError\n\u001b[31mFAILED\u001b[0m tests/test_all.py::test_last - assert 1 == 2\n";

/** A log as of a suite that says much: so many bytes at least, in tens of thousands of lines of many lengths and colours. */
export function longLog(bytes: number): Buffer {
  const block = Array.from({ length: 1000 }, (_, at) =>
    at % 7 === 0
      ? `\u001b[32mtests/test_${at}.py::test_words[${"x".repeat(at % 150)}] PASSED\u001b[0m`
      : `  File "/job/src/module_${at}.py", line ${at}, in call ${"-".repeat(at % 60)}`,
  ).join("\n");
  const times = Math.ceil(bytes / (block.length + 1));
  return Buffer.concat([
    Buffer.from("== install: uv pip install six\nInstalled\n-- install: exit 0 after 0.20 s\n"),
    Buffer.from("== test: python -m pytest\n"),
    ...Array.from({ length: times }, () => Buffer.from(`${block}\n`)),
    Buffer.from(`${FAILURE}-- test: exit 1 after 912.00 s\n`),
  ]);
}
