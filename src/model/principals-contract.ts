import { expect, test } from "vitest";

import type { NewPrincipal, Principals } from "./principals.ts";
import { newToken } from "./token.ts";

/** What every kind of `Principals` does alike; `open` opens an empty one. */
export function principalsContract(open: () => Promise<Principals>): void {
  const made = (change: Partial<NewPrincipal> = {}): NewPrincipal => ({
    kind: "program",
    name: "ci of hush",
    scopes: ["enqueue", "read-private"],
    projects: ["hush"],
    createdAtMs: 1000,
    createdBy: "0000000000000000",
    expiresAtMs: 9000,
    ...change,
  });
  const token = (id: string): { id: string; sha256: string } => ({
    id,
    sha256: newToken("program").sha256,
  });

  test("gives back what was kept, by its token's hash and by its id", async () => {
    const principals = await open();
    const { id, sha256 } = newToken("program");
    const kept = await principals.create(made(), { id, sha256 });
    expect(kept).toEqual({ ...made(), id, revokedAtMs: null, lastUsedAtMs: null });
    expect(await principals.findByHash(sha256)).toEqual(kept);
    expect(await principals.find(id)).toEqual(kept);
  });

  test("keeps nothing where there is nothing, and hostile names as text", async () => {
    const principals = await open();
    const bare = made({
      name: "'; drop table principal; -- \u202e 漢 \\ \" %_",
      scopes: [],
      projects: null,
      createdBy: null,
      expiresAtMs: null,
    });
    const kept = await principals.create(bare, token("aaaaaaaaaaaaaaaa"));
    expect(await principals.find("aaaaaaaaaaaaaaaa")).toEqual(kept);
    expect(kept).toMatchObject(bare);
    const none = await principals.create(made({ projects: [] }), token("bbbbbbbbbbbbbbbb"));
    expect((await principals.find(none.id))?.projects).toEqual([]);
  });

  test("finds nobody by a hash that nobody has, nor by a part of one", async () => {
    const principals = await open();
    const { id, sha256 } = newToken("program");
    await principals.create(made(), { id, sha256 });
    for (const other of ["", sha256.slice(1), sha256.slice(0, 63), `${sha256}0`, "%", id])
      expect(await principals.findByHash(other)).toBeNull();
    expect(await principals.find(sha256)).toBeNull();
  });

  test("the same again is once; another under its id or its hash is refused", async () => {
    const principals = await open();
    const first = token("aaaaaaaaaaaaaaaa");
    const kept = await principals.create(made(), first);
    expect(await principals.create(made({ name: "another" }), first)).toEqual(kept);
    await expect(principals.create(made(), { ...token("x"), id: first.id })).rejects.toMatchObject({
      code: "store",
    });
    await expect(
      principals.create(made(), { id: "bbbbbbbbbbbbbbbb", sha256: first.sha256 }),
    ).rejects.toMatchObject({ code: "store" });
    expect((await principals.list({ limit: 10 })).principals).toEqual([kept]);
  });

  test("lists all in the order of their ids, page by page", async () => {
    const principals = await open();
    const ids = ["cccccccccccccccc", "aaaaaaaaaaaaaaaa", "eeeeeeeeeeeeeeee", "bbbbbbbbbbbbbbbb"];
    for (const id of ids) await principals.create(made(), token(id));
    const first = await principals.list({ limit: 3 });
    expect(first.principals.map(({ id }) => id[0])).toEqual(["a", "b", "c"]);
    const second = await principals.list({ limit: 3, after: first.after ?? "" });
    expect(second).toMatchObject({ principals: [{ id: "eeeeeeeeeeeeeeee" }], after: null });
    expect((await principals.list({ limit: 4 })).after).toBeNull();
  });

  test("what is revoked stays so from its first time on, and is still found and listed", async () => {
    const principals = await open();
    const one = token("aaaaaaaaaaaaaaaa");
    await principals.create(made(), one);
    expect(await principals.revoke(one.id, 2000)).toBe(true);
    expect(await principals.revoke(one.id, 3000)).toBe(true);
    expect((await principals.findByHash(one.sha256))?.revokedAtMs).toBe(2000);
    expect((await principals.list({ limit: 10 })).principals).toHaveLength(1);
    expect(await principals.revoke("bbbbbbbbbbbbbbbb", 2000)).toBe(false);
  });

  test("its name and what it is good for may change, and nothing else does", async () => {
    const principals = await open();
    const one = token("aaaaaaaaaaaaaaaa");
    await principals.create(made(), one);
    await principals.create(made(), token("bbbbbbbbbbbbbbbb"));
    await principals.revoke(one.id, 2000);
    const before = await principals.find(one.id);
    expect(await principals.change(one.id, { name: "new", scopes: ["admin"] })).toBe(true);
    const after = await principals.find(one.id);
    expect(after).toEqual({ ...before, name: "new", scopes: ["admin"] });
    expect((await principals.find("bbbbbbbbbbbbbbbb"))?.name).toBe(made().name);
    expect(await principals.change("x", { name: "new", scopes: [] })).toBe(false);
  });

  test("when it was last used never goes back", async () => {
    const principals = await open();
    const one = token("aaaaaaaaaaaaaaaa");
    await principals.create(made(), one);
    await principals.touch(one.id, 2000);
    await principals.touch(one.id, 1500);
    expect((await principals.find(one.id))?.lastUsedAtMs).toBe(2000);
    await principals.touch("bbbbbbbbbbbbbbbb", 2000);
    expect(await principals.find("bbbbbbbbbbbbbbbb")).toBeNull();
  });
}
