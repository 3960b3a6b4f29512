import { isIP } from "node:net";

import { z } from "zod";

const HOUR_MS = 3_600_000;
const path = z.string().min(1).max(4096);
const absolute = path.refine((text) => text.startsWith("/"), "is no absolute path");

const LISTEN = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/u;

/** `127.0.0.1:8440`, `[::]:8440`. */
export interface ListenPlace {
  readonly host: string;
  /** 0 for one that the system gives. */
  readonly port: number;
}

/** @returns null for a text that is no address and port. */
export function parseListen(text: string): ListenPlace | null {
  const [, six, four, port = ""] = LISTEN.exec(text) ?? [];
  const host = six ?? four ?? "";
  if (isIP(host) === 0 || Number(port) > 65_535) return null;
  return { host, port: Number(port) };
}

export const LOG_LEVELS = ["info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

function isPingUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

/** Scheme and host of an address that has nothing else; null for any other text. */
function originOf(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  return url.href === `${url.origin}/` ? url.origin : null;
}

/** `[farm]`: what `creamery up` is to the world. */
export const ServiceTable = z
  .strictObject({
    /** Where it answers; only this host unless it is told otherwise. */
    listen: z
      .string()
      .refine((text) => parseListen(text) !== null, 'is no address and port, as "127.0.0.1:8440"')
      .optional(),
    /** Where people find it, for feeds, badges and notices: `https://farm.example`. */
    url: z
      .string()
      .max(2048)
      .refine((text) => originOf(text) !== null, 'is no origin, as "https://farm.example"')
      .optional(),
    /** PEM. Without them whatever stands before the farm speaks TLS. */
    tls_cert: absolute.optional(),
    tls_key: absolute.optional(),
    /** Of what stands before the farm: what they say of a request's origin is believed. */
    trusted_proxies: z.array(z.string().min(1).max(64)).max(64).optional(),
    /** For the User-Agent with which upstreams are watched, as indexes ask for it: an address of the operator's. */
    contact: z.string().max(200).optional(),
    /** The most that an index is asked for what is new. */
    requests_per_second: z.number().min(0.01).max(100).optional(),
    /** Jobs side by side on this host. */
    slots: z.number().int().min(1).max(256).optional(),
    /** Is asked so often as long as all is well: who hears nothing knows. */
    ping_url: z
      .string()
      .max(2048)
      .refine((text) => isPingUrl(text), "is no http:// or https:// address")
      .optional(),
    ping_minutes: z.number().min(0.1).max(1440).optional(),
    /** With less free on a disk of a host it claims nothing; with half of that, the farm takes nothing more in. */
    watermark_gib: z.number().min(0.1).max(100_000).optional(),
    /** The least that the service's log tells. */
    log_level: z.enum(LOG_LEVELS).optional(),
  })
  .refine(({ tls_cert: cert, tls_key: key }) => (cert === undefined) === (key === undefined), {
    path: ["tls_key"],
    message: "is needed with tls_cert, and only with it",
  });
export type ServiceTable = z.infer<typeof ServiceTable>;

/** `[queue]` of creamery.toml. */
export const QueueTable = z.strictObject({
  /** Pushes to one branch are tested at most once in so long. */
  cooldown_hours: z.number().min(0).max(168).optional(),
  /** So often a job may come to no end before it is dead. */
  tries: z.number().int().min(1).max(20).optional(),
  /** A worker that says nothing for so long has lost its jobs. */
  lease_seconds: z.number().int().min(10).max(3600).optional(),
});
export type QueueTable = z.infer<typeof QueueTable>;

export interface ServiceSettings {
  readonly listen: ListenPlace;
  /** `https://farm.example`; null where the operator did not say it. */
  readonly url: string | null;
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly trustedProxies: readonly string[];
  readonly contact: string | null;
  /** Undefined for what watchers do by themselves. */
  readonly requestsPerSecond: number | undefined;
  /** Null for one for each core. */
  readonly slots: number | null;
  readonly ping: { readonly url: string; readonly everyMs: number } | null;
  readonly watermarkBytes: number;
  readonly logLevel: LogLevel;
}

const USUAL_LISTEN: ListenPlace = { host: "127.0.0.1", port: 8440 };
const PING_MINUTES = 5;
const WATERMARK_GIB = 2;
const GIB = 1024 ** 3;

export function serviceSettings(table: ServiceTable): ServiceSettings {
  const { tls_cert: cert, tls_key: key } = table;
  return {
    listen: (table.listen === undefined ? null : parseListen(table.listen)) ?? USUAL_LISTEN,
    url: table.url === undefined ? null : originOf(table.url),
    tls: cert === undefined || key === undefined ? null : { cert, key },
    trustedProxies: table.trusted_proxies ?? [],
    contact: table.contact ?? null,
    requestsPerSecond: table.requests_per_second,
    slots: table.slots ?? null,
    ping:
      table.ping_url === undefined
        ? null
        : { url: table.ping_url, everyMs: (table.ping_minutes ?? PING_MINUTES) * 60_000 },
    watermarkBytes: (table.watermark_gib ?? WATERMARK_GIB) * GIB,
    logLevel: table.log_level ?? "info",
  };
}

/** What the queue is to do otherwise than it does by itself. */
export function queuePolicyOf(table: QueueTable): {
  readonly cooldownMs?: number;
  readonly mostTries?: number;
  readonly leaseMs?: number;
} {
  const { cooldown_hours: hours, tries, lease_seconds: lease } = table;
  return {
    ...(hours === undefined ? {} : { cooldownMs: hours * HOUR_MS }),
    ...(tries === undefined ? {} : { mostTries: tries }),
    ...(lease === undefined ? {} : { leaseMs: lease * 1000 }),
  };
}
