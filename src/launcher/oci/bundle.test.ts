import { expect, it } from "vitest";
import { z } from "zod";

import { JOB_WRITABLE, ociConfiguration } from "./bundle.ts";

const configurationSchema = z.looseObject({
  process: z.looseObject({
    noNewPrivileges: z.boolean(),
    env: z.array(z.string()),
    capabilities: z.record(z.string(), z.array(z.string())),
  }),
  mounts: z.array(
    z.looseObject({
      destination: z.string(),
      type: z.string(),
      options: z.array(z.string()).optional(),
    }),
  ),
  linux: z.looseObject({
    namespaces: z.array(z.object({ type: z.string() })),
    seccomp: z.unknown().optional(),
    uidMappings: z.unknown().optional(),
  }),
});

function configured(runtime: "gvisor" | "container") {
  return configurationSchema.parse(
    ociConfiguration({
      runtime,
      root: "/r",
      sockets: "/s",
      agent: "/a",
      nonce: "abcdef0123456789",
      diskBytes: 1234 * 4096,
      cgroupPath: "/creamery/s/g",
      firstUid: 2_000_000_000,
    }),
  );
}

it.each(["gvisor", "container"] as const)(
  "gives %s no network, no new privileges and nothing of the host to write",
  (runtime) => {
    const { process, mounts, linux } = configured(runtime);
    expect(process.noNewPrivileges).toBe(true);
    expect(linux.namespaces.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["pid", "network", "ipc", "uts", "mount"]),
    );
    const binds = mounts.filter(({ type }) => type === "bind");
    expect(binds.map(({ destination }) => destination)).toEqual([
      "/run/creamery",
      "/opt/creamery/guest",
    ]);
    for (const bind of binds) expect(bind.options).toContain("ro");
    expect(Object.values(process.capabilities).flat()).not.toContain("CAP_SYS_ADMIN");
  },
);

it("maps a container's users away from the host's and filters its system calls", () => {
  const { linux } = configured("container");
  expect(linux.namespaces).toContainEqual({ type: "user" });
  expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: 2_000_000_000, size: 65536 }]);
  expect(linux.seccomp).toBeDefined();
});

it("bounds in gVisor each place the job may write", () => {
  const { mounts } = configured("gvisor");
  for (const path of JOB_WRITABLE) {
    const mount = mounts.find(({ destination }) => destination === path);
    expect(mount?.options).toContain(`size=${1234 * 4096}`);
  }
});
