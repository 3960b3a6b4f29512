import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";

import {
  COMMIT,
  hexOf,
  hookSecret,
  NOW_MS,
  sampleDelivery,
  SAMPLES,
  SECRET,
  SECRETS,
  signedHeaders,
  SIGNING_SECRET,
  type SampleDelivery,
} from "./deliveries.sample.ts";
import type { Delivery, Push } from "./delivery.ts";
import { parseDelivery, type DeliverySetup } from "./parse-delivery.ts";

const DAY_MS = 86_400_000;
const setup: DeliverySetup = {
  secrets: SECRETS,
  nowMs: NOW_MS,
  maxBodyBytes: 1 << 20,
  keepMs: 30 * DAY_MS,
};

interface Change {
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Sent in place of the sample's, and signed. */
  readonly body?: string | Buffer;
  /** Sent in place of what was signed. */
  readonly forged?: string | Buffer;
  readonly setup?: Partial<DeliverySetup>;
}

function send(sample: SampleDelivery, change: Change = {}): Delivery {
  const body = Buffer.from(change.body ?? sample.body);
  const headers = signedHeaders(sample, body);
  for (const [name, value] of Object.entries(change.headers ?? {})) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const sent = change.forged === undefined ? body : Buffer.from(change.forged);
  return parseDelivery(sample.forge, headers, sent, { ...setup, ...change.setup });
}

function pushOf(delivery: Delivery): Push {
  if (delivery.kind !== "push") throw new Error(`is no push, but ${JSON.stringify(delivery)}`);
  return delivery;
}

const pushes = SAMPLES.filter(({ kind }) => kind === "push");
const signed = SAMPLES.filter(({ title }) => !/token|generic/u.test(title));

describe.each(SAMPLES)("$title", (sample) => {
  test("is what its documentation says", () => {
    const delivery = send(sample);
    expect(delivery.kind).toBe(sample.kind);
    expect(delivery.kind === "push" ? delivery.references : []).toEqual(sample.references);
    expect(delivery.kind === "push" && delivery.deliveryId === null).toBe(false);
  });

  test("is refused without what shows who sent it", () => {
    const headers = new Headers(sample.headers);
    const delivery = parseDelivery(sample.forge, headers, Buffer.from(sample.body), setup);
    expect(delivery).toMatchObject(
      sample.headers["x-event-key"] === "diagnostics:ping"
        ? { kind: "ping" }
        : { kind: "refused", status: 401 },
    );
  });

  test("is refused where no secret fits, and where there is none", () => {
    for (const secrets of [[], [hookSecret("another-secret-of-somebody")]])
      expect(send(sample, { setup: { secrets } })).toMatchObject({ kind: "refused", status: 401 });
  });
});

test.each(pushes)("$title names its repository", (sample) => {
  const unsaid = sample.forge === "generic" && !sample.body.includes("repository");
  const said = sample.title.includes("Data Center")
    ? "git.example/scm/octo/hello"
    : "git.example/octo/hello";
  expect(pushOf(send(sample)).repository).toBe(unsaid ? null : said);
});

test.each(signed)("$title is refused when one byte of its body is another", (sample) => {
  const forged = Buffer.from(sample.body);
  const at = forged.length >> 1;
  forged[at] = (forged[at] ?? 0) ^ 1;
  expect(send(sample, { forged })).toMatchObject({ kind: "refused", status: 401 });
});

test.each(signed)("$title is refused before its body is looked at", (sample) => {
  const body = sample.title.includes("form") ? "payload=%7Bno+JSON" : "no JSON";
  expect(send(sample, { forged: body })).toMatchObject({ kind: "refused", status: 401 });
});

test("GitHub's own example of a signature fits", () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  const delivery = parseDelivery(
    "github",
    new Headers({
      "content-type": "application/json",
      "x-github-event": "ping",
      "x-hub-signature-256":
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    }),
    Buffer.from("Hello, World!"),
    { ...setup, secrets: [hookSecret("It's a Secret to Everybody")] },
  );
  expect(delivery).toEqual({
    kind: "refused",
    status: 400,
    reason: "the body is no JSON in UTF-8",
  });
});

