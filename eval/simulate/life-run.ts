/**
 * `npm run eval:life`: random systems that run for days, with days and nights, deploys, jobs, and a fault every now and then.
 *   npm run eval:life -- [--systems 4] [--seed 1] [--hours 48] [--every-minutes 90] [--pace 24]
 *     [--weather all|calm|deploys|…] [--condition none|…] [--misses]
 * What the weather does in an hour it does in `pace` hours: with 24 a tide is a day and a night, deploys are an hour apart.
 * The first two hours have no fault. Faults last 2 to 15 minutes, of every kind in turn but `slow_external`. Prints how many of them opened an
 * incident, whose first cause was right, how long incidents stayed open afterwards, and incidents that no fault opened.
 */
import { createRuleSet } from '../../src/classify/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import { RcaError } from '../../src/model/errors.ts';
import type { Report } from '../../src/model/report.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createRandom } from '../../src/stats/random.ts';
import { median } from '../../src/stats/robust.ts';
import { flags, wholeNumber } from '../flags.ts';
import type { Fault } from './fault.ts';
import { FAULT_KINDS, randomFault } from './fault.ts';
import { WINDOW_MS } from './requests.ts';
import { isRight, START_MS } from './simulate.ts';
import { conditionOf, randomSystem, under } from './system.ts';
import { windowOf } from './traffic.ts';
import { Sky, weatherOf } from './weather.ts';

/** Who is observed stays so. */
const KINDS = FAULT_KINDS.filter((kind) => kind !== 'slow_external');
const MINUTE = 60_000 / WINDOW_MS;
const QUIET_MINUTES = 120;
/** What opens so soon after a fault is its own doing. */
const GRACE_MINUTES = 3;
const SHORTEST_MINUTES = 2;
const LONGEST_MINUTES = 15;

const values = flags(import.meta.url, {
  systems: { type: 'string', default: '4' },
  seed: { type: 'string', default: '1' },
  hours: { type: 'string', default: '48' },
  'every-minutes': { type: 'string', default: '90' },
  pace: { type: 'string', default: '24' },
  weather: { type: 'string', default: 'all' },
  condition: { type: 'string', default: 'none' },
  misses: { type: 'boolean', default: false },
});
const seed = wholeNumber('seed', values.seed);
const hours = Number(values.hours);
const every = Number(values['every-minutes']);
const pace = Number(values.pace);
const weather = weatherOf(values.weather);
const condition = conditionOf(values.condition);
if (!(hours > QUIET_MINUTES / 60)) throw new RcaError('RCA_BAD_INPUT', '--hours: expected more than 2');
if (!(every > LONGEST_MINUTES + GRACE_MINUTES))
  throw new RcaError('RCA_BAD_INPUT', `--every-minutes: expected more than ${LONGEST_MINUTES + GRACE_MINUTES}`);
if (!(pace >= 1)) throw new RcaError('RCA_BAD_INPUT', '--pace: expected 1 or more');

interface Episode {
  readonly fault: Fault;
  readonly fromMs: number;
  readonly toMs: number;
}

const rules = createRuleSet(BUILT_IN_RULES);
const sum = { faults: 0, opened: 0, one: 0, right: 0, wrong: 0, unresolved: 0, false: 0 };
const resolvedS: number[] = [];
const started = performance.now();
const systems = wholeNumber('systems', values.systems);
for (let k = 0; k < systems; k++) await live(k);
const days = (systems * hours) / 24;
console.log(
  `${sum.faults} faults in ${days} days: ${sum.opened} opened an incident, ${sum.one} exactly one, ${sum.right} right (entity and class)`,
);
console.log(
  `resolved after ${median(resolvedS).toFixed(0)} s (median), ${sum.unresolved} not before the next fault; ${sum.false} incidents without a fault`,
);
console.log(`${((performance.now() - started) / 1000).toFixed(0)} s`);

