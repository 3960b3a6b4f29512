import { CreameryError } from "../../base/errors.ts";
import { S3Fault, type S3Client } from "./s3-client.ts";
import { MAX_PARTS } from "./pieces.ts";
import { parseUploadId, renderParts } from "./s3-xml.ts";

const ABORT_MS = 30_000;

/**
 * One object in parts, one at a time: it exists when this returns, and of one that ends early nothing stays, not even parts
 * that cost money.
 * @param headers of the object. @param condition of its completion.
 * @throws S3Fault, as 412 where the condition does not hold; CreameryError `bucket`, `interrupted`; whatever the parts end with.
 */
export async function uploadParts(
  client: S3Client,
  key: string,
  parts: AsyncIterable<Buffer>,
  {
    headers,
    condition,
    before,
    signal,
  }: {
    readonly headers: Readonly<Record<string, string>>;
    readonly condition: Readonly<Record<string, string>>;
    /** Is asked when all is there and nothing to be seen yet. */
    readonly before: () => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const begun = await client.askText({
    method: "POST",
    key,
    query: { uploads: "" },
    headers,
    signal,
  });
  const uploadId = parseUploadId(begun.text);
  try {
    const etags: string[] = [];
    for await (const body of parts) {
      if (etags.length === MAX_PARTS)
        throw new CreameryError("bucket", "is larger than S3 takes in parts", { input: key });
      const { answer } = await client.askText({
        method: "PUT",
        key,
        query: { partNumber: String(etags.length + 1), uploadId },
        body,
        signal,
      });
      const { etag } = answer.headers;
      if (etag === undefined) throw new Error("a part without a tag");
      etags.push(etag);
    }
    await before();
    await client.askText({
      method: "POST",
      key,
      query: { uploadId },
      headers: condition,
      body: Buffer.from(renderParts(etags)),
      signal,
    });
  } catch (thrown) {
    // Whatever interrupted the rest does not interrupt this.
    await abortUpload(client, key, uploadId, AbortSignal.timeout(ABORT_MS)).catch(() => undefined);
    throw thrown;
  }
}

/** One that is there no more is no fault. */
export async function abortUpload(
  client: S3Client,
  key: string,
  uploadId: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.askText({ method: "DELETE", key, query: { uploadId }, signal });
  } catch (thrown) {
    if (!(thrown instanceof S3Fault) || thrown.status !== 404) throw thrown;
  }
}
