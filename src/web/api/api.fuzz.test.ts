import { writeFileSync } from "node:fs";

import fc from "fast-check";
import { expect, test } from "vitest";

import { FUZZ, FUZZ_TIMEOUT_MS } from "../../../test/properties.ts";
import { ChangeRecorder } from "../../store/sql/change-recorder.sample.ts";
import { cursorOf } from "./cursors.ts";
import { arrive, sampleFarm, type SampleFarm } from "./farm.sample.ts";
import { OpenApiDocument, type Known } from "./openapi-requests.sample.ts";

const { signal } = new AbortController();
const HANG_MS = 20_000;

/** Some of everything. @returns what means something to it. */
async function fill(farm: SampleFarm): Promise<Known> {
  const results = [{ id: "t::a", outcome: "failed" as const, seconds: 0, message: "no" }];
  const [ids, keys]: [string[], string[]] = [[], []];
  for (const project of ["six", "attrs", "secret"]) {
    const visibility = project === "secret" ? "private" : "public";
    const id = await farm.record({ project }, { visibility, results });
    await farm.bucket.create(`attempts/${id}/log.txt`, Buffer.from("a log\n"), {
      signal,
      compression: "gzip",
    });
    ids.push(id);
    await new ChangeRecorder(farm.database, farm.nowMs).breaks({ project }, { visibility });
    keys.push(await farm.enqueue(project, { visibility }));
  }
  await arrive(farm, "one");
  const page = await farm.principals.list({ limit: 1 });
  writeFileSync(farm.deps.exportFile, "not empty");
  farm.deps.live.begin({
    attempt: ids[0] ?? "",
    job: keys[0] ?? "",
    project: "six",
    visibility: "public",
    configuration: "cpython-3.13",
  });
  return {
    id: [...ids, ...page.principals.map(({ id }) => id)],
    key: keys,
    name: ["six", "Attrs", "secret", "one", "log.txt"],
    project: ["six", "secret"],
    version: ["1.0"],
    configuration: ["cpython-3.13"],
    prefix: ["", "s"],
    kind: ["broke", "fixed"],
    since: ["2026-11-24T10:00:00Z", "2026-11-24T12:00:00+02:00"],
    limit: ["1", "2", "200"],
    range: ["bytes=0-2", "bytes=99-", "bytes=-1"],
    "idempotency-key": ["a", "b"],
    targets: ["six==1.0", "git+https://git.example/a/b@c", "./here"],
    cursor: [
      cursorOf("projects", "a"),
      cursorOf("jobs", "3"),
      cursorOf("changes", "3"),
      cursorOf("attempts", "\0"),
      cursorOf("failures", "t::\0"),
    ],
  };
}

/** Its body, as far as it has one that ends. */
async function read(answer: Response): Promise<void> {
  if (answer.headers.get("content-type") === "text/event-stream") await answer.body?.cancel();
  else await answer.arrayBuffer();
}

test(
  "whatever is asked, by whomever, is answered as it is described, and is no fault of the farm",
  async () => {
    await using farm = await sampleFarm({ live: { quietMs: 10 } });
    const tokens = [
      undefined,
      "Bearer nonsense",
      await farm.token(["read-private"]),
      await farm.token(["enqueue"]),
      await farm.token(["operate", "enqueue", "read-private"]),
      await farm.token(["operate"], { projects: ["six"] }),
      await farm.token(["admin"]),
    ];
    const known = await fill(farm);
    const document = new OpenApiDocument(await (await farm.ask("/openapi.json")).json());
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        document.requests(known),
        fc.constantFrom(...tokens),
        async ({ described, url, headers, body }, as) => {
          const { method } = described;
          const answer = await Promise.race([
            farm.ask(url, {
              method: method.toUpperCase(),
              headers,
              ...(as === undefined ? {} : { as }),
              ...(body === undefined ? {} : { body }),
            }),
            new Promise<never>((_, reject) => {
              setTimeout(() => reject(new Error(`${url} hangs`)), HANG_MS).unref();
            }),
          ]);
          seen.add(`${described.operation.operationId} ${answer.status}`);
          const copy = answer.headers.get("content-type")?.includes("json") === true;
          const fault = await document.fault(described, copy ? answer.clone() : answer);
          await read(answer);
          expect(farm.failures).toEqual([]);
          expect(fault).toBeNull();
          expect(answer.status).toBeLessThan(500);
        },
      ),
      FUZZ,
    );
    // It found its way into every operation, not to their doors alone.
    const reached = [...seen].filter((one) => / 20[06]$/u.test(one)).length;
    expect(reached).toBeGreaterThan(document.operations.length / 2);
    expect(farm.deps.live.readers).toBe(0);
  },
  FUZZ_TIMEOUT_MS,
);

test("an answer that is not as it is described is found", async () => {
  await using farm = await sampleFarm();
  const document = new OpenApiDocument(await (await farm.ask("/openapi.json")).json());
  const described = document.operations.find(
    ({ operation }) => operation.operationId === "listProjects",
  );
  if (described === undefined) throw new Error("no such operation");
  const json = (body: unknown, status = 200) => Response.json(body, { status });
  expect(await document.fault(described, json({ projects: [], next: null }))).toBeNull();
  expect(await document.fault(described, json({ projects: [{}], next: null }))).toContain("name");
  expect(await document.fault(described, json({}, 418))).toContain("not described");
  expect(await document.fault(described, new Response("x"))).toContain("comes as");
});
