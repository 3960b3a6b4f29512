import { execFileSync } from "node:child_process";
import { createHash, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Attested {
  readonly filename: string;
  readonly content: Buffer;
  /** Of the repository and its commit, as the certificate has them; undefined for one without. */
  readonly url?: string;
  readonly commit?: string;
  /** What is signed in the place of the statement that is sent. */
  readonly signed?: string;
}

/** A file's provenance (PEP 740), by an authority of its own: a key, a certificate that names a commit, a signed statement. */
export function makeProvenance(...files: readonly Attested[]): Buffer {
  const attestations = files.map((file) => attestationOf(file));
  return Buffer.from(JSON.stringify({ version: 1, attestation_bundles: [{ attestations }] }));
}

function attestationOf({ filename, content, url, commit, signed }: Attested) {
  const root = mkdtempSync(join(tmpdir(), "creamery-attest-"));
  try {
    const [key, certificate] = [join(root, "key.pem"), join(root, "cert.der")];
    const text = (oid: string, said: string | undefined): string[] =>
      said === undefined ? [] : ["-addext", `1.3.6.1.4.1.57264.1.${oid}=ASN1:UTF8String:${said}`];
    const form = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const subject = ["-days", "2", "-subj", "/CN=builder", "-outform", "DER"];
    const usage = ["-addext", "keyUsage=critical,digitalSignature"];
    const said = [...text("12", url), ...text("13", commit)];
    const where = ["-keyout", key, "-out", certificate];
    execFileSync("openssl", ["req", ...form, ...subject, ...usage, ...said, ...where], {
      stdio: "ignore",
    });
    const sha256 = createHash("sha256").update(content).digest("hex");
    const statement = JSON.stringify({
      _type: "https://statement.example/v1",
      subject: [{ name: filename, digest: { sha256 } }],
      predicateType: "https://publish.example/v1",
      predicate: null,
    });
    const type = "application/vnd.in-toto+json";
    const payload = signed ?? statement;
    const pae = `DSSEv1 ${type.length} ${type} ${Buffer.byteLength(payload)} ${payload}`;
    return {
      version: 1,
      verification_material: {
        certificate: readFileSync(certificate).toString("base64"),
        transparency_entries: [],
      },
      envelope: {
        statement: Buffer.from(statement).toString("base64"),
        signature: sign("sha256", Buffer.from(pae), readFileSync(key)).toString("base64"),
      },
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}
