const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
const BACKING_FORMAT = 0xe2_79_2a_ca;
const BACKING_AT = 0x400;

/**
 * An empty qcow2 (version 3; docs/interop/qcow2.txt of QEMU) over a raw file, as `qemu-img create` makes one, which is in a package
 * that the farm does not need.
 */
export function emptyQcow2(sizeBytes: number, backing: string): Buffer {
  const [refcountTable, refcountBlock, l1Table] = [1, 2, 3];
  const l1Entries = Math.ceil(sizeBytes / (CLUSTER * (CLUSTER / 8)));
  const file = Buffer.alloc(4 * CLUSTER);
  file.write("QFI\u00FB", 0, "latin1");
  file.writeUInt32BE(3, 4);
  file.writeBigUInt64BE(BigInt(BACKING_AT), 8);
  file.writeUInt32BE(Buffer.byteLength(backing), 16);
  file.writeUInt32BE(CLUSTER_BITS, 20);
  file.writeBigUInt64BE(BigInt(sizeBytes), 24);
  file.writeUInt32BE(l1Entries, 36);
  file.writeBigUInt64BE(BigInt(l1Table * CLUSTER), 40);
  file.writeBigUInt64BE(BigInt(refcountTable * CLUSTER), 48);
  file.writeUInt32BE(1, 56);
  // 16 bits for each count; header of 104 bytes.
  file.writeUInt32BE(4, 96);
  file.writeUInt32BE(104, 100);
  file.writeUInt32BE(BACKING_FORMAT, 104);
  file.writeUInt32BE(3, 108);
  file.write("raw", 112, "latin1");
  file.write(backing, BACKING_AT);
  file.writeBigUInt64BE(BigInt(refcountBlock * CLUSTER), refcountTable * CLUSTER);
  for (let cluster = 0; cluster < 4; cluster++)
    file.writeUInt16BE(1, refcountBlock * CLUSTER + 2 * cluster);
  return file;
}