test("Standard Webhooks' own example of a signature fits", () => {
  // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
  const headers = {
    "content-type": "application/json",
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const ask = (change: object, nowMs: number): Delivery =>
    parseDelivery(
      "gitlab",
      new Headers({ ...headers, ...change }),
      Buffer.from('{"test": 2432232314}'),
      {
        ...setup,
        nowMs,
        secrets: [hookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
      },
    );
  expect(ask({}, 1_614_265_330_000)).toMatchObject({ kind: "refused", status: 400 });
  expect(ask({ "webhook-id": "msg_another" }, 1_614_265_330_000)).toMatchObject({ status: 401 });
  expect(ask({ "webhook-timestamp": "1614265331" }, 1_614_265_330_000)).toMatchObject({
    status: 401,
  });
});

test("what was signed more than 5 minutes ago, or ahead, is refused", () => {
  const sample = sampleDelivery("GitLab: branch, signed");
  for (const [nowMs, kind] of [
    [NOW_MS + 290_000, "push"],
    [NOW_MS - 290_000, "push"],
    [NOW_MS + 310_000, "refused"],
    [NOW_MS - 310_000, "refused"],
  ] as const)
    expect(send(sample, { setup: { nowMs } }).kind).toBe(kind);
});

test("of several signatures one has to fit", () => {
  const sample = sampleDelivery("GitLab: branch, signed");
  const right = signedHeaders(sample).get("webhook-signature") ?? "";
  const wrong = `v1,${"A".repeat(43)}=`;
  expect(send(sample, { headers: { "webhook-signature": `${wrong} ${right} v2,x` } }).kind).toBe(
    "push",
  );
  expect(send(sample, { headers: { "webhook-signature": `${wrong} v2,x` } }).kind).toBe("refused");
  expect(
    send(sample, { headers: { "webhook-signature": `${`${wrong} `.repeat(8)}${right}` } }).kind,
  ).toBe("refused");
});

test("a bad signature is not made good by a token, nor by an older scheme's signature", () => {
  const bad = "0".repeat(64);
  expect(
    send(sampleDelivery("GitLab: branch, token"), {
      headers: { "webhook-signature": `v1,${"A".repeat(43)}=` },
    }),
  ).toMatchObject({ status: 401 });
  expect(
    send(sampleDelivery("Forgejo: branch"), { headers: { "x-forgejo-signature": bad } }),
  ).toMatchObject({ status: 401 });
  const push = sampleDelivery("GitHub: branch");
  expect(
    send(push, {
      headers: {
        "x-hub-signature-256": null,
        "x-hub-signature": `sha1=${createHmac("sha1", SECRET).update(push.body).digest("hex")}`,
      },
    }),
  ).toMatchObject({ status: 401 });
});

test("Forgejo's deliveries are taken by Gitea's headers alone too", () => {
  const sample = sampleDelivery("Gitea: branch");
  expect(send({ ...sample, forge: "forgejo" })).toMatchObject({ kind: "push" });
});

test("a hook of Gitea without a secret, which sends an empty signature, is told so", () => {
  const delivery = send(sampleDelivery("Gitea: branch"), { headers: { "x-gitea-signature": "" } });
  expect(delivery).toMatchObject({ status: 401 });
  expect(delivery.kind === "refused" && delivery.reason).toContain("set the hook's secret");
});

test.each([
  ["GitHub: branch", "x-hub-signature-256", (text: string) => text.replace("sha256=", "")],
  ["GitHub: branch", "x-hub-signature-256", (text: string) => text.replace("sha256=", "sha1=")],
  ["GitHub: branch", "x-hub-signature-256", (text: string) => text.slice(0, -1)],
  ["GitHub: branch", "x-hub-signature-256", (text: string) => `${text}0`],
  ["GitHub: branch", "x-hub-signature-256", (text: string) => `${text}, ${text}`],
  ["Gitea: branch", "x-gitea-signature", (text: string) => `sha256=${text}`],
  ["Gitea: branch", "x-gitea-signature", (text: string) => text.slice(2)],
  ["GitLab: branch, token", "x-gitlab-token", (text: string) => text.slice(0, -1)],
  ["GitLab: branch, token", "x-gitlab-token", (text: string) => `${text}x`],
  ["generic: form", "authorization", (text: string) => text.replace("Bearer", "Basic")],
  ["generic: form", "authorization", (text: string) => text.slice(0, -1)],
])("%s with another form of %s is refused", (title, name, change) => {
  const sample = sampleDelivery(title);
  const value = change(signedHeaders(sample).get(name) ?? "");
  expect(send(sample, { headers: { [name]: value } })).toMatchObject({ status: 401 });
});

test("while one secret takes the place of another, both are good", () => {
  const sample = sampleDelivery("GitHub: branch");
  const rotated = [hookSecret("the-new-secret-of-this-hook"), hookSecret(SECRET)];
  expect(send(sample, { setup: { secrets: rotated } }).kind).toBe("push");
  expect(send(sample, { setup: { secrets: rotated.toReversed() } }).kind).toBe("push");
});

test("a secret of one host is good for no repository of another", () => {
  const secrets = [
    hookSecret(SECRET, "other.example"),
    hookSecret(SIGNING_SECRET, "other.example"),
  ];
  for (const sample of pushes.filter(({ body }) => body.includes("git.example")))
    expect(send(sample, { setup: { secrets } })).toMatchObject({ kind: "refused", status: 403 });
});

test("a body that is longer than the bound is refused unread", () => {
  const sample = sampleDelivery("GitHub: branch");
  const size = Buffer.byteLength(sample.body);
  expect(send(sample, { setup: { maxBodyBytes: size } }).kind).toBe("push");
  expect(send(sample, { setup: { maxBodyBytes: size - 1 } })).toMatchObject({ status: 413 });
});

test.each([
  ["GitHub: branch", { "content-type": "text/plain" }],
  ["GitHub: branch", { "content-type": "application/json; charset=utf-16" }],
  ["GitHub: branch", { "content-encoding": "gzip" }],
  ["GitHub: branch", { "content-type": "multipart/form-data; boundary=x" }],
  ["GitLab: branch, token", { "content-type": "application/x-www-form-urlencoded" }],
  ["Bitbucket: Data Center, with links", { "content-type": "application/x-www-form-urlencoded" }],
])("%s with %j is refused", (title, headers) => {
  expect(send(sampleDelivery(title), { headers })).toMatchObject({ status: 415 });
});

test.each([
  ["GitHub: branch", "{"],
  ["GitHub: branch", "[]"],
  ["GitHub: branch", "null"],
  ["GitHub: branch", "[".repeat(500_000)],
  ["GitHub: branch", `{"ref":${"[".repeat(65)}${"]".repeat(65)}}`],
  ["GitHub: branch", Buffer.from([0x22, 0xff, 0x22])],
  [
    "GitHub: branch",
    '{"ref":"refs/heads/main","after":"main","repository":{"clone_url":"https://git.example/a/b"}}',
  ],
  [
    "GitHub: branch",
    `{"ref":"refs/heads/main","after":"${COMMIT}","repository":{"clone_url":"https://u:p@git.example/a/b"}}`,
  ],
  [
    "GitHub: branch",
    `{"ref":"refs/heads/main","after":"${COMMIT}","repository":{"clone_url":"/etc/passwd"}}`,
  ],
  ["GitHub: branch, form", "payload=%7B%7D&payload=%7B%7D"],
  ["GitHub: branch, form", "other=%7B%7D"],
  ["GitLab: branch, token", "{}"],
  ["Gitea: deleted tag", "{}"],
  ["Bitbucket: Data Center, with links", "{}"],
  ["generic: JSON", '{"url":"https://evil.example/a/b"}'],
  ["generic: JSON", '{"ref":"../../etc"}'],
  ["generic: JSON", '{"ref":"refs/pull/1/head"}'],
  ["generic: JSON", '{"ref":"-u"}'],
  ["generic: JSON", '{"commit":"main"}'],
  ["generic: form", "ref=main&ref=topic"],
  ["generic: form", "x".repeat(3).concat("&y=1".repeat(40))],
])("%s with a signed body that is none is a bad request (%#)", (title, body) => {
  const delivery = send(sampleDelivery(title), { body });
  expect(delivery).toMatchObject({ kind: "refused", status: 400 });
});

test("a clone URL with the right host, which the forge signed, is looked up and no more", () => {
  const delivery = send(sampleDelivery("GitHub: branch"));
  expect(JSON.stringify(delivery)).not.toContain("https:");
});

test.each([
  "refs/heads/-x",
  "refs/heads/a..b",
  "refs/heads/a b",
  "refs/notes/x",
  "main",
  "refs/heads/",
])("of a reference %j nothing is tested", (ref) => {
  const body = sampleDelivery("GitHub: branch").body.replace("refs/heads/main", ref);
  expect(send(sampleDelivery("GitHub: branch"), { body })).toMatchObject({
    kind: "push",
    references: [],
  });
});

test("a delivery's id that is none is refused", () => {
  for (const id of ["x".repeat(201), "a b"])
    expect(
      send(sampleDelivery("GitHub: branch"), { headers: { "x-github-delivery": id } }),
    ).toMatchObject({ status: 400 });
});

test("a push that says that it is older than what is remembered is refused", () => {
  for (const title of ["GitHub: branch", "Bitbucket: Data Center, with links"]) {
    expect(send(sampleDelivery(title), { setup: { nowMs: NOW_MS + 29 * DAY_MS } }).kind).toBe(
      "push",
    );
    expect(send(sampleDelivery(title), { setup: { nowMs: NOW_MS + 31 * DAY_MS } })).toMatchObject({
      kind: "refused",
      status: 403,
    });
  }
});

test("the same body is the same delivery where the signature covers no more than it", () => {
  for (const sample of pushes)
    expect(pushOf(send(sample)).byBody).toBe(!["gitlab", "generic"].includes(sample.forge));
  const withoutId = { "idempotency-key": null, "x-gitlab-webhook-uuid": null };
  const byBody = (title: string): boolean =>
    pushOf(send(sampleDelivery(title), { headers: withoutId })).byBody;
  expect(byBody("GitLab: branch, token")).toBe(true);
  expect(byBody("generic: form")).toBe(true);
  expect(byBody("generic: nothing but the address")).toBe(false);
});

test("GitLab's signed deliveries are known by the id that was signed", () => {
  const delivery = send(sampleDelivery("GitLab: branch, signed"), {
    headers: { "idempotency-key": "another" },
  });
  expect(delivery).toMatchObject({ deliveryId: "f5e5f430-f57b-4e6e-9fac-d9128cd7232f" });
});

test("Data Center below a path of its host is known by what is cloned", () => {
  const body = sampleDelivery("Bitbucket: Data Center, with links").body.replace(
    "https://git.example/projects",
    "https://git.example/bitbucket/projects",
  );
  expect(send(sampleDelivery("Bitbucket: Data Center, with links"), { body })).toMatchObject({
    repository: "git.example/bitbucket/scm/octo/hello",
  });
});

test("no reason holds a secret, a signature or anything of the body", () => {
  for (const sample of SAMPLES)
    for (const delivery of [
      send(sample, { setup: { secrets: [] } }),
      send(sample, { forged: `${SECRET} in the body` }),
      send(sample, { body: `{"${SECRET}":"${SECRET}"}` }),
    ]) {
      const shown = JSON.stringify(delivery);
      expect(shown).not.toContain(SECRET);
      expect(shown).not.toContain(hexOf(sample.body));
    }
});
