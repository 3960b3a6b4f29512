import { XMLParser, XMLValidator } from "fast-xml-parser";

import { CreameryError } from "../base/errors.ts";
import { unescapeHtml } from "../index/page/html-page.ts";

/** An element's content: text, or its children by name. */
export type XmlValue = unknown;

/**
 * Hostile XML to plain objects: well-formed, without a DTD's own entities, every text a string.
 * @param lists names of elements that are lists also where there is one.
 * @param input for the fault: whose XML it is.
 * @throws CreameryError `upstream`.
 */
export function readXml(body: Buffer, lists: readonly string[], input: string): XmlValue {
  const fault = (reason: string, cause?: unknown): CreameryError =>
    new CreameryError("upstream", reason, { input, cause });
  const text = body.toString("utf8");
  if (/<!ENTITY/iu.test(text)) throw fault("sends XML that defines entities of its own");
  try {
    const valid = XMLValidator.validate(text);
    if (valid !== true)
      throw fault(`sends what is no XML (line ${valid.err.line}: ${valid.err.code})`);
    const parser = new XMLParser({
      // The five of XML and numbers are read by us; what a DTD defines is never.
      processEntities: false,
      htmlEntities: false,
      parseTagValue: false,
      ignoreAttributes: true,
      ignoreDeclaration: true,
      ignorePiTags: true,
      isArray: (name) => lists.includes(name),
    });
    const value: unknown = parser.parse(text);
    return value;
  } catch (thrown) {
    if (thrown instanceof CreameryError) throw thrown;
    throw fault("sends XML that can't be read", thrown);
  }
}

/** A child of an element; undefined where there is none. */
export function xmlChild(value: XmlValue, name: string): XmlValue {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

/** The text of an element without children, `&amp;` and its like read; null for anything else. */
export function xmlText(value: XmlValue): string | null {
  return typeof value === "string" ? unescapeHtml(value) : null;
}

/** Children of one name, where `lists` names it; none where there is none. */
export function xmlList(value: XmlValue, name: string): readonly XmlValue[] {
  const children = xmlChild(value, name);
  return isList(children) ? children : [];
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
