/**
 * `npm run eval:simulate`: random systems with a known fault through the whole pipeline.
 *   npm run eval:simulate -- [--systems 400] [--seed 1] [--condition none|async|blind|breakers|large|quiet|retries|sparse|storms|timeouts]
 *     [--healthy-minutes 3] [--fault-minutes 1] [--faults 1|2] [--apart-seconds 0] [--gap-seconds 0] [--misses] [--unwatched]
 *     [--weather calm|deploys|scaling|bursts|tides|tails|pauses|jobs|mixes|kinds|all]
 *     [--of-kind 0|1|2 (light, usual, heavy, with --weather kinds)]
 *     [--release none|rolling|canary|restart (the fault comes with a new version: slow code, errors, too many calls)]
 *     [--hangs (calls that never end: a service holds them, or reads none)]
 *     [--slower 1 (times as much added time as usual: with impatient callers hardly anything comes through)]
 *     [--after-minutes 0 (healthy again: are incidents resolved, does anything false open)]
 *     [--growing-minutes 0] [--on-seconds 0 --off-seconds 0] [--kept-windows as fit]
 * A fault is all there at once, or grows evenly for so long before the minutes that it lasts, or comes and goes. Systems of
 * 10,000 services keep 24 windows one by one; small ones half an hour, unless --kept-windows.
 * With --gap-seconds the first of two faults is over so long before the second begins.
 * Prints per kind of fault: cases, one incident, entity right first, among three, class; false incidents before the fault;
 * reports that tell of one more cause;
 * and how often a cause named with a confidence is right, entity and class. Of two faults at once, a table by the first
 * one's kind: one of the two, or both, among the first two causes; of two in turn, by the second one's kind, whether each is the
 * first cause of the last report of its time. Under `blind`, only faults that a collector watches,
 * unless --unwatched.
 */

import { RcaError } from '../../src/model/errors.ts';
import type { Report } from '../../src/model/report.ts';
import { toldCauses } from '../../src/report/index.ts';
import { flags, wholeNumber } from '../flags.ts';
import type { Fault, FaultKind } from './fault.ts';
import { FAULT_KINDS, HANG_KINDS } from './fault.ts';
import { PairScores, SECOND_KINDS } from './pairs.ts';
import { releasedKinds, releaseOf } from './release.ts';
import { KIND_TIMES, WINDOW_MS } from './requests.ts';
import type { Simulated } from './simulate.ts';
import { faultMs, isRight, lastReports, overMs, START_MS, secondMs, simulate, USUAL_LENGTH } from './simulate.ts';
import { conditionOf } from './system.ts';
import { TurnScores } from './turns.ts';
import { weatherOf } from './weather.ts';

const values = flags(import.meta.url, {
  systems: { type: 'string', default: '400' },
  seed: { type: 'string', default: '1' },
  condition: { type: 'string', default: 'none' },
  'healthy-minutes': { type: 'string', default: String(USUAL_LENGTH.healthyMinutes) },
  'fault-minutes': { type: 'string', default: String(USUAL_LENGTH.faultMinutes) },
  faults: { type: 'string', default: '1' },
  'apart-seconds': { type: 'string', default: '0' },
  'gap-seconds': { type: 'string', default: '0' },
  'growing-minutes': { type: 'string', default: '0' },
  'on-seconds': { type: 'string', default: '0' },
  'off-seconds': { type: 'string', default: '0' },
  'kept-windows': { type: 'string' },
  weather: { type: 'string', default: 'calm' },
  'of-kind': { type: 'string' },
  'after-minutes': { type: 'string', default: '0' },
  release: { type: 'string', default: 'none' },
  slower: { type: 'string', default: '1' },
  hangs: { type: 'boolean', default: false },
  unwatched: { type: 'boolean', default: false },
  misses: { type: 'boolean', default: false },
});

interface Tally {
  cases: number;
  one: number;
  first: number;
  third: number;
  classified: number;
  early: number;
  /** Reports that tell of a cause besides the true one. */
  more: number;
}

/** Confidence of every named cause, and whether entity and class are right. */
const claims: { readonly confidence: number; readonly right: boolean }[] = [];
const tallies = new Map<FaultKind, Tally>(
  (values.hangs ? HANG_KINDS : FAULT_KINDS).map((kind) => [
    kind,
    { cases: 0, one: 0, first: 0, third: 0, classified: 0, early: 0, more: 0 },
  ]),
);
const condition = conditionOf(values.condition);
const systems = wholeNumber('systems', values.systems);
const seed = wholeNumber('seed', values.seed);
const lengths = {
  healthyMinutes: Number(values['healthy-minutes']),
  faultMinutes: Number(values['fault-minutes']),
  afterMinutes: Number(values['after-minutes']),
  slower: Number(values.slower),
  apartSeconds: Number(values['apart-seconds']),
  gapSeconds: Number(values['gap-seconds']),
  growingMinutes: Number(values['growing-minutes']),
  onSeconds: Number(values['on-seconds']),
  offSeconds: Number(values['off-seconds']),
  ...(values['kept-windows'] === undefined ? {} : { keptWindows: wholeNumber('kept-windows', values['kept-windows']) }),
};
for (const [flag, value] of Object.entries(lengths))
  if (!(Number.isFinite(value) && value >= 0))
    throw new RcaError(
      'RCA_BAD_INPUT',
      `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: expected a number, 0 or more, found ${value}`,
    );
