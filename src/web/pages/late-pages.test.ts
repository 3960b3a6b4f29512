import { Hono } from "hono";
import { expect, test } from "vitest";

import type { Authenticated } from "../authenticate.ts";
import { latePages } from "./late-pages.ts";

function late() {
  const loads: number[] = [];
  const app = latePages(() => {
    loads.push(loads.length);
    if (loads.length === 1) return Promise.reject(new Error("the disk can't be read"));
    const pages = new Hono<Authenticated>();
    pages.post("/queue/add", async (context) => context.text(`added ${await context.req.text()}`));
    pages.get("/p/:name", (context) => context.text(context.req.param("name")));
    return Promise.resolve(pages);
  });
  app.onError(() => new Response("failed", { status: 500 }));
  app.notFound(() => new Response("elsewhere", { status: 404 }));
  return { app, loads };
}

test("pages are loaded once, by the first look that can; whatever is no page loads none", async () => {
  const { app, loads } = late();
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await app.request(path, init, {});
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await ask("/api/v1/nowhere")).toBe("404 elsewhere");
  expect(loads).toEqual([]);
  expect(await ask("/p/six")).toBe("500 failed");
  expect(await ask("/p/six")).toBe("200 six");
  expect(await ask("/queue/add", { method: "POST", body: "six" })).toBe("200 added six");
  expect(await ask("/p/six", { method: "HEAD" })).toBe("200 ");
  expect(loads).toEqual([0, 1]);
});
