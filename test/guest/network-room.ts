import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The farm's address, as hosts beside it see it: of the networks that are set aside for tests of networks (RFC 2544). */
const FARM = "198.18.77.1";

/** In this process: their names are not used again. */
let hosts = 0;

/** A host beside the farm: a network of its own, and one wire to this host. */
export interface OtherHost {
  /** What starts a program in it, in front of its path. */
  readonly through: readonly string[];
  plug(): void;
  unplug(): void;
}

/** Network namespaces, each with one wire to this host, and what the farm shows to them. All of it goes at the end. */
export class NetworkRoom implements AsyncDisposable {
  readonly farmAddress = FARM;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly #directory: string;
  readonly #namespaces: string[] = [];
  readonly #wires: string[] = [];

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "creamery-network-"));
    const [cert, key] = [join(this.#directory, "cert.pem"), join(this.#directory, "key.pem")];
    const made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    const named = `-subj /CN=farm.example -addext subjectAltName=IP:${FARM}`;
    run("openssl", ...`${made} ${named} -keyout ${key} -out ${cert}`.split(" "));
    this.certificate = { cert, key };
  }

  addHost(): OtherHost {
    const number = ++hosts;
    const name = `creamery-${process.pid}-${number}`;
    const wire = `cr${process.pid % 100_000}-${number}`;
    const address = `198.18.77.${10 + (number % 200)}`;
    run("ip", "netns", "add", name);
    this.#namespaces.push(name);
    run("ip", "link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name);
    this.#wires.push(wire);
    const plug = () => {
      run("ip", "link", "set", wire, "up");
      // What leads to it goes with the wire.
      run("ip", "route", "replace", `${address}/32`, "dev", wire);
    };
    run("ip", "address", "add", `${FARM}/32`, "dev", wire);
    plug();
    const inside = (...words: string[]) => run("ip", "-n", name, ...words);
    inside("link", "set", "lo", "up");
    inside("address", "add", `${address}/32`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("route", "add", `${FARM}/32`, "dev", "eth0");
    return {
      // Not by `ip netns exec`, which hides the control groups.
      through: ["nsenter", `--net=/run/netns/${name}`, "--"],
      plug,
      unplug: () => run("ip", "link", "set", wire, "down"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) spawnSync("ip", ["link", "delete", wire]);
    for (const name of this.#namespaces) spawnSync("ip", ["netns", "delete", name]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Why this host can't have such a room; null where it can. */
export async function whyNoNetworks(): Promise<string | null> {
  try {
    await using room = new NetworkRoom();
    room.addHost();
    return null;
  } catch (thrown) {
    return String(thrown);
  }
}

function run(program: string, ...words: string[]): void {
  const { status, stderr, error } = spawnSync(program, words, { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`${program} ${words.join(" ")}: ${error?.message ?? stderr.trim()}`);
}
