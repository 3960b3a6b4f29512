import { cargoConfigurationForGuest } from "../index/upstream/cargo-configuration.ts";
import { ASK_CARGO, cratesIndexFromCargo } from "../index/upstream/upstreams.ts";
import type { Guest, GuestSpec } from "../machine/machine.ts";
import { GUEST } from "./guest-environment.ts";

const ASK_MS = 20_000;

/** What of a machine is needed here. */
export interface AskedMachine {
  start(
    spec: GuestSpec,
    signal: AbortSignal,
  ): Promise<Pick<Guest, "put" | "exec"> & AsyncDisposable>;
}

/**
 * The index of crates that the image's own cargo would use, asked in a fresh guest: for a host without a cargo of its
 * own. Null when it names none.
 * @param configuration text of the host's cargo configuration, if it has one. The guest sees of it only what decides the
 *   index, without credentials.
 * @throws CreameryError `configuration-file` for one that is no TOML, and what starting a guest throws.
 */
export async function askImagesCargo(
  machine: AskedMachine,
  spec: GuestSpec,
  configuration: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  await using guest = await machine.start(spec, signal);
  const directory = "/job/ask";
  const own = { mode: 0o644, owner: "job" } as const;
  for (const [name, text] of Object.entries(ASK_CARGO.files))
    await guest.put(`${directory}/${name}`, Buffer.from(text), own);
  if (configuration !== null)
    await guest.put(
      `${GUEST.home}/.cargo/config.toml`,
      Buffer.from(cargoConfigurationForGuest(configuration)),
      own,
    );
  let said = "";
  await guest.exec(
    {
      argv: ASK_CARGO.argv,
      cwd: directory,
      env: {
        PATH: "/usr/bin:/bin",
        HOME: GUEST.home,
        CARGO_HOME: `${GUEST.home}/.cargo`,
        ...ASK_CARGO.env,
      },
      user: "job",
      wallMs: ASK_MS,
      silenceMs: 0,
      outputBytes: 64 * 1024,
      events: false,
      dumpStacks: false,
    },
    { output: (_stream, chunk) => (said += chunk.toString("utf8")) },
    signal,
  );
  return cratesIndexFromCargo(said);
}
