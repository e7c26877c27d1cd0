/**
 * Writes the messages of a workload to standard output, one after the other: a process of its own, so that the memory of
 * what reads them is not the generator's. Per message: its length (4 bytes, little endian), its bytes; a length of 0
 * ends a window.
 * Usage: generate.ts SERVICES EDGES WINDOWS [SLOW_FROM [SECOND_FROM [NAMING]]]; from window SLOW_FROM on the service in the
 * middle is slow, from SECOND_FROM on another one as well; NAMING: how collectors name what runs elsewhere.
 */
import { writeSync } from 'node:fs';
import { encodeBatch } from '../../src/codec/index.ts';
import { createRandom } from '../../src/stats/random.ts';
import { edgesOf, namingOf, WINDOW_MS, windowBatches } from './workload.ts';

const NEVER = Number.POSITIVE_INFINITY;
const [services = 1_000, edges = 10_000, windows = 30, slowFrom = NEVER, secondFrom = NEVER] = process.argv
  .slice(2, 7)
  .map(Number);
const naming = namingOf(process.argv[7] ?? 'names');
/** Any start will do, and the same one makes the same bytes. */
const START_MS = 1_800_000_000_000;

const system = edgesOf({ services, edges });
const random = createRandom(1);
const length = Buffer.alloc(4);
for (let w = 0; w < windows; w++) {
  const slow = [
    ...(w >= slowFrom ? [`service-${services >> 1}`] : []),
    ...(w >= secondFrom ? [`service-${services >> 2}`] : []),
  ];
  for (const batch of windowBatches(system, START_MS + w * WINDOW_MS, random, slow, naming)) {
    for (const { value } of encodeBatch(batch, 'protobuf')) {
      length.writeUInt32LE(value.byteLength);
      put(length);
      put(value);
    }
  }
  length.writeUInt32LE(0);
  put(length);
}

function put(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(1, bytes, at);
}