const ofKind = values['of-kind'] === undefined ? undefined : wholeNumber('of-kind', values['of-kind'], 0);
if (ofKind !== undefined && !(ofKind < KIND_TIMES.length && values.weather === 'kinds'))
  throw new RcaError(
    'RCA_BAD_INPUT',
    `--of-kind: expected 0 to ${KIND_TIMES.length - 1} with --weather kinds, found ${ofKind} with --weather ${values.weather}`,
  );
const length = {
  ...lengths,
  weather: weatherOf(values.weather),
  release: releaseOf(values.release),
  ...(ofKind === undefined ? {} : { ofKind }),
};
if (!(length.healthyMinutes > 0 && length.faultMinutes > 0))
  throw new RcaError('RCA_BAD_INPUT', '--healthy-minutes, --fault-minutes: expected numbers above 0');
if (!(length.slower > 0)) throw new RcaError('RCA_BAD_INPUT', '--slower: expected a number above 0');
if ((length.onSeconds * 1000) % WINDOW_MS !== 0 || (length.offSeconds * 1000) % WINDOW_MS !== 0)
  throw new RcaError('RCA_BAD_INPUT', '--on-seconds, --off-seconds: expected whole windows of 5 s');
if (length.onSeconds > 0 !== length.offSeconds > 0)
  throw new RcaError('RCA_BAD_INPUT', '--on-seconds and --off-seconds: expected both, or neither');
if (!['1', '2'].includes(values.faults))
  throw new RcaError('RCA_BAD_INPUT', `--faults: expected 1 or 2, found ${values.faults}`);
if (length.gapSeconds > 0 && (values.faults !== '2' || length.apartSeconds > 0))
  throw new RcaError('RCA_BAD_INPUT', '--gap-seconds: goes with --faults 2, and without --apart-seconds');
const pairs = new PairScores();
const turns = new TurnScores();
const beginsMs = faultMs(length);
const endsMs = overMs(length);
/** Of incidents that the fault opened: seconds until they were resolved after it was over, or that they are not. */
const resolved: number[] = [];
let unresolved = 0;
let falseAfter = 0;
const started = performance.now();
for (let k = 0; k < systems; k++) {
  const kinds = rotated(
    values.hangs ? HANG_KINDS : length.release === 'none' ? FAULT_KINDS : releasedKinds(length.release),
    k,
  );
  const others = values.faults === '2' ? [rotated(SECOND_KINDS, 5 * k + 3)] : [];
  const simulated = await simulate(seed * 100_003 + k, kinds, condition, length, others);
  if (simulated !== undefined && (simulated.watched || values.unwatched)) score(k, simulated);
  if (process.stderr.isTTY) process.stderr.write(`\r${k + 1}/${systems}   `);
}
if (process.stderr.isTTY) process.stderr.write('\n');
if (length.gapSeconds > 0) turns.print();
else if (values.faults === '2') pairs.print();
else {
  print();
  printReliability();
  if (length.afterMinutes > 0) printAfter();
}

function rotated(kinds: readonly FaultKind[], by: number): FaultKind[] {
  return kinds.map((_, i) => kinds[(by + i) % kinds.length]!);
}

function score(k: number, simulated: Simulated): void {
  if (simulated.faults.length === 1) scoreOne(k, simulated);
  else {
    const missed =
      length.gapSeconds > 0
        ? turns.add(simulated, [beginsMs, secondMs(length)], endsMs)
        : pairs.add(simulated, beginsMs);
    if (values.misses && missed !== undefined) sayMissed(k, simulated, missed);
  }
}

