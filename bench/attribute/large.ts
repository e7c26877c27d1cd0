/**
 * One table in a process of its own: time and peak memory of `attribute`. Called by run.ts with the shape and the number
 * of repetitions as JSON; prints one line of JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { attribute } from '../../src/attribute/index.ts';
import { median } from '../../src/stats/robust.ts';
import { namesOf, time } from './measure.ts';
import type { Shape } from './tables.ts';
import { syntheticCase } from './tables.ts';

export interface LargeResult {
  readonly leaves: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly firstWallMs: number;
  /** MB: of the process with its table before the first call, at the first call's peak, at the peak of all calls. */
  readonly before: number;
  readonly firstPeak: number;
  readonly peak: number;
  /** MB of typed arrays, table included, before and at the end of the calls. */
  readonly arraysBefore: number;
  readonly arraysAfter: number;
  readonly right: boolean;
}

const MB = 1024 * 1024;

/** Peak resident memory in MB since the last reset. */
function peakRss(): number {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]) / 1024;
}

const { shape, repeat, seed } = JSON.parse(process.argv[2] ?? '') as { shape: Shape; repeat: number; seed: number };
const { table, truth } = syntheticCase(shape, seed);
globalThis.gc?.();
writeFileSync('/proc/self/clear_refs', '5');
const before = process.memoryUsage();
const first = time(() => attribute(table));
const firstPeak = peakRss();
const named = namesOf(first.value);
const wall: number[] = [];
const cpu: number[] = [];
for (let r = 0; r < repeat; r++) {
  const { wallMs, cpuMs } = time(() => attribute(table));
  wall.push(wallMs);
  cpu.push(cpuMs);
}
const result: LargeResult = {
  leaves: table.actual.length,
  wallMs: median(wall),
  cpuMs: median(cpu),
  firstWallMs: first.wallMs,
  before: before.rss / MB,
  firstPeak,
  peak: peakRss(),
  arraysBefore: before.arrayBuffers / MB,
  arraysAfter: process.memoryUsage().arrayBuffers / MB,
  right: named.length === truth.size && named.every((name) => truth.has(name)),
};
console.log(JSON.stringify(result));
