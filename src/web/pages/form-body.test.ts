import { afterEach, beforeEach, expect, test } from "vitest";

import { FORM_TOKEN } from "../../pages/shell/deed-form.ts";
import { sampleSite, type SampleBrowser, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
let browser: SampleBrowser;
let key = "";
beforeEach(async () => {
  site = await sampleSite();
  browser = await site.loggedIn(["operate"]);
  key = await site.farm.enqueue("six");
});
afterEach(() => site[Symbol.asyncDispose]());

const isQueued = (): Promise<boolean> => site.farm.deps.queue.cancel(key, "by the test");

test("a form of the farm's own page is done", async () => {
  expect((await browser.post(`/queue/${key}/cancel`)).status).toBe(303);
  expect(await isQueued()).toBe(false);
});

test("one without a token, or with that of another session, is not", async () => {
  const other = await (await site.loggedIn(["operate"])).formToken();
  const own = await browser.formToken();
  for (const token of ["", other, own.slice(1), `${own}A`, "x"]) {
    const answer = await browser.post(`/queue/${key}/cancel`, { [FORM_TOKEN]: token });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("nothing was done");
  }
  expect(await isQueued()).toBe(true);
});

test("one that another site has sent is not, whatever token it knows", async () => {
  for (const from of ["cross-site", "same-site", "none", ""]) {
    const answer = await browser.post(`/queue/${key}/cancel`, {}, { "sec-fetch-site": from });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("another site");
  }
  expect(await isQueued()).toBe(true);
});

test("one whose session is over, or that has none but a token's header, is not", async () => {
  const token = await browser.formToken();
  const as = await site.farm.token(["operate"]);
  const fields = { [FORM_TOKEN]: token };
  const withHeader = await site
    .browser()
    .post(`/queue/${key}/cancel`, fields, { authorization: as });
  expect(withHeader.status).toBe(403);
  browser.cookies.clear();
  const answer = await browser.post(`/queue/${key}/cancel`, fields);
  expect(answer.status).toBe(401);
  expect(await answer.text()).toContain(`href="/login"`);
  expect(await isQueued()).toBe(true);
});

test("what is no form by its type, or too large, is not", async () => {
  const types = ["text/plain", "application/json", "multipart/form-data; boundary=x", ""];
  for (const type of types)
    expect((await browser.post(`/queue/${key}/cancel`, {}, { "content-type": type })).status).toBe(
      415,
    );
  const large = await browser.post(`/queue/${key}/cancel`, { reason: "x".repeat(70_000) });
  expect(large.status).toBe(413);
  expect(await isQueued()).toBe(true);
});