function scoreOne(k: number, simulated: Simulated): void {
  const { faults, reports } = simulated;
  const fault = faults[0]!;
  const tally = tallies.get(fault.kind)!;
  const { early, during, late } = lastReports(reports, beginsMs, endsMs);
  if (values.misses) for (const report of [...early, ...late]) sayFalse(k, report);
  scoreAfter(k, fault, during, late);
  const causes = (during[0]?.causes ?? []).map(({ entity }) => entity);
  const right = causes.findIndex(({ kind, name }) => kind === fault.truth.kind && name === fault.truth.name);
  tally.cases++;
  tally.early += early.length;
  if (during.length === 1) tally.one++;
  if (right === 0) tally.first++;
  if (right >= 0 && right < 3) tally.third++;
  const [lead] = during[0]?.causes ?? [];
  const told = during.flatMap(({ causes: all, ledgers }) => toldCauses(all, ledgers).slice(1));
  if (told.some((cause) => !isRight(fault, cause))) tally.more++;
  if (lead !== undefined && isRight(fault, lead)) tally.classified++;
  for (const cause of during[0]?.causes ?? [])
    if (cause.faultClass !== 'unknown') claims.push({ confidence: cause.confidence, right: isRight(fault, cause) });
  if (values.misses && (lead === undefined || !isRight(fault, lead) || during.length !== 1))
    sayMissed(k, simulated, fault);
}

function scoreAfter(k: number, { kind, truth }: Fault, during: readonly Report[], late: readonly Report[]): void {
  falseAfter += late.length;
  for (const { resolvedMs } of during) {
    if (resolvedMs === null) {
      unresolved++;
      if (values.misses && length.afterMinutes > 0) console.log(`system ${k}: ${kind} ${truth.name} not resolved`);
    } else resolved.push((resolvedMs - endsMs) / 1000);
  }
}

function printAfter(): void {
  resolved.sort((a, b) => a - b);
  const median = resolved.length === 0 ? 'none' : `${resolved[resolved.length >> 1]} s`;
  console.log(
    `after the fault: ${resolved.length} resolved (median ${median}), ${unresolved} not, ${falseAfter} false incidents`,
  );
}

function sayMissed(k: number, { faults, watched, reports }: Simulated, { kind, truth, size }: Fault): void {
  const { during } = lastReports(reports, beginsMs, endsMs);
  const others = faults
    .filter((fault) => fault.truth !== truth)
    .map((fault) => ` (with ${fault.kind} ${fault.truth.name})`);
  const named = during.map(({ causes }) =>
    causes
      .slice(0, 3)
      .map(({ entity, faultClass }) => `${entity.name} ${faultClass}`)
      .join(' | '),
  );
  console.log(
    `system ${k}: ${kind} ${truth.name} size ${size.toFixed(2)}${others.join('')}${watched ? '' : ' unwatched'}: ${during.length} incidents, ${named.join(' || ') || 'no cause'}`,
  );
}

function sayFalse(k: number, { openedMs, endedMs, causes, phenomenon }: Report): void {
  const seconds = (openedMs - START_MS) / 1000;
  const lasted = endedMs === null ? 'on' : `${(endedMs - openedMs) / 1000} s`;
  const named = causes.slice(0, 2).map(({ entity, faultClass }) => `${entity.name} ${faultClass}`);
  console.log(`system ${k}: false after ${seconds} s (${lasted}): ${phenomenon}; ${named.join(' | ') || 'no cause'}`);
}

function print(): void {
  console.log('fault            cases  one incident  top-1   top-3   classified  false before  more told');
  const all: Tally = { cases: 0, one: 0, first: 0, third: 0, classified: 0, early: 0, more: 0 };
  for (const [kind, tally] of tallies) {
    line(kind, tally);
    for (const key of Object.keys(all) as (keyof Tally)[]) all[key] += tally[key];
  }
  line('all', all);
  const minutes = all.cases * length.healthyMinutes;
  console.log(`${minutes.toFixed(0)} healthy minutes; ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

/** Named causes by confidence: what was said, and how often it was so. */
function printReliability(): void {
  console.log('\nconfidence  causes  mean   right');
  let error = 0;
  for (let from = 0; from < 10; from += 2) {
    const within = claims.filter(
      ({ confidence }) => Math.min(9, Math.floor(confidence * 10 + 1e-9)) >> 1 === from >> 1,
    );
    if (within.length === 0) continue;
    const mean = within.reduce((sum, { confidence }) => sum + confidence, 0) / within.length;
    const right = within.filter((claim) => claim.right).length / within.length;
    error += (Math.abs(mean - right) * within.length) / claims.length;
    const bin = `${(from / 10).toFixed(1)}-${((from + 2) / 10).toFixed(1)}`;
    console.log(`${bin}     ${String(within.length).padStart(6)}  ${mean.toFixed(3)}  ${right.toFixed(3)}`);
  }
  console.log(`expected calibration error ${error.toFixed(3)}`);
}

function line(name: string, { cases, one, first, third, classified, early, more }: Tally): void {
  const share = (n: number): string => (cases === 0 ? '-' : (n / cases).toFixed(3)).padEnd(6);
  console.log(
    `${name.padEnd(16)} ${String(cases).padStart(5)}  ${share(one)}        ${share(first)}  ${share(third)}  ${share(classified)}      ${String(early).padEnd(12)}  ${more}`,
  );
}
