import { expect, test } from "vitest";

import { parseFault, parsePage, parseUploadId, parseUploads, renderParts } from "./s3-xml.ts";

const page = (inner: string) => `<ListBucketResult>${inner}</ListBucketResult>`;
const row =
  "<Contents><Key>k</Key><Size>3</Size><LastModified>2026-11-29T00:00:00.000Z</LastModified></Contents>";

test("a page of a listing, with one row, many or none", () => {
  const object = { key: "k", storedBytes: 3, madeMs: Date.UTC(2026, 10, 29) };
  expect(parsePage(page(`<IsTruncated>false</IsTruncated>${row}`))).toEqual({
    objects: [object],
    next: null,
  });
  const more = `${row}${row}<IsTruncated>true</IsTruncated><NextContinuationToken>t==</NextContinuationToken>`;
  expect(parsePage(page(more))).toEqual({ objects: [object, object], next: "t==" });
  expect(parsePage(page("<Name>farm</Name>"))).toEqual({ objects: [], next: null });
});

test.each([
  page("<IsTruncated>true</IsTruncated>"),
  page(row.replace("3", "-3")),
  page(row.replace("3", "many")),
  page(row.replace("2026", "never")),
  page(row.replace("</Key>", "")),
  `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${page(row.replace("k", "&e;"))}<`,
  "",
])("a page that is none: %j", (text) => {
  expect(() => parsePage(text)).toThrow();
});

test("no entity is ever replaced", () => {
  const hostile = `<!DOCTYPE x [<!ENTITY e "evil">]>${page(row.replace("<Key>k", "<Key>&e;"))}`;
  expect(parsePage(hostile).objects[0]?.key).toBe("&e;");
});

test("uploads that are open, none of them, and where the list goes on", () => {
  expect(parseUploads("<ListMultipartUploadsResult/>")).toEqual({ uploads: [], next: null });
  const one =
    "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-11-29T00:00:00Z</Initiated></Upload>";
  const inner = `${one}<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>`;
  expect(parseUploads(`<ListMultipartUploadsResult>${inner}</ListMultipartUploadsResult>`)).toEqual(
    {
      uploads: [{ key: "k", uploadId: "u", begunMs: Date.UTC(2026, 10, 29) }],
      next: { key: "k", uploadId: "u" },
    },
  );
});

test("a fault, an upload's id, and what completes one", () => {
  expect(parseFault("<Error><Code>SlowDown</Code><Message>x</Message></Error>")).toEqual({
    code: "SlowDown",
    message: "x",
  });
  for (const text of ["", "<a/>", "no XML"]) expect(parseFault(text)).toBeNull();
  const begun =
    "<InitiateMultipartUploadResult><UploadId>007</UploadId></InitiateMultipartUploadResult>";
  expect(parseUploadId(begun)).toBe("007");
  expect(renderParts(['"a"', "<b>&"])).toContain(
    '<Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>&lt;b&gt;&amp;</ETag></Part>',
  );
});
