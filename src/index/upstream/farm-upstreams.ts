import { z } from "zod";

import type { Secret } from "../../base/secret.ts";
import type { Upstream, Upstreams } from "./upstreams.ts";

/** What a farm's index says of itself. */
export const FarmIndexFacts = z.strictObject({
  schema: z.literal(1),
  /** Of the farm's own indexes, in their order, without credentials. */
  addresses: z.array(z.string().max(2048)).max(64),
});

export interface FarmIndexAddress {
  /** The index's own, to its slash: `https://farm.example/api/v1/index/`. */
  readonly url: string;
  /** The header's value. */
  readonly authorization: Secret;
  /** PEM text. */
  readonly ca: string | undefined;
  /** As `FarmIndexFacts` says them. */
  readonly addresses: readonly string[];
}

/** A farm in the place of all upstreams: no other host of it needs any of its own, nor their credentials. */
export function farmUpstreams({ url, authorization, ca, addresses }: FarmIndexAddress): Upstreams {
  const farm = { addresses };
  const upstream = (at: string): Upstream => ({ url: at, authorization, insecure: false, farm });
  return {
    indexes: [upstream(url)],
    crates: upstream(`${url}crates/`),
    transport: {
      ca,
      clientCert: undefined,
      proxy: null,
      // Of plain http, which is loopback's, a proxy would see the token.
      direct: url.startsWith("http:"),
    },
  };
}
