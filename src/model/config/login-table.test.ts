import { expect, test } from "vitest";

import { parseFarmConfig } from "./farm-config.ts";
import {
  LoginTable,
  namedGroups,
  oidcSettings,
  scopesOf,
  scopesOfText,
  type Identity,
  type OidcSettings,
} from "./login-table.ts";

const ISSUER = "https://login.example";

function settings(change: Partial<NonNullable<LoginTable["oidc"]>> = {}): OidcSettings {
  const made = oidcSettings(
    LoginTable.parse({ oidc: { issuer: ISSUER, client_id: "creamery", ...change } }),
  );
  if (made === null) throw new Error("none");
  return made;
}

const identity = (change: Partial<Identity> = {}): Identity => ({
  issuer: ISSUER,
  sub: "1",
  email: null,
  groups: [],
  ...change,
});

test("a farm that says nothing of it has no provider", () => {
  expect(oidcSettings(parseFarmConfig("", "creamery.toml", ["cpython-3.13"]).login)).toBeNull();
});

test("what is asked for is openid, and what the operator says besides", () => {
  expect(settings()).toMatchObject({
    scopes: ["openid", "profile", "email"],
    groupsClaim: "groups",
    clientSecretFile: null,
  });
  expect(settings({ scopes: ["groups", "openid"] }).scopes).toEqual(["openid", "groups"]);
});

test.each([
  ["issuer = 'http://login.example'", "is no https address"],
  ["issuer = 'https://user@login.example'", "is no https address"],
  ["issuer = 'https://login.example/?a=b'", "is no https address"],
  ["operators = ['group:']", "names nobody"],
  ["admins = ['sub:']", "names nobody"],
  ["readers_private = ['']", "must not be empty"],
  ["client_secret_file = 'here'", "is no absolute path"],
  ["scopes = ['two words']", "scopes"],
  ["operator = ['a']", "unknown key"],
])("%s is a mistake", (line, reason) => {
  const rest = line.startsWith("issuer") ? "" : `issuer = '${ISSUER}'\n`;
  const text = `[login.oidc]\nclient_id = 'x'\n${rest}${line}\n`;
  expect(() => parseFarmConfig(text, "creamery.toml", ["cpython-3.13"])).toThrow(reason);
});

test("somebody may do what is said of their subject, verified address or group, and nothing else", () => {
  const trusting = settings({
    operators: ["Olga@Farm.example", "group:farm"],
    admins: ["248"],
    readers_private: ["email:root@farm.example", "sub:odd@name"],
  });
  const of = (change: Partial<Identity>) => scopesOf(trusting, identity(change));
  expect(of({})).toEqual([]);
  expect(of({ email: "olga@farm.example" })).toEqual(["operate", "enqueue"]);
  expect(of({ groups: ["farm"] })).toEqual(["operate", "enqueue"]);
  expect(of({ sub: "248", groups: ["farm"] })).toEqual(["operate", "enqueue", "admin"]);
  expect(of({ email: "root@farm.example" })).toEqual(["read-private"]);
  expect(of({ sub: "odd@name" })).toEqual(["read-private"]);
  // What one can be called is no address, no group, and no other way round.
  for (const sub of ["olga@farm.example", "Olga@Farm.example", "group:farm", "farm"])
    expect(of({ sub })).toEqual([]);
  expect(of({ email: "248" })).toEqual([]);
  expect(of({ groups: ["248", "olga@farm.example", "Farm"] })).toEqual([]);
  expect(scopesOf(trusting, identity({ issuer: `${ISSUER}/`, sub: "248" }))).toBeNull();
  expect([...namedGroups(trusting)]).toEqual(["farm"]);
});

test("what a session keeps is read anew, and what is no identity is nobody", () => {
  const trusting = settings({ admins: ["1"] });
  expect(scopesOfText(trusting, JSON.stringify(identity()))).toEqual(["admin"]);
  for (const text of ["", "{}", "null", `{"sub":"1"}`, "x"])
    expect(scopesOfText(trusting, text)).toBeNull();
});
