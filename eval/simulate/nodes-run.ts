/**
 * `npm run eval:nodes`: random systems with a known fault, seen by metrics of nodes alone (no calls are recorded).
 *   npm run eval:nodes -- [--systems 320] [--seed 1] [--condition none|async|blind|large|quiet|retries|sparse] [--misses]
 * Prints per kind of fault and view how often the root is first, and among the first three.
 */
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { flags } from '../flags.ts';
import type { Fault } from './fault.ts';
import { FAULT_KINDS } from './fault.ts';
import type { View } from './node-metrics.ts';
import { nodeMetrics, VIEWS } from './node-metrics.ts';
import { draw } from './simulate.ts';
import type { SimulatedSystem } from './system.ts';
import { CONDITIONS } from './system.ts';

const values = flags(import.meta.url, {
  systems: { type: 'string', default: '320' },
  seed: { type: 'string', default: '1' },
  condition: { type: 'string', default: 'none' },
  misses: { type: 'boolean', default: false },
});

const condition = CONDITIONS.find((one) => one === values.condition);
if (condition === undefined)
  throw new Error(`--condition: expected ${CONDITIONS.join(', ')}, found ${values.condition}`);

/** Lost clients are nobody's metric. */
const KINDS = FAULT_KINDS.filter((kind) => kind !== 'drop');
const tallies = new Map<string, { cases: number; first: number; third: number }>();
for (let k = 0; k < Number(values.systems); k++) {
  const kind = KINDS[k % KINDS.length]!;
  const drawn = draw(Number(values.seed) * 100_003 + k, [kind], condition);
  if (drawn === undefined) continue;
  const fault = drawn.faults[0]!;
  const seen = nodeMetrics(drawn);
  for (const view of VIEWS) {
    const roots = rootsOf(drawn.system, fault, view);
    if (roots.length === 0) continue;
    const ranked = rankNodes(seen[view]);
    const at = ranked.findIndex(({ node }) => roots.includes(node));
    for (const key of [`${kind}/${view}`, `all/${view}`]) {
      const tally = tallies.get(key) ?? { cases: 0, first: 0, third: 0 };
      tallies.set(key, tally);
      tally.cases++;
      if (at === 0) tally.first++;
      if (at >= 0 && at < 3) tally.third++;
    }
    if (values.misses && at !== 0) {
      const named = ranked.slice(0, 4).map(({ node, family, score }) => `${node} (${family} ${score.toFixed(2)})`);
      console.log(`${kind} ${k} ${view}: ${fault.truth.name} is ${at < 0 ? 'nowhere' : at + 1}; ${named.join(', ')}`);
    }
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${k + 1}/${values.systems}   `);
}
if (process.stderr.isTTY) process.stderr.write('\n');
console.log(`first (among three) of cases  ${VIEWS.map((view) => view.padEnd(20)).join('')}`);
for (const kind of [...KINDS, 'all']) {
  const cells = VIEWS.map((view) => {
    const tally = tallies.get(`${kind}/${view}`);
    return (tally === undefined ? '-' : `${tally.first} (${tally.third}) of ${tally.cases}`).padEnd(20);
  });
  console.log(`${kind.padEnd(30)}${cells.join('')}`.trimEnd());
}

/** What counts as right in a view: an instance's service where there are only services, either end of a way. */
function rootsOf({ services }: SimulatedSystem, { kind, truth, instance, machine }: Fault, view: View): string[] {
  if (machine !== undefined) return view === 'services' ? [] : [machine];
  if (instance !== undefined) return view === 'services' ? [instance.replace(/-\d+$/, '')] : [instance];
  const names = kind === 'slow_edge' ? truth.name.split(' -> ') : [truth.name];
  return names.flatMap((name) => [name, ...(services.find((one) => one.name === name)?.instances ?? [])]);
}
