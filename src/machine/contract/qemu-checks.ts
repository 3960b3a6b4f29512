import { deepEqual, equal, ok } from "node:assert/strict";

import { python, run, type CheckContext } from "./checks.ts";

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const COPIES = FULL ? 200 : 50;
const AT_ONCE = 5;
const CLOCK_MS = 5000;
const MIB = 1024 * 1024;

/** Says all that would be one for all copies of one machine if nobody saw to it, each by a process of its own. */
const WHO_AM_I = `
import os, random, socket, ssl, time, uuid
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="service.example")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
# RFC 8446, 4.1.2: after five bytes of record and six of handshake, the client's random.
print("hello", outgoing.read()[11:43].hex())
print("urandom", os.urandom(16).hex())
print("uuid", uuid.uuid4())
print("random", random.random())
print("hostname", socket.gethostname())
print("machine-id", open("/etc/machine-id").read().strip())
print("boot_id", open("/proc/sys/kernel/random/boot_id").read().strip())
print("clock", int(time.time() * 1000))
`;

/** What only virtual machines must do. */
export const QEMU_CHECKS: Readonly<Record<string, (context: CheckContext) => Promise<void>>> = {
  async "copies have nothing in common that must be each one's own"({ machine, spec, signal }) {
    const said = new Map<string, Set<string>>();
    const one = async () => {
      await using guest = await machine.start(spec, signal);
      const { stdout, stderr } = await python(guest, WHO_AM_I);
      for (const line of stdout.trim().split("\n")) {
        const [name = "", value = ""] = line.split(" ");
        if (name === "clock")
          ok(Math.abs(Number(value) - Date.now()) < CLOCK_MS, `its clock says ${value}`);
        else said.set(name, (said.get(name) ?? new Set()).add(value));
      }
      equal(stderr, "");
    };
    let begun = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (begun++ < COPIES) await one();
      }),
    );
    deepEqual(
      Object.fromEntries([...said].map(([name, values]) => [name, values.size])),
      Object.fromEntries(
        ["hello", "urandom", "uuid", "random", "hostname", "machine-id", "boot_id"].map((name) => [
          name,
          COPIES,
        ]),
      ),
    );
  },

  async "what the machine did before it was copied is not counted"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const { oomKills, pidsRefused, memoryPeakBytes } = await guest.counters();
    deepEqual({ oomKills, pidsRefused }, { oomKills: 0, pidsRefused: 0 });
    // The warming's compiler alone has more.
    ok(memoryPeakBytes > MIB && memoryPeakBytes < 64 * MIB, `${memoryPeakBytes}`);
  },

  async "nothing that was warmed is left"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const said = await run(guest, [
      "sh",
      "-c",
      "ps -u tester -o pid= >/job/ps; wc -l </job/ps; rm /job/ps; find /job /tmp /var/tmp /home/tester /dev/shm -mindepth 1; find /run /var -xdev -user tester ! -path /var/lock 2>/dev/null; ipcs -a | grep -c tester",
    ]);
    // The shell and ps themselves.
    equal(said.stdout, "2\n0\n", said.stderr);
  },

  async "a disk that was full is told, also where it was emptied again"({ machine, spec, signal }) {
    for (const fill of [
      "f = open('/job/big', 'wb')\n    while True: f.write(b'x' * 1_000_000)",
      "while True: n += 1; open(f'/job/{n}', 'wb').close()",
    ]) {
      await using guest = await machine.start(spec, signal);
      const said = await python(
        guest,
        `
import os, time
n = 0
try:
    ${fill}
except OSError as error:
    print(error.strerror)
time.sleep(2)
for name in os.listdir("/job"):
    os.unlink(f"/job/{name}")
`,
      );
      equal(said.stdout, "No space left on device\n", said.stderr);
      const { diskFull, diskBytes } = await guest.counters();
      ok(diskFull && diskBytes < spec.diskBytes / 2, `${diskFull} ${diskBytes}`);
    }
  },

  async "the machine's network has the index and nothing else"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const said = await python(
      guest,
      `
import socket
for host, port in [("10.0.2.2", port) for port in (22, 53, 80, 443, 8080)] + [("10.0.2.3", 53), ("10.0.2.1", 80), ("192.0.2.7", 80)]:
    try:
        socket.create_connection((host, port), timeout=3)
        print("WORKED", host, port)
    except OSError:
        pass
query = b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7service\\7example\\0\\0\\1\\0\\1"
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(2)
try:
    asking.sendto(query, ("10.0.2.3", 53))
    print("WORKED", asking.recv(512))
except OSError:
    pass
print("over")
`,
    );
    equal(said.stdout, "over\n", said.stderr);
  },

  async "what outgrows memory goes to the scratch disk"({ machine, spec, signal }) {
    const roomy = { ...spec, diskBytes: 4 * spec.memoryBytes };
    if (!FULL) return;
    await using guest = await machine.start(roomy, signal);
    const bytes = 2 * spec.memoryBytes;
    const said = await run(
      guest,
      ["sh", "-c", `head -c ${bytes} /dev/urandom >big && sha256sum <big && sha256sum <big`],
      { wallMs: 300_000 },
    );
    const [first, second] = said.stdout.trim().split("\n");
    ok(said.code === 0 && first === second && first !== undefined, said.stderr);
    const { oomKills, diskBytes } = await guest.counters();
    ok(oomKills === 0 && diskBytes >= bytes, `${oomKills} ${diskBytes}`);
  },
};
