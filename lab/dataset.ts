/**
 * Takes the recording of a lab run into datasets/: the file, and its manifest with the truth in it.
 *
 *   node bin/node24.mjs lab/dataset.ts LAB_OUT_DIR datasets/packet-loss.rwrec
 */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Manifest } from '../src/recording/index.ts';
import { manifestPath, readManifest } from '../src/recording/index.ts';

const MAX_BYTES = 2 * 1024 * 1024;
const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) throw new Error('usage: lab/dataset.ts LAB_OUT_DIR FILE.rwrec');
const source = join(from, 'recording.rwrec');
const manifest = readManifest(source);
if (manifest === undefined) throw new Error(`${source} has no manifest; the run did not end in order`);
if (statSync(source).size > MAX_BYTES) throw new Error(`${source} is larger than ${MAX_BYTES} bytes`);
const truth: unknown = JSON.parse(readFileSync(join(from, 'truth.json'), 'utf8'));
copyFileSync(source, to);
const kept: Manifest = { ...manifest, file: basename(to), truth };
writeFileSync(manifestPath(to), `${JSON.stringify(kept, null, 2)}\n`);
console.log(`${to}: ${manifest.messages} messages, ${manifest.bytes} bytes`);
