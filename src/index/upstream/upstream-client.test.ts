import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";

import { startUpstream } from "../../../test/upstream/upstream.ts";
import { UpstreamClient } from "./upstream-client.ts";

test("a question that is given up when its answer is whole and not read to its end ends nothing else", async () => {
  const content = Buffer.from("x".repeat(100));
  await using upstream = await startUpstream({
    files: [{ project: "spam", filename: "spam-1.0.zip", content }],
  });
  const client = new UpstreamClient(
    { url: upstream.url, authorization: null, insecure: false },
    { ca: undefined, clientCert: undefined, proxy: null, direct: true },
  );
  const url = `${upstream.origin}/packages/spam-1.0.zip`;
  const asked = new AbortController();
  const response = await client.request({ url, signal: asked.signal });
  // What Node throws of a connection is nobody's to catch: it ends this process.
  const uncaught: unknown[] = [];
  const note = (thrown: unknown) => uncaught.push(thrown);
  process.prependListener("uncaughtException", note);
  onTestFinished(() => void process.off("uncaughtException", note));
  try {
    for await (const _ of response.body) asked.abort(new Error("enough"));
  } catch {
    // Whether it was whole by then is the network's to say.
  }
  await sleep(50);
  expect(uncaught).toEqual([]);
  using again = await client.request({ url, signal: new AbortController().signal });
  expect(again.status).toBe(200);
});
