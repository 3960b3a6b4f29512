import { timingSafeEqual } from "node:crypto";

import { FORM_TOKEN } from "../../pages/shell/deed-form.ts";
import { Refused } from "../api/answers.ts";
import { isSameOrigin } from "../login/same-origin.ts";
import { readBody } from "../read-body.ts";
import type { PagesContext, PagesDeps } from "./page-deps.ts";

const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;

/** What somebody sent by a form of a page that was shown to them: no other site can have it sent, nor guess its token. @throws Refused. */
export async function readForm(context: PagesContext, deps: PagesDeps): Promise<URLSearchParams> {
  const session = context.get("session");
  if (session === null)
    throw new Refused(
      context.get("principal").kind === "anonymous"
        ? { status: 401, detail: "this is for who is logged in, and nobody is, or no longer" }
        : { status: 403, detail: "forms are for browsers: with a token, use the farm's API" },
    );
  const fields = await readOwnForm(context, deps);
  if (!isSame(fields.get(FORM_TOKEN) ?? "", session.formToken))
    throw new Refused({
      status: 403,
      detail:
        "this form was made for another login, or by no page of this farm: nothing was done. Go back, load that page again, and send it once more",
    });
  return fields;
}

/** For the one form that is there before there is a session. @throws Refused. */
export async function readOwnForm(
  context: PagesContext,
  { publicUrl }: Pick<PagesDeps, "publicUrl">,
): Promise<URLSearchParams> {
  if (!isSameOrigin(context, publicUrl))
    throw new Refused({
      status: 403,
      detail:
        "another site, or what is no browser, had this sent: nothing was done. Go to the farm's own page, and do it there",
    });
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded(?:\s*;|\s*$)/iu.test(type))
    throw new Refused({ status: 415, detail: "this is no form of the farm's pages" });
  const body = await readBody(context.req.raw, { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS });
  switch (body.kind) {
    case "too-large":
      throw new Refused({ status: 413, detail: `a form here has ${MAX_BYTES} bytes at most` });
    case "too-slow":
      throw new Refused({ status: 408, detail: "the form came too slowly" });
    case "broken":
      throw new Refused({ status: 400, detail: "the form broke off" });
    case "whole":
      return new URLSearchParams(body.bytes.toString("utf8"));
  }
}

function isSame(shown: string, own: string): boolean {
  const [one, other] = [Buffer.from(shown), Buffer.from(own)];
  return one.length === other.length && timingSafeEqual(one, other);
}
