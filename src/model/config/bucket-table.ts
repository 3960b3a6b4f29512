import { z } from "zod";

const path = z.string().min(1).max(4096);
const absolute = path.refine((text) => text.startsWith("/"), "is no absolute path");
/** What a bucket on S3 may be called, and what may stand before its keys. */
const S3_PLACE =
  /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/((?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/?)*))?$/u;

/** `[bucket]`: where logs, reports and sources are kept. */
export const BucketTable = z
  .strictObject({
    place: z
      .string()
      .min(1)
      .max(1024)
      .refine(
        (text) => text.startsWith("/") || S3_PLACE.test(text),
        "is neither an absolute path nor s3://BUCKET/PREFIX",
      )
      .optional(),
    endpoint: z.string().max(2048).refine(isEndpoint, "is no address of a server").optional(),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/u, "is no region's name")
      .optional(),
    addressing: z.enum(["path", "host"]).optional(),
    /** A file with the access key: not the key itself. */
    credentials: absolute.optional(),
    /** PEM, to trust besides what this host does. */
    cert: absolute.optional(),
  })
  .refine(({ place, endpoint }) => !isS3(place) || endpoint !== undefined, {
    path: ["endpoint"],
    message: "is missing: where does the server answer that keeps the bucket?",
  })
  .refine(
    ({ place, ...rest }) =>
      isS3(place) || Object.values(rest).every((value) => value === undefined),
    { path: ["place"], message: "is no s3://BUCKET/PREFIX, and the other keys are of those alone" },
  );
export type BucketTable = z.infer<typeof BucketTable>;

export type BucketConfig =
  /** Null: below the data directory. */
  | { readonly kind: "directory"; readonly path: string | null }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** Empty, or with a slash at its end. */
      readonly prefix: string;
      readonly endpoint: string;
      readonly region: string;
      readonly addressing: "path" | "host";
      readonly credentialsFile: string | null;
      readonly certFile: string | null;
    };

export function bucketOf(table: BucketTable): BucketConfig {
  const { place, endpoint } = table;
  const [, bucket, prefix = ""] = S3_PLACE.exec(place ?? "") ?? [];
  if (bucket === undefined || endpoint === undefined)
    return { kind: "directory", path: place ?? null };
  return {
    kind: "s3",
    bucket,
    prefix: prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`,
    endpoint: new URL(endpoint).origin,
    region: table.region ?? "us-east-1",
    addressing: table.addressing ?? "path",
    credentialsFile: table.credentials ?? null,
    certFile: table.cert ?? null,
  };
}

/** `[retention]`: what is kept whole, and how much together. */
export const RetentionTable = z.strictObject({
  days: z.number().int().min(0).max(36_500).optional(),
  newest: z.number().int().min(0).max(1000).optional(),
  baselines: z.boolean().optional(),
  canaries: z.boolean().optional(),
  max_gib: z.number().positive().max(1_000_000).optional(),
  grace_hours: z
    .number()
    .min(25)
    .max(24 * 365)
    .optional(),
});
export type RetentionTable = z.infer<typeof RetentionTable>;

function isS3(place: string | undefined): boolean {
  return place?.startsWith("s3://") ?? false;
}

/** http or https, a host, perhaps a port; who asks is no part of it, nor is a path. */
function isEndpoint(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/u.test(url.protocol)) return false;
  return (
    url.username === "" && url.password === "" && /^\/?$/u.test(url.pathname) && url.search === ""
  );
}
