import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startOidc, type OidcServer } from "../../../test/upstream/oidc.ts";
import { Secret } from "../../base/secret.ts";
import { oidcSettings, type LoginTable } from "../../model/config/login-table.ts";
import { OidcLogin } from "../login/oidc-login.ts";
import { sampleSite, type SampleBrowser, type SampleSite } from "./site.sample.ts";

const BACK = "https://farm.example/login/oidc/back";

let provider: OidcServer;
let site: SampleSite;
beforeAll(async () => {
  provider = await startOidc(BACK);
});
afterAll(() => provider[Symbol.asyncDispose]());
beforeEach(async () => {
  provider.lie = null;
  provider.people.clear();
  site = await sampleSite({ oidc: loginWith({}) });
});
afterEach(() => site[Symbol.asyncDispose]());

function loginWith(
  change: Partial<NonNullable<LoginTable["oidc"]>>,
  allow: readonly string[] = ["127.0.0.1"],
) {
  return (nowMs: () => number): OidcLogin => {
    const settings = oidcSettings({
      oidc: {
        issuer: provider.issuer,
        client_id: provider.clientId,
        scopes: ["email", "profile", "groups"],
        operators: ["olga@farm.example", "group:farm"],
        admins: ["sub:root-of-all"],
        readers_private: ["reader"],
        ...change,
      },
    });
    if (settings === null) throw new Error("no settings");
    return new OidcLogin({
      settings,
      secret: new Secret(provider.clientSecret),
      allow,
      authorities: async () => provider.ca,
      nowMs,
    });
  };
}

/** To the provider. @returns where the farm sends to. */
async function begin(browser: SampleBrowser, to = "/search"): Promise<string> {
  const answer = await browser.get(`/login/oidc?to=${encodeURIComponent(to)}`);
  expect(answer.status).toBe(303);
  return answer.headers.get("location") ?? "";
}

/** As the browser comes back from the provider. */
const comeBack = (browser: SampleBrowser, back: string): Promise<Response> => {
  expect(back.startsWith(`${BACK}?`)).toBe(true);
  return browser.get(back.slice("https://farm.example".length));
};

async function logIn(login: string, browser = site.browser()): Promise<SampleBrowser> {
  const answer = await comeBack(browser, await provider.logIn(await begin(browser), login));
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/search"]);
  return browser;
}

const whoIs = async (browser: SampleBrowser): Promise<string> =>
  (await browser.get("/login")).text();

const scopesOf = async (name: string): Promise<readonly string[] | undefined> => {
  const { principals } = await site.farm.principals.list({ limit: 20 });
  return principals.find((one) => one.name === name)?.scopes;
};

