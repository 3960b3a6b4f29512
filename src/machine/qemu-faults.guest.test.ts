import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { sessionCgroups } from "../launcher/cgroup.ts";
import { SnapshotManifest } from "../launcher/qemu/snapshot-manifest.ts";
import { QEMU_CHECKS } from "./contract/qemu-checks.ts";
import {
  cacheDirectory,
  FarmUnderTest,
  GONE_MS,
  imageForTests,
} from "./contract/farm-under-test.ts";

/** What may befall a virtual machine, and what the farm says of it; and what only virtual machines must do. */

const MIB = 1024 * 1024;
const MINUTES = 60_000;
const heldSchema = z.object({ ended: z.string(), seconds: z.number() });
const SLEEPING = "import time; time.sleep(180)";

/** Takes the agent's own descriptor of the channel, as only a guest's root can, and writes to it. */
const onChannel = (payload: string, times: number) => `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
(number,) = [int(n) for n in os.listdir("/proc/1/fd") if os.readlink("/proc/1/fd/" + n).startswith("/dev/vport")]
channel = libc.syscall(438, libc.syscall(434, 1, 0), number, 0)
assert channel >= 0, os.strerror(ctypes.get_errno())
os.set_blocking(channel, True)
payload = ${payload}
for _ in range(${times}):
    os.write(channel, payload)
import time; time.sleep(180)
`;

let farm: FarmUnderTest;
beforeAll(async () => {
  farm = await FarmUnderTest.open("qemu");
  // The first one makes the snapshot, if no test before has.
  await farm.ask("start");
}, 15 * MINUTES);
afterAll(async () => {
  await farm[Symbol.asyncDispose]();
});

/** Holds a guest, does something to its QEMU, and answers with how it ended. */
async function befallen(
  befall: (pid: number, cgroup: string) => void,
  code = SLEEPING,
): Promise<z.infer<typeof heldSchema> & { id: string }> {
  const { id } = z
    .object({ id: z.string() })
    .parse(await farm.ask("hold", Buffer.from(code).toString("base64")));
  const group = memoryGroup(id);
  const pid = readFileSync(join(group, "cgroup.procs"), "utf8")
    .split("\n")
    .map(Number)
    .find((one) => one > 0 && nameOf(one).startsWith("qemu-system"));
  expect(pid).toBeDefined();
  befall(pid ?? 0, group);
  return { ...heldSchema.parse(await farm.ask("held")), id };
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8");
}

function memoryGroup(guestId: string): string {
  const group = sessionCgroups(farm.session.split("/").at(-1) ?? "").find(
    (path) => path.endsWith(`/${guestId}`) && !/cgroup\/(?:pids|cpuacct)\//u.test(path),
  );
  expect(group).toBeDefined();
  return group ?? "";
}

async function expectNothingLeft(id: string): Promise<void> {
  expect(
    await farm.leaksAfter(GONE_MS, (leak) => leak.endsWith(`/${id}`) || leak.includes(`/${id} `)),
  ).toEqual([]);
}

