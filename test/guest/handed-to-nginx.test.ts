import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";

import { temporaryDirectory } from "../owned.ts";
import { openIndexService } from "../../src/index/index-service.ts";
import { sampleUpstreams } from "../../src/index/upstream/upstreams.sample.ts";
import { findNginx, nginxBefore, startNginx } from "../upstream/nginx.ts";
import { startUpstream } from "../upstream/upstream.ts";

test("nginx sends the files that are kept, whole and in ranges, and nobody asks it for them but by the mirror", async (context) => {
  const directory = temporaryDirectory("nginx");
  const program = findNginx(directory);
  if (program === null) return context.skip("nginx is neither here nor to be had");
  const content = randomBytes(3_000_000);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const files = [{ project: "spam", filename: "spam-1.0.tar.gz", content }];
  await using upstream = await startUpstream({ files });
  const upstreams = await sampleUpstreams({ index: upstream.url });
  await using service = await openIndexService({ directory: join(directory, "index"), upstreams });
  await using served = await service.serve({
    place: { host: "127.0.0.1", port: 0 },
    onFault: () => undefined,
    xAccel: "/protected/",
  });
  await using nginx = await startNginx(
    program,
    directory,
    nginxBefore(served.url, "/protected/", `${directory}/index/files`),
  );
  const path = `/files/spam/${sha256}/spam-1.0.tar.gz`;
  // The first comes by way of the mirror, while it is fetched; what it is then is nginx's to send.
  for (let time = 0; time < 2; time++) {
    const answer = await fetch(`${nginx.origin}${path}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
    expect(answer.headers.get("cache-control")).toBe("max-age=31536000, immutable");
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  }
  const range = await fetch(`${nginx.origin}${path}`, { headers: { range: "bytes=-7" } });
  expect([range.status, Buffer.from(await range.arrayBuffer())]).toEqual([
    206,
    content.subarray(-7),
  ]);
  const head = await fetch(`${nginx.origin}${path}`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "3000000"]);
  const direct = await fetch(`${nginx.origin}/protected/sha256/${sha256.slice(0, 2)}/${sha256}`);
  expect(direct.status).toBe(404);
  const page = await fetch(`${nginx.origin}/simple/spam/`);
  expect(await page.text()).toContain(`../..${path}`);
  // What the mirror itself says is the address alone.
  const bare = await fetch(`${served.url}${path}`);
  expect([bare.headers.get("x-accel-redirect"), await bare.text()]).toEqual([
    `/protected/sha256/${sha256.slice(0, 2)}/${sha256}`,
    "",
  ]);
});
