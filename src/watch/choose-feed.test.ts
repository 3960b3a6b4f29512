import { expect, test } from "vitest";

import { startChangeFeeds, type FeedFault } from "../../test/upstream/change-feeds.ts";
import { ChangeHistory } from "../../test/upstream/change-history.ts";
import { chooseFeed, type Feed } from "./choose-feed.ts";
import { feedAddresses } from "./feed-addresses.ts";
import { sampleIndex, TRIAL_BEGIN } from "./trial.sample.ts";

async function choose(
  feeds: readonly ("changelog" | "rss")[],
  faults: readonly FeedFault[] = [],
  kept?: Feed["kind"],
) {
  const history = new ChangeHistory({ now: () => TRIAL_BEGIN });
  await using upstream = await startChangeFeeds({ history, feeds });
  upstream.faults.push(...faults);
  using index = await sampleIndex(upstream.url);
  const options = { now: TRIAL_BEGIN, signal: new AbortController().signal };
  const { feed, why, provisional } = await chooseFeed(index, {
    ...options,
    ...(kept === undefined ? {} : { kept }),
  });
  return { kind: feed.kind, why, provisional, requests: upstream.requests };
}

test("the journal is taken where there is one, else the RSS, else the pages; and it says why", async () => {
  expect(await choose(["changelog", "rss"])).toMatchObject({
    kind: "changelog",
    provisional: false,
    requests: ["POST /pypi"],
  });
  const rss = await choose(["rss"]);
  expect(rss).toMatchObject({ kind: "rss", provisional: false });
  expect(rss.why[0]).toMatch(/^changelog: .*knows no XML-RPC/u);
  const pages = await choose([]);
  expect(pages).toMatchObject({ kind: "simple-pages", provisional: false });
  expect(pages.why).toHaveLength(3);
});

test.each([
  ["garbage", { on: "/pypi", kind: "garbage" }],
  ["a page that says 200 to everything", { on: "/", kind: "garbage", body: "<html><body>hello" }],
  ["405", { on: "/pypi", kind: "status", status: 405 }],
  ["403", { on: "/pypi", kind: "status", status: 403 }],
] as const)("%s in place of XML-RPC is none", async (_, fault) => {
  const chosen = await choose(["changelog"], [fault]);
  expect(chosen).toMatchObject({ kind: "simple-pages", provisional: false });
});

test("what can't be asked just now is passed over for a while, unless it was what the index is watched by", async () => {
  const fault = { on: "/pypi", kind: "status", status: 503 } as const;
  expect(await choose(["changelog", "rss"], [fault])).toMatchObject({
    kind: "rss",
    provisional: true,
  });
  expect(await choose(["changelog", "rss"], [fault], "changelog")).toMatchObject({
    kind: "changelog",
    provisional: true,
  });
});

test("an index that can't be reached is a fault, and no index without feeds", async () => {
  await expect(choose(["changelog"], [{ on: "/", kind: "down" }])).rejects.toMatchObject({
    code: "no-network",
  });
});

test("feeds are beside the simple pages; of an address of another form none are guessed", () => {
  const of = (url: string) => feedAddresses({ url, authorization: null, insecure: false });
  expect(of("https://index.example/simple/")).toEqual({
    changelog: "https://index.example/pypi",
    updates: "https://index.example/rss/updates.xml",
  });
  expect(of("https://index.example/a/b/simple/")?.changelog).toBe("https://index.example/a/b/pypi");
  expect(of("https://index.example/root/own/+simple/")).toBeNull();
  expect(of("https://index.example/")).toBeNull();
});
