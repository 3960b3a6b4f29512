import { BlockList, isIP, isIPv6 } from "node:net";

/** Where a request came from, as the farm's own server knows it, or a proxy that the operator trusts. */
export interface Peer {
  readonly address: string;
  /** Whether nobody on the way could read it. */
  readonly encrypted: boolean;
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

export function isLoopback(address: string): boolean {
  const plain = MAPPED.exec(address)?.[1] ?? address;
  return isIP(plain) !== 0 && loopback.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}

/** What one sender can't easily have many of: an IPv4 address, or the /64 of an IPv6 one. */
export function senderOf(address: string): string {
  const plain = MAPPED.exec(address)?.[1] ?? address;
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.replace(/%.*$/u, "").toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/u, ""))
    .join(":")}::/64`;
}
