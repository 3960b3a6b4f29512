import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import { startUpstream, type UpstreamOptions } from "../../../test/upstream/upstream.ts";
import type { CreameryError } from "../../base/errors.ts";
import { openIndexService } from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";

const content = Buffer.from("spam");
const sha256 = createHash("sha256").update(content).digest("hex");
const spam = { project: "spam", filename: "spam-1.0.tar.gz", content };
const attested = Buffer.from(
  JSON.stringify({ version: 1, attestation_bundles: [{ publisher: {}, attestations: [] }] }),
);
const PATH = `/files/spam/${sha256}/spam-1.0.tar.gz.provenance`;

async function serving(options: Partial<UpstreamOptions>) {
  const upstream = owned(await startUpstream({ files: [spam], ...options }));
  const directory = temporaryDirectory("provenance");
  const upstreams = await sampleUpstreams({ index: upstream.url });
  const service = owned(await openIndexService({ directory, upstreams }));
  const faults: CreameryError[] = [];
  const { url } = await service.serve({
    place: { host: "127.0.0.1", port: 0 },
    onFault: (fault) => faults.push(fault),
  });
  const asked = () => upstream.requests.filter((line) => line.includes("/integrity/")).length;
  return { url, upstream, faults, asked };
}

const Page = z.object({ files: z.array(z.object({ provenance: z.unknown().optional() })) });
async function named(url: string): Promise<unknown> {
  const accept = "application/vnd.pypi.simple.v1+json";
  const page = await fetch(`${url}/simple/spam/`, { headers: { accept } });
  return Page.parse(await page.json()).files[0]?.provenance;
}

test.each(["json", "html"] as const)(
  "of an index in %s, a provenance is named by our address, fetched when it is asked for, and kept",
  async (format) => {
    const { url, asked } = await serving({ format, provenances: { [spam.filename]: attested } });
    expect(await named(url)).toBe(`../..${PATH}`);
    expect(await (await fetch(`${url}/simple/spam/`)).text()).toContain(
      `data-provenance="../..${PATH}"`,
    );
    expect(asked()).toBe(0);
    const answers = await Promise.all([1, 2, 3].map(() => fetch(`${url}${PATH}`)));
    for (const answer of [...answers, await fetch(`${url}${PATH}`)]) {
      expect(answer.headers.get("content-type")).toBe("application/vnd.pypi.integrity.v1+json");
      expect(Buffer.from(await answer.arrayBuffer()).equals(attested)).toBe(true);
    }
    expect(asked()).toBe(1);
  },
);

test("a file of which nothing was attested names nothing, and has nothing", async () => {
  const { url } = await serving({});
  expect(await named(url)).toBeUndefined();
  expect((await fetch(`${url}${PATH}`)).status).toBe(404);
});

test("what upstream names and does not have is not found, and asked for again", async () => {
  const { url, faults, asked } = await serving({
    provenances: { [spam.filename]: attested },
    faults: [{ on: "/integrity/", kind: "status", status: 404, times: 1 }],
  });
  expect((await fetch(`${url}${PATH}`)).status).toBe(404);
  expect((await fetch(`${url}${PATH}`)).status).toBe(200);
  expect([asked(), faults]).toEqual([2, []]);
});

test.each<[string, string, Buffer]>([
  ["is no provenance", "what is no provenance", Buffer.from("<html></html>")],
  ["is of another shape", "what is no provenance", Buffer.from('{"version": "x"}')],
  ["has no end", "is larger than", Buffer.alloc(5 << 20, " ")],
])("what %s is told as upstream's fault, and is not kept", async (_told, line, wrong) => {
  const { url, faults, asked } = await serving({ provenances: { [spam.filename]: wrong } });
  for (let time = 0; time < 2; time++) expect((await fetch(`${url}${PATH}`)).status).toBe(502);
  expect(faults[0]?.message).toContain(line);
  expect(asked()).toBe(2);
});

test.each([
  ["http://169.254.169.254/latest/meta-data/", "address-refused"],
  ["http://localhost:1/provenance", "address-refused"],
])("an address inside is not asked for it: %s", async (provenance, code) => {
  const file = { ...spam, extra: { provenance } };
  const { url, faults } = await serving({ files: [file] });
  expect((await fetch(`${url}${PATH}`)).status).toBe(502);
  expect(faults).toMatchObject([{ code }]);
});

test.each(["javascript:alert(1)", "file:///etc/passwd", 7, null])(
  "what is no address of the web is named to nobody: %s",
  async (provenance) => {
    const { url } = await serving({ files: [{ ...spam, extra: { provenance } }] });
    expect(JSON.stringify(await named(url)) ?? "").not.toMatch(/javascript|file:/u);
    expect((await fetch(`${url}${PATH}`)).status).toBe(404);
  },
);