describe("a virtual machine", () => {
  it.each(Object.keys(QEMU_CHECKS))(
    "%s",
    async (name) => {
      await farm.ask("check", name);
    },
    15 * MINUTES,
  );

  it("that is killed is lost at once", async () => {
    const { ended, seconds, id } = await befallen((pid) => process.kill(pid, "SIGKILL"));
    expect(ended).toBe("agent-lost");
    expect(seconds).toBeLessThan(20);
    await expectNothingLeft(id);
  });

  it(
    "that is frozen is lost within its deadline",
    async () => {
      const { ended, seconds, id } = await befallen((pid) => process.kill(pid, "SIGSTOP"));
      expect(ended).toBe("agent-lost");
      expect(seconds).toBeLessThan(60);
      await expectNothingLeft(id);
    },
    2 * MINUTES,
  );

  it(
    "that the host has no more memory for is lost, and no limit of the job's is blamed",
    async () => {
      const eating =
        "import time; time.sleep(3); held = bytearray(b'x' * 200_000_000); time.sleep(180)";
      const { ended, id } = await befallen((_, group) => {
        for (const [used, limits] of [
          ["memory.usage_in_bytes", ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]],
          ["memory.current", ["memory.max"]],
        ] as const) {
          if (!readdirSync(group).includes(used)) continue;
          const limit = Number(readFileSync(join(group, used), "utf8")) + 60 * MIB;
          for (const name of limits)
            if (readdirSync(group).includes(name)) writeFileSync(join(group, name), String(limit));
        }
      }, eating);
      expect(ended).toBe("agent-lost");
      await expectNothingLeft(id);
    },
    2 * MINUTES,
  );

  it.each([
    ["garbage", onChannel('b"no frame at all " * 1000', 1)],
    [
      "ten gigabytes",
      onChannel('b"\\x00\\x0f\\x00\\x00\\x02\\x00\\x00\\x00\\x01" + bytes(0xf0000)', 11_000),
    ],
  ])(
    "that writes %s on its channel is cut off",
    async (_, code) => {
      const { ended, seconds, id } = await befallen(() => undefined, code);
      expect(ended).toBe("channel");
      expect(seconds).toBeLessThan(60);
      await expectNothingLeft(id);
    },
    2 * MINUTES,
  );
});

describe("a snapshot", () => {
  const snapshots = join(cacheDirectory(), "snapshots");
  const shape = {
    imageId: imageForTests(),
    accelerator: "tcg",
    memoryBytes: 300 * MIB,
    diskBytes: 100 * MIB,
  };
  const find = async (changes: object = {}) =>
    z
      .object({ key: z.string(), ready: z.boolean() })
      .parse(
        await farm.ask("request", JSON.stringify({ kind: "find-snapshot", ...shape, ...changes })),
      );

  it("is not taken for another machine's", async () => {
    const { key, ready } = await find();
    expect(ready).toBe(true);
    const others = [
      await find({ accelerator: "kvm" }),
      await find({ memoryBytes: 302 * MIB }),
      await find({ diskBytes: 104 * MIB }),
    ];
    expect(others.every((other) => other.key !== key && !other.ready)).toBe(true);
  });

  it("whose state is damaged is not used", async () => {
    const { key } = await find();
    const path = join(snapshots, key, "state");
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    writeFileSync(path, damaged);
    try {
      expect(await find()).toEqual({ key, ready: false });
    } finally {
      writeFileSync(path, whole);
    }
    expect(await find()).toEqual({ key, ready: true });
  });

  it("whose state QEMU can't go on with ends the start, with what to do", async () => {
    const { key } = await find();
    const [state, manifest] = [
      join(snapshots, key, "state"),
      join(snapshots, key, "manifest.json"),
    ];
    const [wholeState, wholeManifest] = [readFileSync(state), readFileSync(manifest, "utf8")];
    const damaged = Buffer.concat([Buffer.from("nonsense"), wholeState]);
    const said = SnapshotManifest.parse(JSON.parse(wholeManifest));
    const stateSha256 = createHash("sha256").update(damaged).digest("hex");
    writeFileSync(state, damaged);
    writeFileSync(manifest, JSON.stringify({ ...said, stateSha256 }));
    try {
      await expect(farm.ask("start")).rejects.toThrow(/can't go on with the snapshot's state/u);
    } finally {
      writeFileSync(state, wholeState);
      writeFileSync(manifest, wholeManifest);
    }
    await farm.ask("start");
  });

  it("leaves nothing of all that at the farm's end", async () => {
    expect(await farm.exit(0)).toBe(0);
    expect(await farm.leaksAfter(0)).toEqual([]);
    expect(readdirSync(join(snapshots, "scratch"))).toEqual([]);
  });
});