async function live(k: number): Promise<void> {
  const random = createRandom(seed * 100_003 + k);
  const noise = createRandom(seed * 100_003 + k + 50_000);
  const events = createRandom(seed * 100_003 + k + 90_000_000);
  const system = under(condition, randomSystem(random), random);
  const sky = new Sky(weather, system, [], createRandom(seed * 100_003 + k + 70_000_000), pace);
  const pipeline = createPipeline({ rules, configHash: 'simulate', ingest: { latenessMs: 15_000 } });
  const reports: Report[] = [];
  const episodes: Episode[] = [];
  let active: Episode | undefined;
  let nextWindow = QUIET_MINUTES * MINUTE;
  for (let w = 0; w < hours * 60 * MINUTE; w++) {
    const startMs = START_MS + w * WINDOW_MS;
    if (active !== undefined && startMs >= active.toMs) {
      active = undefined;
      sky.hold([]);
    }
    const now = sky.next(w, startMs);
    if (w >= nextWindow) {
      nextWindow += every * MINUTE;
      const kinds = KINDS.map((_, i) => KINDS[(episodes.length + k + i) % KINDS.length]!);
      const fault = kinds.map((kind) => randomFault(now, kind, events)).find((one) => one !== undefined);
      const minutes = SHORTEST_MINUTES + (LONGEST_MINUTES - SHORTEST_MINUTES) * events();
      if (fault !== undefined) {
        active = { fault, fromMs: startMs, toMs: startMs + Math.round(minutes * MINUTE) * WINDOW_MS };
        episodes.push(active);
        sky.hold([fault]);
      }
    }
    for (const batch of windowOf(now, active === undefined ? [] : [active.fault], startMs, random, noise)) {
      const meta = { origin: 'simulate', receivedMs: startMs + WINDOW_MS };
      for (const outcome of (await pipeline.accept(batch, meta)).outcomes) reports.push(...outcome.reports);
    }
    if (process.stderr.isTTY && w % 720 === 0) process.stderr.write(`\rsystem ${k}, hour ${w / 720}   `);
  }
  for (const outcome of await pipeline.flush()) reports.push(...outcome.reports);
  score(k, episodes, reports);
}

function score(k: number, episodes: readonly Episode[], reports: readonly Report[]): void {
  const byIncident = new Map<string, Report[]>();
  for (const report of reports)
    byIncident.set(report.incidentId, [...(byIncident.get(report.incidentId) ?? []), report]);
  const incidents = [...byIncident.values()];
  const ofFault = new Set<Report[]>();
  for (const [i, { fault, fromMs, toMs }] of episodes.entries()) {
    sum.faults++;
    const nextMs = episodes[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const own = incidents.filter(([{ openedMs } = { openedMs: 0 }]) => {
      return openedMs >= fromMs && openedMs < toMs + GRACE_MINUTES * 60_000;
    });
    for (const one of own) ofFault.add(one);
    if (own.length > 0) sum.opened++;
    if (own.length === 1) sum.one++;
    const last = own[0]?.filter(({ reportedMs }) => reportedMs <= toMs + 60_000).at(-1) ?? own[0]?.at(-1);
    const first = last?.causes[0];
    if (first !== undefined && isRight(fault, first)) sum.right++;
    else if (values.misses) tell(k, `${fault.kind} ${fault.truth.name}`, fromMs, own);
    for (const one of own) {
      const end = one.at(-1)!;
      if (end.resolvedMs === null || end.resolvedMs >= nextMs) sum.unresolved++;
      else resolvedS.push(Math.max(0, (end.resolvedMs - toMs) / 1000));
    }
  }
  const without = incidents.filter((one) => !ofFault.has(one));
  sum.false += without.length;
  if (values.misses) for (const one of without) tell(k, 'no fault', one[0]!.openedMs, [one]);
}

function tell(k: number, what: string, atMs: number, incidents: readonly Report[][]): void {
  const hour = ((atMs - START_MS) / 3_600_000).toFixed(2);
  const said = incidents.map((one) => {
    const { phenomenon, causes } = one.at(-1)!;
    return `${causes
      .slice(0, 2)
      .map(({ entity, faultClass }) => `${entity.name} ${faultClass}`)
      .join(' | ')} (${phenomenon})`;
  });
  console.log(`system ${k}, hour ${hour}: ${what}: ${said.join(' || ') || 'no incident'}`);
}
