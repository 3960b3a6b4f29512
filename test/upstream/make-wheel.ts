import { execFileSync } from "node:child_process";

const BUILD = `
import io, sys, zipfile, json, base64, hashlib
spec = json.load(sys.stdin)
info = "%s-%s.dist-info" % (spec["name"].replace("-", "_"), spec["version"])
files = dict(spec["files"])
requires = "".join("Requires-Dist: %s\\n" % r for r in spec["requires"])
if spec.get("requiresPython"):
    requires += "Requires-Python: %s\\n" % spec["requiresPython"]
files[info + "/METADATA"] = "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n%s" % (spec["name"], spec["version"], requires)
files[info + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
record = "".join("%s,sha256=%s,%d\\n" % (n, base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip("="), len(t.encode())) for n, t in files.items())
files[info + "/RECORD"] = record + info + "/RECORD,,\\n"
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
    for name, text in files.items():
        z.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_STORED if name.endswith(".bin") else zipfile.ZIP_DEFLATED)
sys.stdout.buffer.write(out.getvalue())
`;

/** A pure wheel, put together by Python's own zipfile: nothing of ours judges its own format. */
export function makeWheel(
  name: string,
  version: string,
  files: Readonly<Record<string, string>>,
  requires: readonly string[] = [],
  requiresPython?: string,
): Buffer {
  return execFileSync("python3", ["-I", "-c", BUILD], {
    input: JSON.stringify({ name, version, files, requires, requiresPython }),
    maxBuffer: 256 << 20,
  });
}
