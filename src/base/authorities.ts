import { getCACertificates } from "node:tls";

/** PEM texts of all whom this process trusts, and of this one too. */
export function authoritiesWith(ca: string): string[] {
  return [...getCACertificates("default"), ca];
}
