import { verify, X509Certificate } from "node:crypto";

import { z } from "zod";

import { isCommitHash } from "../git/bare-repository.ts";
import { extensionText } from "./certificate-extensions.ts";

/** The commit that a file was built from, as its provenance says. */
export interface AttestedCommit {
  /** https. */
  readonly url: string;
  /** Whole. */
  readonly commit: string;
}

/** PEP 740; of its in-toto statement what names the file. */
const Attestation = z.looseObject({
  version: z.literal(1),
  verification_material: z.looseObject({ certificate: z.base64().max(64 * 1024) }),
  envelope: z.looseObject({
    statement: z.base64().max(1024 * 1024),
    signature: z.base64().max(16 * 1024),
  }),
});
const Provenance = z.looseObject({
  version: z.literal(1),
  attestation_bundles: z
    .array(z.looseObject({ attestations: z.array(z.unknown()).max(20) }))
    .max(20),
});
const Statement = z.looseObject({
  subject: z
    .array(z.looseObject({ name: z.string(), digest: z.looseObject({ sha256: z.string() }) }))
    .max(100),
});

/** Of the certificate that was made out to whatever built the file: its repository, and the commit (Fulcio's own numbers). */
const REPOSITORY = "1.3.6.1.4.1.57264.1.12";
const COMMIT = "1.3.6.1.4.1.57264.1.13";
const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/**
 * What a file's provenance says of its commit. Seen to: that a statement names this very file, and is signed by the key of the
 * certificate that names the commit. Not seen to: who made out the certificate, whether it was valid then, and whether a public log
 * has it. So it is the index's word: where it leads must hold what the file holds (`isSameSource`).
 * @returns why it says none, in a line.
 */
export function attestedCommit(
  provenance: Buffer,
  file: { readonly filename: string; readonly sha256: string },
): AttestedCommit | string {
  let bundles;
  try {
    bundles = Provenance.parse(JSON.parse(provenance.toString("utf8"))).attestation_bundles;
  } catch {
    return "its provenance is of a form that is not known here";
  }
  const attestations = bundles.flatMap((bundle) => bundle.attestations);
  const told = attestations.map((one) => commitOf(one, file));
  const [first] = told.filter((one) => typeof one !== "string");
  if (first === undefined)
    return told.find((one) => typeof one === "string") ?? "its provenance holds no attestation";
  const differs = told.some(
    (one) => typeof one !== "string" && (one.commit !== first.commit || one.url !== first.url),
  );
  return differs ? "its attestations name different commits" : first;
}

function commitOf(
  raw: unknown,
  { filename, sha256 }: { readonly filename: string; readonly sha256: string },
): AttestedCommit | string {
  const attestation = Attestation.safeParse(raw).data;
  if (attestation === undefined) return "an attestation is of a form that is not known here";
  const { verification_material: material, envelope } = attestation;
  const statement = Buffer.from(envelope.statement, "base64");
  let certificate;
  let subjects;
  try {
    certificate = new X509Certificate(Buffer.from(material.certificate, "base64"));
    subjects = Statement.parse(JSON.parse(statement.toString("utf8"))).subject;
  } catch {
    return "an attestation can't be read";
  }
  if (!subjects.some(({ name, digest }) => name === filename && digest.sha256 === sha256))
    return "an attestation is of another file";
  // What is signed (DSSE): the payload with its type and their lengths.
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${statement.length} `;
  const signed = Buffer.concat([Buffer.from(head), statement]);
  if (!isSigned(signed, certificate, Buffer.from(envelope.signature, "base64")))
    return "an attestation's signature is not its certificate's";
  const url = extensionText(certificate.raw, REPOSITORY);
  const commit = extensionText(certificate.raw, COMMIT);
  if (url === null || commit === null || !isCommitHash(commit) || !url.startsWith("https://"))
    return "an attestation's certificate names no commit";
  return { url, commit };
}

function isSigned(signed: Buffer, { publicKey }: X509Certificate, signature: Buffer): boolean {
  try {
    return verify("sha256", signed, publicKey, signature);
  } catch {
    return false;
  }
}
