import { setTimeout as sleep } from "node:timers/promises";

import fc from "fast-check";
import { expect, test } from "vitest";

import { SCOPES, type Scope } from "../../model/principals.ts";
import { ChangeRecorder } from "../../store/sql/change-recorder.sample.ts";
import { sampleFarm, type SampleFarm } from "./farm.sample.ts";

const RUNS = 25;

const names = ["p-aardvark", "p-buffalo", "p-capybara", "p-dormouse", "p-echidna"] as const;
const projects = fc
  .tuple(...names.map(() => fc.constantFrom("public" as const, "private" as const)))
  .map((visibilities) =>
    names.map((name, at) => ({ name, visibility: visibilities[at] ?? ("public" as const) })),
  );
const someone = fc.option(
  fc.record({
    scopes: fc.uniqueArray(fc.constantFrom(...SCOPES.filter((scope) => scope !== "worker"))),
    bound: fc.option(fc.subarray([...names], { minLength: 1 }), { nil: null }),
  }),
  { nil: null, freq: 5 },
);
type Someone = { readonly scopes: readonly Scope[]; readonly bound: readonly string[] | null };

/** The rule in words of its own, not by `authorise`: what belongs to a private project needs a scope for it, and to be bound to it or to none. */
function maySee(
  who: Someone | null,
  { name, visibility }: { readonly name: string; readonly visibility: string },
  what: "results" | "queue",
): boolean {
  if (visibility === "public") return true;
  if (who === null || (who.bound !== null && !who.bound.includes(name))) return false;
  const enough: readonly Scope[] =
    what === "results" ? ["read-private", "admin"] : ["read-private", "admin", "operate"];
  return who.scopes.some((scope) => enough.includes(scope));
}

/** What an event stream tells within a moment, while things happen. */
async function overheard(farm: SampleFarm, as: string | undefined, happen: () => void) {
  const answer = await farm.ask("/events", as === undefined ? {} : { as });
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = answer.body?.getReader();
  let text = "";
  const reading = (async () => {
    for (;;) {
      const part = await reader?.read();
      if (part === undefined || part.done) return;
      text += Buffer.from(part.value).toString();
    }
  })();
  await sleep(5);
  happen();
  await sleep(10);
  await reader?.cancel();
  await reading;
  return text;
}

test("nobody is ever told the name of a project that is not theirs to see, and everybody of those that are", async () => {
  await fc.assert(
    fc.asyncProperty(projects, someone, async (all, who) => {
      await using farm = await sampleFarm();
      const as = who === null ? undefined : await farm.token(who.scopes, { projects: who.bound });
      const ask = async (path: string) => {
        const answer = await farm.ask(path, as === undefined ? {} : { as });
        return { status: answer.status, text: await answer.text() };
      };
      const kept: { id: string; key: string; name: string }[] = [];
      for (const { name, visibility } of all) {
        const id = await farm.record({ project: name }, { visibility });
        const key = await farm.enqueue(name, { visibility });
        await new ChangeRecorder(farm.database, farm.nowMs + 60_000).breaks(
          { project: name },
          { visibility },
        );
        kept.push({ id, key, name });
      }
      const told = {
        results: (await ask("/projects")).text + (await ask("/attempts")).text,
        changes: (await ask("/changes")).text,
        queue: (await ask("/jobs")).text,
        counts: (await ask("/queue")).text,
        events: await overheard(farm, as, () => {
          for (const { name, visibility } of all)
            farm.deps.live.changed({
              kind: "job",
              key: "k",
              project: name,
              visibility,
              configuration: "cpython-3.13",
              state: "queued",
              attempt: null,
            });
        }),
      };
      for (const project of all) {
        const of = kept.find(({ name }) => name === project.name);
        const results = maySee(who, project, "results");
        const queue = maySee(who, project, "queue");
        const at = { project: project.name, results, changes: results, queue };
        expect({
          project: project.name,
          results: told.results.includes(project.name),
          changes: told.changes.includes(project.name),
          queue: told.queue.includes(project.name),
        }).toEqual(at);
        expect({
          project: project.name,
          counts: told.counts.includes(project.name),
          events: told.events.includes(project.name),
          attempt: (await ask(`/attempts/${of?.id}`)).status === 200,
          failures: (await ask(`/attempts/${of?.id}/failures`)).status === 200,
          assets: (await ask(`/attempts/${of?.id}/assets`)).status === 200,
          job: (await ask(`/jobs/${of?.key}`)).status === 200,
          page: (await ask(`/projects/${project.name}`)).status === 200,
          releases: (await ask(`/projects/${project.name}/releases`)).status === 200,
          release: (await ask(`/releases/${project.name}/1.0`)).status === 200,
        }).toEqual({
          project: project.name,
          counts: queue,
          events: queue,
          attempt: results,
          failures: results,
          assets: results,
          job: queue,
          page: results,
          releases: results,
          release: results,
        });
      }
      const count = JSON.stringify(all.filter((one) => maySee(who, one, "queue")).length);
      expect(told.counts.includes(`"count":${count},`) || count === "0").toBe(true);
    }),
    { numRuns: RUNS },
  );
});