describe("who the operator's provider knows", () => {
  test("is let in, and may do what the configuration says of their verified address", async () => {
    provider.people.set("u1", { name: "Olga", email: "Olga@Farm.example", email_verified: true });
    const browser = await logIn("u1");
    expect(await whoIs(browser)).toContain("You are logged in as Olga.");
    expect((await browser.get("/watched")).status).toBe(200);
    expect(await scopesOf("Olga")).toEqual(["operate", "enqueue"]);
    const { records } = await site.farm.audit.list({ limit: 9 });
    expect(records.map(({ detail }) => detail)).toEqual([
      `"Olga" is known from now on, with operate, enqueue`,
    ]);
  });

  test("is one principal however often they come, by issuer and subject alone", async () => {
    provider.people.set("u1", { name: "Olga", email: "olga@farm.example", email_verified: true });
    const first = await logIn("u1");
    provider.people.set("u1", { name: "Olga B." });
    const second = await logIn("u1");
    const { principals } = await site.farm.principals.list({ limit: 20 });
    expect(principals).toHaveLength(1);
    // What is said of them at their last login; the session before keeps to what was said then.
    expect(principals[0]).toMatchObject({ name: "Olga B.", scopes: [], kind: "person" });
    expect((await second.get("/watched")).status).toBe(403);
    expect((await first.get("/watched")).status).toBe(200);
  });

  test.each([
    ["an address that is not verified", { email: "olga@farm.example", email_verified: false }],
    ["an address of which nothing is said", { email: "olga@farm.example" }],
    ["no address", {}],
    ["a group that nothing is said of", { groups: ["others", "Farm", "farm "] }],
  ])("gets no more than a name by %s", async (_, person) => {
    provider.people.set("u2", { name: "Nobody", ...person });
    const browser = await logIn("u2");
    expect(await whoIs(browser)).toContain("You are logged in as Nobody.");
    expect((await browser.get("/watched")).status).toBe(403);
    expect(await scopesOf("Nobody")).toEqual([]);
  });

  test("is not taken for another who calls themselves by that one's address", async () => {
    provider.people.set("olga@farm.example", { name: "Mallory" });
    provider.people.set("group:farm", { name: "Mallet" });
    await logIn("olga@farm.example");
    await logIn("group:farm");
    expect([await scopesOf("Mallory"), await scopesOf("Mallet")]).toEqual([[], []]);
  });

  test("may do what is said of their group, and of their subject", async () => {
    provider.people.set("u3", { name: "Gil", groups: ["others", "farm"] });
    provider.people.set("root-of-all", { name: "Root" });
    provider.people.set("reader", { name: "Reader" });
    for (const login of ["u3", "root-of-all", "reader"]) await logIn(login);
    expect(await scopesOf("Gil")).toEqual(["operate", "enqueue"]);
    expect(await scopesOf("Root")).toEqual(["admin"]);
    expect(await scopesOf("Reader")).toEqual(["read-private"]);
  });

  test("loses at once what the configuration says of them no more", async () => {
    provider.people.set("u3", { name: "Gil", groups: ["farm"] });
    const browser = await logIn("u3");
    const id = browser.cookies.get("creamery") ?? "";
    const use = (await site.farm.book.use(id))?.session;
    const settings = loginWith({ operators: ["olga@farm.example"] })(() => 0);
    await using other = await sampleSite({ oidc: () => settings });
    const [principal] = (await site.farm.principals.list({ limit: 1 })).principals;
    if (principal === undefined || use === undefined) throw new Error("nobody");
    await other.farm.principals.create(principal, { id: principal.id, sha256: "x" });
    await other.farm.sessions.create({ ...use });
    const after = other.browser();
    after.cookies.set("creamery", id);
    expect(await whoIs(after)).toContain("You are logged in as Gil.");
    expect((await after.get("/watched")).status).toBe(403);
    // And where another provider is trusted, they are nobody.
    await using moved = await sampleSite({ oidc: loginWith({ issuer: "https://other.example" }) });
    await moved.farm.principals.create(principal, { id: principal.id, sha256: "x" });
    await moved.farm.sessions.create({ ...use });
    const elsewhere = moved.browser();
    elsewhere.cookies.set("creamery", id);
    expect(await whoIs(elsewhere)).toContain("<h1>Log in</h1>");
  });

  test("is shut out for good when an operator revokes them", async () => {
    provider.people.set("u3", { name: "Gil", groups: ["farm"] });
    const browser = await logIn("u3");
    const [principal] = (await site.farm.principals.list({ limit: 1 })).principals;
    await site.farm.principals.revoke(principal?.id ?? "", site.farm.nowMs);
    expect(await whoIs(browser)).toContain("<h1>Log in</h1>");
    const back = await provider.logIn(await begin(browser), "u3");
    const answer = await comeBack(browser, back);
    expect([answer.status, browser.cookies.has("creamery-oidc")]).toEqual([403, false]);
    expect(await answer.text()).toContain("shut this login out");
  });

  test("by whatever name is shown as text", async () => {
    provider.people.set("u4", { name: `"><script>alert(1)</script>\u202e\n` });
    const text = await whoIs(await logIn("u4"));
    expect(text).not.toMatch(/<script>alert|\u202e/u);
  });
});

