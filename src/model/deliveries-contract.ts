import { expect, test } from "vitest";

import type { Deliveries, DeliveryKey } from "./deliveries.ts";

/** What every kind of `Deliveries` does alike; `open` opens an empty one. */
export function deliveriesContract(open: () => Promise<Deliveries>): void {
  const BODY = "a".repeat(64);
  const OTHER = "b".repeat(64);
  const key = (change: Partial<DeliveryKey> = {}): DeliveryKey => ({
    scope: "github:lmdb",
    id: "72d3162e",
    bodySha256: BODY,
    byBody: true,
    ...change,
  });

  test("what was only looked for is new again", async () => {
    const deliveries = await open();
    expect(await deliveries.look(key())).toBe("new");
    expect(await deliveries.look(key())).toBe("new");
  });

  test("what was kept was seen, and keeping it again says so", async () => {
    const deliveries = await open();
    expect(await deliveries.keep(key(), 1000)).toBe("new");
    expect(await deliveries.look(key())).toBe("seen");
    expect(await deliveries.keep(key(), 2000)).toBe("seen");
  });

  test("an id with another body is no retry, and does not replace what was kept", async () => {
    const deliveries = await open();
    await deliveries.keep(key(), 1000);
    expect(await deliveries.look(key({ bodySha256: OTHER }))).toBe("other-body");
    expect(await deliveries.keep(key({ bodySha256: OTHER }), 1000)).toBe("other-body");
    expect(await deliveries.look(key())).toBe("seen");
    expect(await deliveries.look(key({ id: "another", bodySha256: OTHER }))).toBe("new");
  });

  test("the same body under another id, or under none, was seen where the body counts", async () => {
    const deliveries = await open();
    await deliveries.keep(key(), 1000);
    expect(await deliveries.look(key({ id: "another" }))).toBe("seen");
    expect(await deliveries.look(key({ id: null }))).toBe("seen");
    expect(await deliveries.look(key({ id: "another", byBody: false }))).toBe("new");
  });

  test("a body counts where it counts, also when it was kept under an id that alone counted", async () => {
    const deliveries = await open();
    await deliveries.keep(key({ byBody: false }), 1000);
    expect(await deliveries.look(key({ id: "another" }))).toBe("seen");
  });

  test("without an id the body alone is the key", async () => {
    const deliveries = await open();
    await deliveries.keep(key({ id: null }), 1000);
    expect(await deliveries.look(key({ id: null }))).toBe("seen");
    expect(await deliveries.look(key({ id: null, bodySha256: OTHER }))).toBe("new");
  });

  test("with neither an id nor a body that counts, all is new", async () => {
    const deliveries = await open();
    const nameless = key({ id: null, byBody: false });
    expect(await deliveries.keep(nameless, 1000)).toBe("new");
    expect(await deliveries.look(nameless)).toBe("new");
  });

  test("scopes have nothing to do with each other", async () => {
    const deliveries = await open();
    await deliveries.keep(key(), 1000);
    expect(await deliveries.look(key({ scope: "github:six" }))).toBe("new");
    expect(await deliveries.look(key({ scope: "github:six", bodySha256: OTHER }))).toBe("new");
  });

  test("what is older than a time is forgotten, the rest stays", async () => {
    const deliveries = await open();
    await deliveries.keep(key({ id: "old" }), 999);
    await deliveries.keep(key({ id: "young", bodySha256: OTHER }), 1000);
    expect(await deliveries.forget(1000)).toBe(1);
    expect(await deliveries.look(key({ id: "old" }))).toBe("new");
    expect(await deliveries.look(key({ id: "young", bodySha256: OTHER }))).toBe("seen");
    expect(await deliveries.forget(1000)).toBe(0);
  });

  test("keeps hostile ids as text", async () => {
    const deliveries = await open();
    const hostile = "'; drop table delivery; -- %_\\ \" ~";
    await deliveries.keep(key({ id: hostile, byBody: false }), 1000);
    expect(await deliveries.look(key({ id: hostile, byBody: false }))).toBe("seen");
    expect(await deliveries.look(key({ id: "%", byBody: false }))).toBe("new");
  });

  test("of two at once that are the same, one is new", async () => {
    const deliveries = await open();
    const both = await Promise.all([deliveries.keep(key(), 1000), deliveries.keep(key(), 1000)]);
    expect(both.toSorted()).toEqual(["new", "seen"]);
  });
}
