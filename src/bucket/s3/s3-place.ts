import { inspect } from "node:util";

/** Where a bucket lies on a server that speaks S3. */
export interface S3Place {
  readonly bucket: string;
  /** Before each key, with a slash at its end; or empty. */
  readonly prefix: string;
  /** `https://s3.example`, without a path. */
  readonly endpoint: string;
  readonly region: string;
  /** `path`: `endpoint/bucket/key`; `host`: `bucket.endpoint/key`. */
  readonly addressing: "path" | "host";
  /** PEM text to trust besides what this host does. */
  readonly authority?: string;
}

/** Who asks. Shown nowhere: not by printing, nor by JSON, nor by an inspector. */
export class S3Credentials {
  readonly #keyId: string;
  readonly #secret: string;
  readonly #token: string | undefined;

  constructor(keyId: string, secret: string, token?: string) {
    this.#keyId = keyId;
    this.#secret = secret;
    this.#token = token;
  }

  /** For the one place that signs. */
  reveal(): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } {
    return {
      accessKeyId: this.#keyId,
      secretAccessKey: this.#secret,
      ...(this.#token === undefined ? {} : { sessionToken: this.#token }),
    };
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

/** How it is written and shown: `s3://bucket/prefix/key`. */
export function s3Address({ bucket, prefix }: S3Place, key = ""): string {
  return `s3://${bucket}/${prefix}${key}`;
}

/** @param key with its prefix; null for the bucket itself. */
export function urlOf(
  place: S3Place,
  key: string | null,
  query: Readonly<Record<string, string>> = {},
): URL {
  const url = new URL(place.endpoint);
  if (place.addressing === "host") url.hostname = `${place.bucket}.${url.hostname}`;
  const parts = [...(place.addressing === "path" ? [place.bucket] : []), key ?? ""];
  url.pathname = `/${parts.join("/")}`.replace(/\/$/u, "") || "/";
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}