describe("a way to the provider and back", () => {
  const refused = async (browser: SampleBrowser, back: string): Promise<string> => {
    const answer = await comeBack(browser, back);
    expect(answer.status).toBe(403);
    expect(browser.cookies.has("creamery")).toBe(false);
    return answer.text();
  };

  test("asks for a code with a challenge, a state and a nonce, each time others", async () => {
    const urls = await Promise.all([begin(site.browser()), begin(site.browser())]);
    const [one, other] = urls.map((url) => new URL(url).searchParams);
    expect(Object.fromEntries(one ?? [])).toMatchObject({
      response_type: "code",
      code_challenge_method: "S256",
      redirect_uri: BACK,
      scope: "openid email profile groups",
      client_id: "creamery",
    });
    for (const name of ["state", "nonce", "code_challenge"])
      expect(one?.get(name)).not.toBe(other?.get(name));
  });

  test("is one browser's: another's that has not begun it is not let in by it", async () => {
    const [one, other] = [site.browser(), site.browser()];
    const back = await provider.logIn(await begin(one), "u1");
    expect(await refused(other, back)).toContain("did not begin to log in here");
    await begin(other);
    expect(await refused(other, back)).toContain("no answer to what this browser asked");
    // And the one it is of still is.
    expect((await comeBack(one, back)).status).toBe(303);
  });

  test("with a state that was changed, or none, leads nowhere", async () => {
    for (const state of ["", "x", null]) {
      const browser = site.browser();
      const back = new URL(await provider.logIn(await begin(browser), "u1"));
      if (state === null) back.searchParams.delete("state");
      else back.searchParams.set("state", state);
      expect(await refused(browser, back.href)).toContain("no answer to what this browser asked");
      expect(browser.cookies.has("creamery-oidc")).toBe(false);
    }
  });

  test("is gone once, and its code is good once", async () => {
    const browser = site.browser();
    const url = await begin(browser);
    const kept = browser.cookies.get("creamery-oidc") ?? "";
    const back = await provider.logIn(url, "u1");
    expect((await comeBack(browser, back)).status).toBe(303);
    browser.cookies.delete("creamery");
    expect(await refused(browser, back)).toContain("did not begin to log in here");
    // Also for who kept all that the browser had.
    browser.cookies.set("creamery-oidc", kept);
    expect(await refused(browser, back)).toContain("used before, or is too old");
  });

  test("with another's code leads nowhere: its challenge is this browser's", async () => {
    const [victim, thief] = [site.browser(), site.browser()];
    const stolen = new URL(await provider.logIn(await begin(victim), "u1"));
    const own = new URL(await provider.logIn(await begin(thief), "u2"));
    own.searchParams.set("code", stolen.searchParams.get("code") ?? "");
    expect(await refused(thief, own.href)).toContain("used before, or is too old");
  });

  test("that names another issuer leads nowhere", async () => {
    const browser = site.browser();
    const back = new URL(await provider.logIn(await begin(browser), "u1"));
    back.searchParams.set("iss", "https://evil.example");
    expect(await refused(browser, back.href)).toContain("be trusted");
  });

  test("whose nonce is not the one that was asked with leads nowhere", async () => {
    const browser = site.browser();
    const back = await provider.logIn(await begin(browser), "u1");
    const kept = Buffer.from(browser.cookies.get("creamery-oidc") ?? "", "base64url").toString();
    const changed = kept.replace(/"nonce":"[^"]+"/u, `"nonce":"${"n".repeat(43)}"`);
    expect(changed).not.toBe(kept);
    browser.cookies.set("creamery-oidc", Buffer.from(changed).toString("base64url"));
    expect(await refused(browser, back)).toContain("be trusted");
  });

  test("takes ten minutes at most", async () => {
    const browser = site.browser();
    const back = await provider.logIn(await begin(browser), "u1");
    site.farm.nowMs += 600_000;
    expect(await refused(browser, back)).toContain("longer than 10 minutes");
  });

  test("that somebody gives up is told so, and where it may lead is of this farm", async () => {
    const browser = site.browser();
    const back = await provider.giveUp(await begin(browser, "//evil.example"));
    expect(await refused(browser, back)).toContain("access_denied");
    const url = await begin(browser, "//evil.example");
    const answer = await comeBack(browser, await provider.logIn(url, "u1"));
    expect(answer.headers.get("location")).toBe("/");
  });

  test("that fails too often has to wait", async () => {
    await using strict = await sampleSite({
      oidc: loginWith({}),
      tries: { tries: 2, windowMs: 60_000, addresses: 9 },
    });
    const statusAfter = async (browser: SampleBrowser): Promise<number> =>
      (await browser.get("/login/oidc/back?code=x&state=y")).status;
    // Of those that another site had sent, nothing is kept against who looked at that.
    for (let at = 0; at < 3; at++) expect(await statusAfter(strict.browser())).toBe(403);
    const browser = strict.browser();
    const statuses: number[] = [];
    for (let at = 0; at < 3; at++) {
      await browser.get("/login/oidc");
      statuses.push(await statusAfter(browser));
    }
    expect(statuses).toEqual([403, 403, 429]);
  });
});

describe("a provider", () => {
  const failsWith = async (trial: SampleSite): Promise<string> => {
    const answer = await trial.browser().get("/login/oidc");
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain("log in with a token");
    return String(trial.farm.failures.at(-1));
  };

  test("at a private address is asked only where the operator allows it", async () => {
    await using guarded = await sampleSite({ oidc: loginWith({}, []) });
    provider.asked.length = 0;
    expect(await failsWith(guarded)).toContain("no address of the public internet");
    expect(provider.asked).toEqual([]);
  });

  test("that says that it is another is not believed", async () => {
    provider.lie = (path) =>
      path.startsWith("/.well-known/") ? { issuer: "https://evil.example" } : null;
    expect(await failsWith(site)).not.toBe("");
  });

  test("that sends the farm to a private address has it asked nothing there", async () => {
    const discovered = {
      issuer: provider.issuer,
      authorization_endpoint: `${provider.issuer}/auth`,
    };
    provider.lie = (path) =>
      path.startsWith("/.well-known/")
        ? { ...discovered, token_endpoint: "https://10.0.0.1/token" }
        : null;
    const browser = site.browser();
    const url = new URL(await begin(browser));
    const back = `${BACK}?code=x&state=${url.searchParams.get("state")}`;
    const answer = await comeBack(browser, back);
    expect(answer.status).toBe(502);
    expect(String(site.farm.failures.at(-1))).toContain("10.0.0.1");
  });

  test("is named on the way in; a farm without one has no such way", async () => {
    expect(await site.text("/login?to=/queue")).toContain(`href="/login/oidc?to=%2Fqueue"`);
    await using without = await sampleSite();
    expect(await without.text("/login")).not.toContain("oidc");
    expect((await without.get("/login/oidc")).status).toBe(404);
  });
});
