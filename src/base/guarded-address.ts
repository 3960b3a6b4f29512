import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

import { CreameryError } from "./errors.ts";

/**
 * Which addresses the farm may connect to because a package or a page says so: none that is private,
 * link-local, loopback, multicast or reserved (RFC 6890), unless the operator allows it.
 */

const REFUSED_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

// Global unicast is 2000::/3; of that, what tunnels or documents: 6to4 and Teredo carry an IPv4 address of anyone's choice.
const REFUSED_V6: readonly (readonly [string, number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const refusedV4 = new BlockList();
for (const [network, prefix] of REFUSED_V4) refusedV4.addSubnet(network, prefix, "ipv4");
const refusedV6 = new BlockList();
for (const [network, prefix] of REFUSED_V6) refusedV6.addSubnet(network, prefix, "ipv6");
const globalV6 = new BlockList();
globalV6.addSubnet("2000::", 3, "ipv6");
const mappedV6 = new BlockList();
mappedV6.addSubnet("::ffff:0:0", 96, "ipv6");
mappedV6.addSubnet("64:ff9b::", 96, "ipv6");

/** Is this an address of the public internet? Text that is no address is not. */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/gu, "").split("%")[0] ?? "";
  switch (isIP(bare)) {
    case 4:
      return !refusedV4.check(bare, "ipv4");
    case 6: {
      if (mappedV6.check(bare, "ipv6")) return isPublicAddress(lastFourBytes(bare));
      return globalV6.check(bare, "ipv6") && !refusedV6.check(bare, "ipv6");
    }
    default:
      return false;
  }
}

/** The IPv4 address in the last 32 bits of an IPv6 one. */
function lastFourBytes(address: string): string {
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/u.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  // URL writes an IPv6 address in its shortest form; the last two groups are the last 32 bits unless "::" hides zeros.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(":");
  const tail = address.endsWith("::")
    ? ["0", "0"]
    : groups.slice(-2).map((group) => (group === "" ? "0" : group));
  const [high = 0, low = 0] = tail.map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** What the operator allows beyond the public internet: `host`, `address`, or `address/prefix`. */
export interface AddressPolicy {
  allowsHost(host: string): boolean;
  allowsAddress(address: string): boolean;
}

/** @throws CreameryError `configuration-file` for an entry that is no host, address or network. */
export function addressPolicy(allow: readonly string[]): AddressPolicy {
  const hosts = new Set<string>();
  const networks = new BlockList();
  for (const entry of allow) {
    const [address = "", prefix] = entry.split("/");
    const version = isIP(address);
    if (version === 0) {
      if (prefix !== undefined || !/^[a-z0-9.-]+$/iu.test(entry)) {
        throw new CreameryError("configuration-file", "is no host, address or network", {
          input: entry,
          nextStep: "write addresses.allow as host, address or address/prefix",
        });
      }
      hosts.add(entry.toLowerCase());
      continue;
    }
    const family = version === 4 ? "ipv4" : "ipv6";
    const bits = prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix);
    if (!Number.isInteger(bits) || bits < 0 || bits > (version === 4 ? 32 : 128)) {
      throw new CreameryError("configuration-file", "has a prefix that is no length of a network", {
        input: entry,
      });
    }
    networks.addSubnet(address, bits, family);
  }
  return {
    allowsHost: (host) => hosts.has(host.toLowerCase()),
    allowsAddress: (address) => {
      const version = isIP(address);
      return (
        version !== 0 &&
        (isPublicAddress(address) || networks.check(address, version === 4 ? "ipv4" : "ipv6"))
      );
    },
  };
}

/** For what was said by no stranger: the operator's own addresses. */
export const ANY_ADDRESS: AddressPolicy = { allowsHost: () => true, allowsAddress: () => true };

export function addressRefused(host: string, address: string | null): CreameryError {
  const where = address === null || address === host ? host : `${host} (${address})`;
  return new CreameryError("address-refused", `${where} is no address of the public internet`, {
    nextStep: "allow it with addresses.allow in creamery.toml if it is yours",
  });
}

/** Refuses a host that is itself a literal address out of policy: no resolver is asked for those. */
export function assertHostAllowed(hostname: string, policy: AddressPolicy): void {
  const bare = hostname.replace(/^\[|\]$/gu, "");
  if (isIP(bare) !== 0 && !policy.allowsHost(bare) && !policy.allowsAddress(bare))
    throw addressRefused(bare, null);
}

/** A resolver for sockets that refuses after resolution: what is connected to is what was checked. */
export function guardedLookup(policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, "", 0);
        return;
      }
      const allowed = policy.allowsHost(hostname)
        ? found
        : found.filter(({ address }) => policy.allowsAddress(address));
      const first = allowed[0];
      if (first === undefined) {
        callback(addressRefused(hostname, found[0]?.address ?? null), "", 0);
      } else if (options.all === true) {
        callback(null, allowed);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}
