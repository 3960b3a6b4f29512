import type { ForgeRules } from "./delivery.ts";
import { parseBoundedJson, type JsonReading } from "./bounded-json.ts";

/** How a body is to be read; null for what the forge does not send. */
export type BodyKind = "json" | "form" | null;

const MAX_FIELDS = 32;

/** @param contentType of the header; none counts as JSON of forges, and as a form's of curl. */
export function bodyKind(contentType: string | null, forms: ForgeRules["forms"]): BodyKind {
  const [type = "", ...parameters] = (contentType ?? "").toLowerCase().split(";");
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith("charset="));
  if (charset !== undefined && !/^charset="?utf-?8"?$/u.test(charset)) return null;
  if (type.trim() === "application/json" || type.trim() === "") return "json";
  if (type.trim() === "application/x-www-form-urlencoded" && forms !== "none") return "form";
  return null;
}

/** What a form's `payload` field holds, decoded to the bytes that were encoded; null when there is not exactly one. */
export function payloadField(body: Buffer): Buffer | null {
  const fields = body
    .toString("latin1")
    .split("&", MAX_FIELDS)
    .filter((field) => field.startsWith("payload="));
  const [field] = fields;
  if (field === undefined || fields.length !== 1) return null;
  return percentDecoded(field.slice("payload=".length));
}

/** A form as an object of text; null when a field comes twice, or there are too many. */
export function formFields(body: Buffer): Readonly<Record<string, string>> | null {
  const fields = new Map<string, string>();
  const list = body.length === 0 ? [] : body.toString("latin1").split("&", MAX_FIELDS + 1);
  if (list.length > MAX_FIELDS) return null;
  for (const field of list) {
    const at = field.indexOf("=");
    const name = percentDecoded(at < 0 ? field : field.slice(0, at)).toString("utf8");
    if (fields.has(name)) return null;
    fields.set(name, at < 0 ? "" : percentDecoded(field.slice(at + 1)).toString("utf8"));
  }
  return Object.fromEntries(fields);
}

/** The payload of a request whose signature was checked. */
export function readPayload(
  body: Buffer,
  kind: Exclude<BodyKind, null>,
  forms: ForgeRules["forms"],
): JsonReading {
  if (kind === "json") return parseBoundedJson(body);
  if (forms === "fields") {
    const fields = formFields(body);
    return fields === null
      ? { kind: "bad", reason: "the form has a field twice, or too many" }
      : { kind: "ok", value: fields };
  }
  const payload = payloadField(body);
  return payload === null
    ? { kind: "bad", reason: "the form has not exactly one field payload" }
    : parseBoundedJson(payload);
}

/** WHATWG's decoding of forms, to bytes: what is no escape stays as it is. */
function percentDecoded(text: string): Buffer {
  return Buffer.from(
    text
      .replaceAll("+", " ")
      .replaceAll(/%([0-9a-f]{2})/giu, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      ),
    "latin1",
  );
}
