import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { SESSION_BOUNDS } from "../../model/sessions.ts";
import { newToken } from "../../model/token.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const tokenOf = async (scopes: Parameters<SampleSite["farm"]["token"]>[0]): Promise<string> =>
  (await site.farm.token(scopes)).replace("Bearer ", "");

const MINUTE_MS = 60_000;

describe("who logs in with a token", () => {
  test("is known from then on, and goes on to where they came from", async () => {
    await site.farm.record({ project: "secret" }, { visibility: "private" });
    const browser = site.browser();
    expect(await (await browser.get("/search?q=secret")).text()).not.toContain(">secret</a>");
    const answer = await browser.post("/login", {
      token: await tokenOf(["read-private"]),
      to: "/search?q=sec",
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/search?q=sec"]);
    const after = await browser.get("/search?q=sec");
    expect(await after.text()).toContain(">secret</a>");
    expect(after.headers.get("cache-control")).toBe("private, no-cache");
    expect(after.headers.get("vary")?.toLowerCase()).toContain("cookie");
  });

  test("is named on every page, with the way out; others see the way in", async () => {
    const browser = await site.loggedIn(["operate"]);
    const text = await (await browser.get("/search")).text();
    expect(text).toContain("who has operate</a>");
    expect(text).toContain(`action="/logout"`);
    const others = await site.text("/search?q=six");
    expect(others).toContain(`href="/login?to=%2Fsearch%3Fq%3Dsix"`);
    expect(others).not.toContain("/logout");
  });

  test("gets a cookie that scripts can't read and other sites can't have sent along with a form", async () => {
    const answer = await site.browser().post("/login", { token: await tokenOf(["operate"]) });
    const cookie = answer.headers.getSetCookie().find((text) => text.startsWith("creamery="));
    for (const part of ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=604800"])
      expect(cookie).toContain(part);
    expect(cookie).not.toMatch(/Domain|Secure/u);
    site.farm.peer = { address: "192.0.2.9", encrypted: true };
    const secure = await site.browser().post("/login", { token: await tokenOf(["operate"]) });
    expect(secure.headers.getSetCookie()[0]).toMatch(/^__Host-creamery=.*; Secure$/u);
  });

  test("has a new session each time: nobody can have made it ahead", async () => {
    const browser = await site.loggedIn(["operate"]);
    const first = browser.cookies.get("creamery") ?? "";
    const planted = "A".repeat(43);
    await browser.post("/login", { token: await tokenOf(["operate"]) });
    const second = browser.cookies.get("creamery");
    expect(second).not.toBe(first);
    // The one before is over.
    browser.cookies.set("creamery", first);
    expect(await (await browser.get("/login")).text()).toContain("<h1>Log in</h1>");
    browser.cookies.set("creamery", planted);
    await browser.post("/login", { token: await tokenOf(["operate"]) });
    expect(browser.cookies.get("creamery")).not.toBe(planted);
  });

  test.each(["//evil.example/", "/\\evil.example", "https://evil.example/", "/..//evil.example/"])(
    "is not sent on to %s",
    async (to) => {
      const browser = site.browser();
      expect(await (await browser.get(`/login?to=${encodeURIComponent(to)}`)).text()).not.toContain(
        "evil",
      );
      const answer = await browser.post("/login", { token: await tokenOf(["operate"]), to });
      expect(answer.headers.get("location")).toBe("/");
    },
  );
});

describe("who is not let in", () => {
  test("is told so, and nothing that was typed comes back", async () => {
    const browser = site.browser();
    const nobodys = newToken("person").text;
    for (const token of ["", "guess", `"><script>alert(1)</script>`, nobodys]) {
      const answer = await browser.post("/login", { token, to: "/queue" });
      const text = await answer.text();
      expect(answer.status).toBe(403);
      expect(text).toContain("That did not work");
      expect(text).toContain(`name="to" value="/queue"`);
      expect(text).not.toContain("alert(1)");
      expect(token !== "" && text.includes(token)).toBe(false);
    }
    expect(browser.cookies.size).toBe(0);
  });

  test("is asked to wait after too many tries, from this address alone", async () => {
    await using strict = await sampleSite({ tries: { tries: 3, windowMs: 60_000, addresses: 9 } });
    const browser = strict.browser();
    const statuses: number[] = [];
    for (let at = 0; at < 4; at++)
      statuses.push((await browser.post("/login", { token: newToken("person").text })).status);
    expect(statuses).toEqual([403, 403, 403, 429]);
    const good = (await strict.farm.token(["operate"])).replace("Bearer ", "");
    const held = await browser.post("/login", { token: good });
    expect([held.status, held.headers.get("retry-after")]).toEqual([429, "60"]);
    // One door: the same holds for tokens that are shown to pages.
    expect((await strict.get("/search", { as: `Bearer ${good}` })).status).toBe(429);
    strict.farm.peer = { address: "127.0.0.2", encrypted: false };
    expect((await browser.post("/login", { token: good })).status).toBe(303);
  });

  test("is no worker, nor whoever sends a token in the clear", async () => {
    const worker = await site.browser().post("/login", { token: await tokenOf(["worker"]) });
    expect(worker.status).toBe(403);
    expect(await worker.text()).toContain("worker");
    site.farm.peer = { address: "192.0.2.1", encrypted: false };
    const token = await tokenOf(["operate"]);
    const clear = await site.browser().post("/login", { token });
    expect([clear.status, clear.headers.getSetCookie()]).toEqual([403, []]);
    const text = await (await site.browser().get("/login")).text();
    expect(text).toContain("https");
    expect(text).not.toContain(`name="token"`);
  });

  test("is nobody whom another site sends", async () => {
    const token = await tokenOf(["operate"]);
    for (const headers of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
    ])
      expect((await site.browser().post("/login", { token }, headers)).status).toBe(403);
    const body = new URLSearchParams({ token }).toString();
    const sent = async (headers: Record<string, string>): Promise<number> =>
      (
        await site.app.request("/login", {
          method: "POST",
          body,
          headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        })
      ).status;
    expect(await sent({})).toBe(403);
    expect(await sent({ origin: "https://evil.example" })).toBe(403);
    expect(await sent({ origin: "null" })).toBe(403);
    expect(await sent({ origin: "https://farm.example.evil.example" })).toBe(403);
    expect(await sent({ origin: "http://localhost" })).toBe(303);
    expect(await sent({ origin: "https://farm.example" })).toBe(303);
  });
});

describe("a session ends", () => {
  const isIn = async (browser: ReturnType<SampleSite["browser"]>): Promise<boolean> => {
    const text = await (await browser.get("/login")).text();
    const isOut = text.includes("<h1>Log in</h1>");
    expect(text.includes("You are logged in as")).toBe(!isOut);
    return !isOut;
  };

  test("by logging out, for this browser alone", async () => {
    const [one, other] = [await site.loggedIn(["operate"]), await site.loggedIn(["operate"])];
    const cookie = one.cookies.get("creamery") ?? "";
    const answer = await one.post("/logout");
    expect([answer.status, one.cookies.has("creamery")]).toEqual([303, false]);
    expect(await (await one.get("/search")).text()).toContain("You are logged out.");
    // Also where somebody kept the cookie.
    one.cookies.set("creamery", cookie);
    expect([await isIn(one), await isIn(other)]).toEqual([false, true]);
  });

  test("by buttons beside each other: a form within a paragraph would end the paragraph", async () => {
    const one = await site.loggedIn(["operate"]);
    const text = await (await one.get("/login")).text();
    expect(text).toContain("Log out everywhere");
    expect(text).not.toMatch(/<p[ >](?:(?!<\/p>).)*<form/su);
  });

  test("for all browsers of a principal, where they say so", async () => {
    const token = await tokenOf(["operate"]);
    const [one, other] = [site.browser(), site.browser()];
    for (const browser of [one, other]) await browser.post("/login", { token });
    const others = await site.loggedIn(["operate"]);
    await one.post("/logout", { everywhere: "yes" });
    expect([await isIn(one), await isIn(other), await isIn(others)]).toEqual([false, false, true]);
  });

  test("after 12 hours without use, and after 7 days however much it is used", async () => {
    const { farm } = site;
    const idle = await site.loggedIn(["operate"]);
    const used = await site.loggedIn(["operate"]);
    const began = farm.nowMs;
    farm.nowMs = began + SESSION_BOUNDS.idleMs - MINUTE_MS;
    expect(await isIn(used)).toBe(true);
    farm.nowMs = began + SESSION_BOUNDS.idleMs;
    expect([await isIn(idle), await isIn(used)]).toEqual([false, true]);
    for (; farm.nowMs < began + SESSION_BOUNDS.longestMs; farm.nowMs += 11 * 60 * MINUTE_MS)
      expect(await isIn(used)).toBe(true);
    expect(await isIn(used)).toBe(false);
  });

  test("at once when its principal is revoked, or at its end", async () => {
    const { farm } = site;
    const browser = await site.loggedIn(["operate"], { expiresAtMs: farm.nowMs + 5000 });
    const other = await site.loggedIn(["operate"]);
    const { principals } = await farm.principals.list({ limit: 9 });
    const revoked = principals.find(({ expiresAtMs }) => expiresAtMs === null);
    await farm.principals.revoke(revoked?.id ?? "", farm.nowMs);
    expect([await isIn(browser), await isIn(other)]).toEqual([true, false]);
    farm.nowMs += 5000;
    expect(await isIn(browser)).toBe(false);
  });

  test("and is no longer told of a stream that it reads", async () => {
    const browser = await site.loggedIn(["read-private"]);
    const answer = await browser.get("/api/v1/events");
    const reading = answer.text();
    await browser.post("/logout");
    site.farm.nowMs += 20_000;
    await site.farm.record({ project: "six" });
    site.farm.deps.live.changed({
      kind: "job",
      key: "k",
      project: "secret",
      visibility: "private",
      configuration: "cpython-3.13",
      state: "done",
      attempt: null,
    });
    expect(await reading).not.toContain("secret");
  });
});

describe("a cookie", () => {
  test("shows the API's private things to the pages' scripts, and changes nothing there", async () => {
    await site.farm.record({ project: "secret" }, { visibility: "private" });
    const browser = await site.loggedIn(["read-private", "operate", "enqueue"]);
    expect((await browser.get("/api/v1/projects/secret")).status).toBe(200);
    expect((await site.browser().get("/api/v1/projects/secret")).status).toBe(404);
    const key = await site.farm.enqueue("six");
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    for (const [method, path] of [
      ["POST", `/api/v1/jobs/${key}/cancel`],
      ["DELETE", "/api/v1/watched/six"],
    ] as const) {
      const headers = { cookie, "sec-fetch-site": "same-origin" };
      expect((await site.app.request(path, { method, headers })).status).toBe(401);
    }
    expect(await site.farm.deps.queue.cancel(key, "by the test")).toBe(true);
  });

  test("of the clear counts for nothing over https, nor the other way round", async () => {
    const browser = await site.loggedIn(["operate"]);
    const id = browser.cookies.get("creamery") ?? "";
    const isKnown = async (name: string): Promise<boolean> =>
      (
        await (await site.app.request("/search", { headers: { cookie: `${name}=${id}` } })).text()
      ).includes("who has operate");
    expect([await isKnown("creamery"), await isKnown("__Host-creamery")]).toEqual([true, false]);
    site.farm.peer = { address: "192.0.2.1", encrypted: true };
    expect([await isKnown("creamery"), await isKnown("__Host-creamery")]).toEqual([false, true]);
    site.farm.peer = { address: "192.0.2.1", encrypted: false };
    expect([await isKnown("creamery"), await isKnown("__Host-creamery")]).toEqual([false, false]);
  });

  test("that is nobody's is as none; a token that is shown besides is who asks", async () => {
    const browser = await site.loggedIn(["operate"]);
    for (const cookie of ["", "x", "A".repeat(43), "%00", "a".repeat(5000)]) {
      const answer = await site.app.request("/search", {
        headers: { cookie: `creamery=${cookie}` },
      });
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-cache"]);
    }
    const text = await (
      await browser.get("/search", { authorization: await site.farm.token(["enqueue"]) })
    ).text();
    expect(text).toContain("who has enqueue");
    expect(text).not.toContain("form_token");
  });

  test("can't be looked up while the store fails: nobody is taken for nobody", async () => {
    const browser = await site.loggedIn(["operate"]);
    site.farm.sessions.find = () => Promise.reject(new Error("the disk is full"));
    const answer = await browser.get("/search");
    expect([answer.status, (await answer.text()).includes("disk")]).toEqual([503, false]);
  });
});
