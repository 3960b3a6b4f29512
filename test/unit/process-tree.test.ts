import { expect, test } from "vitest";

import { AGENT } from "../../src/launcher/oci/bundle.ts";
import { agentsAmong } from "../process-tree.ts";

const SCAN = ["/usr/bin/python3.13", "-I", "-B", "/opt/creamery/guest/scan.py", "installed"];
const SMOKE = ["/job/venv/bin/python", "-B", "/opt/creamery/guest/smoke.py", "attrs"];

test("an agent is neither what it has forked nor a tool that runs beside a package's commands", () => {
  const agent = { pid: 10, parent: 9, words: [...AGENT] };
  const others = [
    { pid: 9, parent: 1, words: ["runc", "run"] },
    { pid: 11, parent: 10, words: [...AGENT] },
    { pid: 12, parent: 10, words: ["sh", "-c", "true"] },
    { pid: 13, parent: 12, words: SCAN },
    { pid: 14, parent: 12, words: SMOKE },
  ];
  expect(agentsAmong([agent, ...others])).toEqual([agent]);
});
