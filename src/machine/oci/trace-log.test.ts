import fc from "fast-check";
import { expect, it } from "vitest";

import { TraceReader } from "./trace-log.ts";

function read(...lines: string[]) {
  const reader = new TraceReader();
  for (const line of lines) reader.line(line);
  return reader.evidence;
}

const PREFIX = "I1124 08:54:49.876833      11 strace.go:605] [  25:  25] python3";
const connect = (address: string, family = "AF_INET") =>
  `${PREFIX} X connect(0x3 socket:[2], 0x7ea82da4f730 {Family: ${family}, Addr: ${address}, Port: 80}, 0x10) = 0 (0x0) errno=113 (no route to host) (19.609µs)`;

it("counts addresses outside of the guest, by target", () => {
  expect(
    read(connect("192.0.2.7"), connect("192.0.2.7"), connect("2001:db8::1", "AF_INET6"))
      .connections,
  ).toEqual([
    { target: "192.0.2.7:80", kind: "connect", count: 2 },
    { target: "[2001:db8::1]:80", kind: "connect", count: 1 },
  ]);
});

it("passes over the guest's own loopback, Unix sockets and entries to calls", () => {
  const unix = `${PREFIX} X connect(0x3 socket:[1], 0x7e {Family: AF_UNIX, Addr: "/run/creamery/agent.sock"}, 0x1b) = 0 (0x0) (527.734µs)`;
  const entry = connect("192.0.2.7").replace(" X ", " E ");
  expect(
    read(connect("127.0.0.1"), connect("127.8.8.8"), connect("::1", "AF_INET6"), unix, entry)
      .connections,
  ).toEqual([]);
});

it("counts refused processes, not those that were made", () => {
  const made = `${PREFIX} X clone(CLONE_CHILD_CLEARTID|0x11, 0x0, 0x0, 0x7ee9f6b2c490, 0x0) = 5 (0x5) (1.138232ms)`;
  const refused = made.replace("= 5 (0x5)", "= 0 (0x0) errno=11 (try again)");
  const notAllowed = made.replace("= 5 (0x5)", "= 0 (0x0) errno=1 (operation not permitted)");
  expect(
    read(made, refused, notAllowed, `${PREFIX} X fork() = 0 (0x0) errno=11 (try again) (9µs)`)
      .processesRefused,
  ).toBe(2);
});

it("stays bounded whatever a guest tries", () => {
  const reader = new TraceReader();
  for (let index = 0; index < 1000; index++)
    reader.line(connect(`192.0.${index >> 8}.${index & 255}`));
  expect(reader.evidence.connections.length).toBe(200);
  fc.assert(
    fc.property(fc.string({ maxLength: 500 }), (line) => {
      read(line, `${PREFIX} X connect(${line}`);
    }),
  );
});
