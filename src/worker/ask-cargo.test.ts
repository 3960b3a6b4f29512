import { expect, test } from "vitest";

import type { GuestSpec } from "../machine/machine.ts";
import { askImagesCargo, type AskedMachine } from "./ask-cargo.ts";

const spec: GuestSpec = { imageId: "i", memoryBytes: 1, cpuSeconds: 1, pids: 8, diskBytes: 1 };
const signal = new AbortController().signal;

/** A guest that keeps what it is given, and whose cargo names what `registry` of its configuration says. */
function fakeMachine(): { readonly machine: AskedMachine; readonly files: Map<string, string> } {
  const files = new Map<string, string>();
  const machine: AskedMachine = {
    start: async () => ({
      put: async (path, content) => {
        if (!Buffer.isBuffer(content)) throw new Error("bytes are enough for this");
        files.set(path, content.toString("utf8"));
      },
      exec: async (request, sinks) => {
        files.set("env", JSON.stringify(request.env));
        const text = files.get(`${request.env["CARGO_HOME"]}/config.toml`) ?? "";
        const url = /registry = "sparse\+([^"]+)"/u.exec(text)?.[1] ?? "https://default.example/";
        const said = `Caused by:\n  failed to download from \`${url}config.json\`\n`;
        sinks.output("stderr", Buffer.from(said));
        return { code: 101, signal: null, limit: null, seconds: 0, outputBytes: said.length };
      },
      [Symbol.asyncDispose]: async () => undefined,
    }),
  };
  return { machine, files };
}

test("the image's cargo is asked with the configuration of the person who asked, and sees no credentials in it", async () => {
  const { machine, files } = fakeMachine();
  const configuration = `
[source.crates-io]
replace-with = "mine"
[source.mine]
registry = "sparse+https://planted-user:planted-password@index.example/sub/"
[registries.mine]
index = "sparse+https://index.example/sub/"
token = "planted-token"
`;
  const found = await askImagesCargo(machine, spec, configuration, signal);
  expect(found).toBe("https://index.example/sub/");
  expect(files.size).toBeGreaterThan(3);
  expect([...files.values()].join("\n")).not.toContain("planted");
});

test("without a configuration the image's own decides", async () => {
  const { machine, files } = fakeMachine();
  expect(await askImagesCargo(machine, spec, null, signal)).toBe("https://default.example/");
  expect([...files.keys()].filter((path) => path.includes(".cargo"))).toEqual([]);
});

test("a configuration that is no TOML is a fault: the default would be another index", async () => {
  const { machine } = fakeMachine();
  await expect(askImagesCargo(machine, spec, "[source", signal)).rejects.toMatchObject({
    code: "configuration-file",
  });
});
