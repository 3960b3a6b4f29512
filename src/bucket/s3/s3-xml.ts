import { XMLParser, XMLValidator } from "fast-xml-parser";
import { z } from "zod";

/** What an S3 server says in XML: parsed as hostile input, only what is used of it. */

const parser = new XMLParser({
  processEntities: false,
  parseTagValue: false,
  ignoreAttributes: true,
  isArray: (name) => name === "Contents" || name === "Upload",
});

const Page = z.object({
  ListBucketResult: z.object({
    IsTruncated: z.enum(["true", "false"]).default("false"),
    NextContinuationToken: z.string().min(1).max(4096).optional(),
    Contents: z
      .array(z.object({ Key: z.string(), Size: z.string(), LastModified: z.string() }))
      .default([]),
  }),
});

export interface ListedPage {
  readonly objects: readonly {
    readonly key: string;
    readonly storedBytes: number;
    readonly madeMs: number;
  }[];
  /** Null on the last page. */
  readonly next: string | null;
}

/** Of `ListObjectsV2`. @throws Error for an answer that is none. */
export function parsePage(text: string): ListedPage {
  const { ListBucketResult: result } = Page.parse(parse(text));
  if (result.IsTruncated === "true" && result.NextContinuationToken === undefined)
    throw new Error("says that there is more, and not where");
  return {
    objects: result.Contents.map(({ Key, Size, LastModified }) => ({
      key: Key,
      storedBytes: z.coerce.number().int().nonnegative().parse(Size),
      madeMs: instant(LastModified),
    })),
    next: result.IsTruncated === "true" ? (result.NextContinuationToken ?? null) : null,
  };
}

const Uploads = z.object({
  ListMultipartUploadsResult: z.object({
    IsTruncated: z.enum(["true", "false"]).default("false"),
    NextKeyMarker: z.string().optional(),
    NextUploadIdMarker: z.string().optional(),
    Upload: z
      .array(z.object({ Key: z.string(), UploadId: z.string(), Initiated: z.string() }))
      .default([]),
  }),
});

export interface ListedUploads {
  readonly uploads: readonly {
    readonly key: string;
    readonly uploadId: string;
    readonly begunMs: number;
  }[];
  readonly next: { readonly key: string; readonly uploadId: string } | null;
}

/** Of `ListMultipartUploads`. @throws Error for an answer that is none. */
export function parseUploads(text: string): ListedUploads {
  const answer: unknown = parse(text);
  // An empty element is an empty text.
  const empty = z.object({ ListMultipartUploadsResult: z.literal("") }).safeParse(answer);
  if (empty.success) return { uploads: [], next: null };
  const { ListMultipartUploadsResult: result } = Uploads.parse(answer);
  return {
    uploads: result.Upload.map(({ Key, UploadId, Initiated }) => ({
      key: Key,
      uploadId: UploadId,
      begunMs: instant(Initiated),
    })),
    next:
      result.IsTruncated === "true" && result.NextKeyMarker !== undefined
        ? { key: result.NextKeyMarker, uploadId: result.NextUploadIdMarker ?? "" }
        : null,
  };
}

const Begun = z.object({
  InitiateMultipartUploadResult: z.object({ UploadId: z.string().min(1).max(4096) }),
});

/** Of `CreateMultipartUpload`. @throws Error for an answer that is none. */
export function parseUploadId(text: string): string {
  return Begun.parse(parse(text)).InitiateMultipartUploadResult.UploadId;
}

const Fault = z.object({
  Error: z.object({ Code: z.string().max(200), Message: z.string().default("") }),
});

/** A fault's code and message; null where the text is none. A copy's or upload's may come with status 200. */
export function parseFault(text: string): { code: string; message: string } | null {
  try {
    const { Code, Message } = Fault.parse(parse(text)).Error;
    return { code: Code, message: Message };
  } catch {
    return null;
  }
}

/** For `CompleteMultipartUpload`; tags as the server gave them. */
export function renderParts(etags: readonly string[]): string {
  const parts = etags.map(
    (etag, index) =>
      `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function parse(text: string): unknown {
  // The parser itself takes unbalanced tags.
  if (XMLValidator.validate(text) !== true) throw new Error("is no XML");
  return parser.parse(text);
}

function instant(text: string): number {
  const ms = Date.parse(text);
  if (!Number.isFinite(ms)) throw new Error("holds a time that is none");
  return ms;
}
