import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { reasonOf } from "../../base/errors.ts";
import { LauncherClient } from "../../launcher/client.ts";
import { toLauncherSchema, type LauncherRequest } from "../../launcher/protocol.ts";
import { addToUserTree, beginUserTree, endUserTree } from "../../launcher/user-tree.ts";
import { UserTreeWriter } from "./user-tree-writer.ts";

let root = "";
let asked: string[] = [];
let client: LauncherClient;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-tree-writer-"));
  mkdirSync(join(root, "exchange"));
  asked = [];
  client = new LauncherClient(root, (message) => {
    const parsed = toLauncherSchema.parse(message);
    if ("abort" in parsed) return;
    const { id, request } = parsed;
    asked.push(request.kind);
    perform(request).then(
      (value) => client.receive({ id, value }),
      (thrown: unknown) =>
        client.receive({ id, error: { code: "launcher", reason: reasonOf(thrown) } }),
    );
  });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As the launcher does it, for ourselves. */
async function perform(request: LauncherRequest): Promise<unknown> {
  const session = {
    id: "s1-1",
    directory: root,
    received: root,
    repository: join(import.meta.dirname, "../../.."),
    sockets: root,
    guests: root,
    exchange: join(root, "exchange"),
  };
  const as = { session, asker: { uid: 0, gid: 0 }, signal: new AbortController().signal };
  if (request.kind === "begin-user-tree") return await beginUserTree({ ...as, ...request });
  if (request.kind === "add-to-user-tree") await addToUserTree({ ...as, ...request });
  else if (request.kind === "end-user-tree") await endUserTree({ ...as, ...request });
  else throw new Error(`${request.kind} is not asked here`);
  return {};
}

const begin = (signal = new AbortController().signal): Promise<UserTreeWriter> =>
  UserTreeWriter.begin({ launcher: client, path: join(root, "report"), isPrivate: false, signal });

test("what is added is there once it is kept, in as many batches as it takes", async () => {
  const large = Buffer.alloc(3 * 1024 * 1024, "x");
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let index = 0; index < 7; index++) yield large;
  }
  {
    await using tree = await begin();
    await tree.add("a/0x/log.txt", pieces());
    await tree.add("index.html", "home");
    await tree.add("empty", (async function* () {})());
    expect(readdirSync(root)).not.toContain("report");
    await tree.keep();
    expect([tree.files, tree.bytes]).toEqual([3, 7 * large.length + 4]);
  }
  expect(readFileSync(join(root, "report/a/0x/log.txt")).length).toBe(7 * large.length);
  expect(readFileSync(join(root, "report/index.html"), "utf8")).toBe("home");
  expect(readFileSync(join(root, "report/empty"), "utf8")).toBe("");
  expect(asked.filter((kind) => kind === "add-to-user-tree")).toHaveLength(2);
  expect(readdirSync(join(root, "exchange"))).toEqual([]);
});

test("what is not kept leaves nothing, and what was there stays", async () => {
  {
    await using tree = await begin();
    await tree.add("index.html", "before");
    await tree.keep();
  }
  await expect(begin(AbortSignal.abort(new Error("early")))).rejects.toThrow("early");
  const stop = new AbortController();
  const interrupted = async () => {
    await using tree = await begin(stop.signal);
    await tree.add("index.html", Buffer.alloc(17 * 1024 * 1024));
    stop.abort(new Error("Ctrl-C"));
    await tree.add("p/index.html", "never");
    await tree.keep();
  };
  await expect(interrupted()).rejects.toThrow("Ctrl-C");
  expect(readFileSync(join(root, "report/index.html"), "utf8")).toBe("before");
  expect(readdirSync(join(root, "report")).toSorted()).toEqual([".creamery-report", "index.html"]);
  expect(readdirSync(root).toSorted()).toEqual(["exchange", "report"]);
  expect(readdirSync(join(root, "exchange"))).toEqual([]);
});
