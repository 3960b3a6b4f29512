import { CreameryError, reasonOf } from "../base/errors.ts";
import { launcher as processLauncher, type LauncherClient } from "../launcher/client.ts";
import type { Machine } from "./machine.ts";
import { OciMachine } from "./oci/oci-machine.ts";

export type AvailableKind = "gvisor" | "container";
/** Policy `isolation.minimum`: nothing weaker is chosen. */
export type IsolationMinimum = "vm" | "gvisor" | "container";

export interface MachineDependencies {
  readonly launcher?: LauncherClient;
  /** Is given the machine before it is known whether its runtime works: what it starts is given up if it does not. */
  readonly ahead?: (machine: Machine) => void;
}

/** @throws CreameryError `host-lacks` when the runtime is not there or does not start. */
export async function openMachine(
  kind: AvailableKind,
  dependencies: MachineDependencies = {},
): Promise<Machine> {
  const launcher = dependencies.launcher ?? processLauncher();
  await using unproven = new AsyncDisposableStack();
  const machine = unproven.use(new OciMachine(kind, launcher));
  dependencies.ahead?.(machine);
  await launcher.request({ kind: "probe-runtime", runtime: kind });
  unproven.move();
  return machine;
}

/** Whether policy lets this kind run tests, or confirm what failed elsewhere. */
export function isolates(kind: AvailableKind, minimum: IsolationMinimum): boolean {
  switch (minimum) {
    case "vm":
      return false;
    case "gvisor":
      return kind === "gvisor";
    case "container":
      return true;
  }
}

/**
 * The strongest kind of this host that policy allows, and why it was taken.
 * @throws CreameryError `isolation` when there is none.
 */
export async function autoMachine(
  minimum: IsolationMinimum,
  dependencies: MachineDependencies = {},
): Promise<{ machine: Machine; why: string }> {
  const reasons: string[] = [];
  for (const kind of ["gvisor", "container"] as const) {
    if (!isolates(kind, minimum)) {
      reasons.push(`${kind} is below isolation.minimum "${minimum}"`);
      continue;
    }
    try {
      const machine = await openMachine(kind, dependencies);
      return {
        machine,
        why: [`${kind} is the strongest that this host has`, ...reasons].join("; "),
      };
    } catch (thrown) {
      reasons.push(reasonOf(thrown));
    }
  }
  throw new CreameryError(
    "isolation",
    `no machine kind of this host is allowed: ${reasons.join("; ")}`,
    {
      nextStep: "see `creamery doctor`, or set isolation.minimum in creamery.toml",
    },
  );
}
