/** What a certificate says beside what node:crypto tells of it: its extensions by their numbers, out of its DER (X.690). */

/** A value and what it holds. */
interface Tlv {
  readonly tag: number;
  readonly content: Buffer;
}

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
/** `[3]` of a certificate's body (RFC 5280, 4.1). */
const EXTENSIONS = 0xa3;
const MAX_EXTENSIONS = 100;

/**
 * The text of one extension, where it is a UTF8String; null where there is none, or what is there can't be read.
 * @param der of the certificate, as `X509Certificate.raw`. @param oid `1.3.6.1...`
 */
export function extensionText(der: Buffer, oid: string): string | null {
  const [certificate] = valuesOf(der);
  const [body] = certificate?.tag === SEQUENCE ? valuesOf(certificate.content) : [];
  const found = body === undefined ? [] : valuesOf(body.content);
  const extensions = found.find(({ tag }) => tag === EXTENSIONS);
  const [list] = extensions === undefined ? [] : valuesOf(extensions.content);
  const wanted = encodeOid(oid);
  for (const { content } of list === undefined ? [] : valuesOf(list.content)) {
    const parts = valuesOf(content);
    const [id] = parts;
    const value = parts.at(-1);
    if (id?.tag !== OBJECT_IDENTIFIER || !id.content.equals(wanted)) continue;
    if (value?.tag !== OCTET_STRING) return null;
    const [text, ...more] = valuesOf(value.content);
    return text?.tag === UTF8_STRING && more.length === 0 ? text.content.toString("utf8") : null;
  }
  return null;
}

/** The values in a row; those before the first that is cut short or of a form that certificates do not have. */
function valuesOf(der: Buffer): readonly Tlv[] {
  const values: Tlv[] = [];
  for (let at = 0; at + 2 <= der.length && values.length < MAX_EXTENSIONS;) {
    const [tag = 0, first = 0] = der.subarray(at, at + 2);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    // Indefinite and huge lengths are none of DER's.
    if (first === 0x80 || lengthBytes > 4) break;
    const begin = at + 2 + lengthBytes;
    if (begin > der.length) break;
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    if (begin + length > der.length) break;
    values.push({ tag, content: der.subarray(begin, begin + length) });
    at = begin + length;
  }
  return values;
}

function encodeOid(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return Buffer.from(bytes);
}
