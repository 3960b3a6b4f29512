import { createHash, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";

import { makeProvenance, type Attested } from "../../../test/upstream/make-provenance.ts";
import { attestedCommit } from "./attested-commit.ts";
import { extensionText } from "./certificate-extensions.ts";

const content = Buffer.from("an sdist");
const file = {
  filename: "x-1.0.tar.gz",
  sha256: createHash("sha256").update(content).digest("hex"),
};
const attested: Attested = {
  filename: file.filename,
  content,
  url: "https://git.example/o/x",
  commit: "0123456789".repeat(4),
};

test("a file's provenance names the commit that it was built from", () => {
  const { url, commit } = attested;
  expect(attestedCommit(makeProvenance(attested), file)).toEqual({ url, commit });
  expect(attestedCommit(makeProvenance(attested, attested), file)).toEqual({ url, commit });
});

test.each([
  ["of another file", { filename: "y-1.0.tar.gz" }, /of another file$/u],
  ["of other bytes", { content: Buffer.from("another") }, /of another file$/u],
  ["that is not signed as it is", { signed: "{}" }, /signature is not its certificate's$/u],
  ["by a certificate without a commit", { commit: undefined }, /names no commit$/u],
  ["of a branch", { commit: "main" }, /names no commit$/u],
  ["of no https address", { url: "file:///srv/x" }, /names no commit$/u],
])("one %s says none", (_what, more, why) => {
  const { commit, url, ...rest } = { ...attested, ...more };
  const given = {
    ...rest,
    ...(commit === undefined ? {} : { commit }),
    ...(url === undefined ? {} : { url }),
  };
  expect(attestedCommit(makeProvenance(given), file)).toMatch(why);
});

test("two that name different commits say none, and one that is wrong takes nothing from one that is right", () => {
  const other = { ...attested, commit: "fedcba9876".repeat(4) };
  expect(attestedCommit(makeProvenance(attested, other), file)).toMatch(/different commits$/u);
  const wrong = { ...other, signed: "{}" };
  expect(attestedCommit(makeProvenance(wrong, attested), file)).toMatchObject({
    commit: attested.commit,
  });
});

test.each(["", "[]", '{"version":2,"attestation_bundles":[]}', "\u0000"])(
  "what is no provenance (%j) says none",
  (text) => expect(attestedCommit(Buffer.from(text), file)).toMatch(/not known here$/u),
);

test("an extension is found by its number, and whatever is cut short is none", () => {
  const Sent = z.looseObject({
    attestation_bundles: z.array(
      z.looseObject({
        attestations: z.array(
          z.looseObject({ verification_material: z.looseObject({ certificate: z.string() }) }),
        ),
      }),
    ),
  });
  const [bundle] = Sent.parse(JSON.parse(makeProvenance(attested).toString())).attestation_bundles;
  const text = bundle?.attestations[0]?.verification_material.certificate ?? "";
  const der = new X509Certificate(Buffer.from(text, "base64")).raw;
  expect(extensionText(der, "1.3.6.1.4.1.57264.1.12")).toBe(attested.url);
  expect(extensionText(der, "1.3.6.1.4.1.57264.1.1")).toBeNull();
  // Key usage is there, and no text.
  expect(extensionText(der, "2.5.29.15")).toBeNull();
  for (let length = 0; length < der.length; length++)
    expect(extensionText(der.subarray(0, length), "1.3.6.1.4.1.57264.1.12")).toBeNull();
});
