/**
 * `npm run eval:nodes`: random systems with a known fault, seen by metrics of nodes alone (no calls are recorded).
 *   npm run eval:nodes -- [--systems 320] [--seed 1] [--condition none|async|blind|large|quiet|retries|sparse] [--misses]
 *     [--lacking]
 * Prints per kind of fault and view how often the root is first, and among the first three; how many windows before the
 * fault name somebody; with --lacking, the same where something is not measured.
 */
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { flags, wholeNumber } from '../flags.ts';
import { STANDS_OUT } from '../rca/healthy.ts';
import type { Fault } from './fault.ts';
import { FAULT_KINDS } from './fault.ts';
import { healthy, LACKING } from './lacking.ts';
import type { View } from './node-metrics.ts';
import { nodeMetrics, VIEWS } from './node-metrics.ts';
import { draw } from './simulate.ts';
import type { SimulatedSystem } from './system.ts';
import { conditionOf } from './system.ts';

const values = flags(import.meta.url, {
  systems: { type: 'string', default: '320' },
  seed: { type: 'string', default: '1' },
  condition: { type: 'string', default: 'none' },
  misses: { type: 'boolean', default: false },
  lacking: { type: 'boolean', default: false },
});

const condition = conditionOf(values.condition);
const systems = wholeNumber('systems', values.systems);
const seed = wholeNumber('seed', values.seed);

/** Lost clients are nobody's metric. */
const KINDS = FAULT_KINDS.filter((kind) => kind !== 'drop');

class Table {
  readonly #cells = new Map<string, { cases: number; first: number; third: number }>();

  /** @param at  place of the root, -1: nowhere */
  add(row: string, view: View, at: number): void {
    const cell = this.#cells.get(`${row}/${view}`) ?? { cases: 0, first: 0, third: 0 };
    this.#cells.set(`${row}/${view}`, cell);
    cell.cases++;
    if (at === 0) cell.first++;
    if (at >= 0 && at < 3) cell.third++;
  }

  print(title: string, rows: readonly string[]): void {
    console.log(`${title.padEnd(30)}${VIEWS.map((view) => view.padEnd(18)).join('')}`.trimEnd());
    for (const row of rows) {
      const cells = VIEWS.map((view) => {
        const cell = this.#cells.get(`${row}/${view}`);
        return (cell === undefined ? '-' : `${cell.first} (${cell.third}) of ${cell.cases}`).padEnd(18);
      });
      console.log(`${row.padEnd(30)}${cells.join('')}`.trimEnd());
    }
  }
}

const faults = new Table();
const lacking = new Table();
const variants = values.lacking ? LACKING : [];
let quiet = 0;
let named = 0;
for (let k = 0; k < systems; k++) {
  const kind = KINDS[k % KINDS.length]!;
  const drawn = draw(seed * 100_003 + k, [kind], condition);
  if (drawn === undefined) continue;
  const fault = drawn.faults[0]!;
  const seen = nodeMetrics(drawn);
  for (const view of VIEWS) {
    quiet++;
    if ((rankNodes(healthy(seen[view]))[0]?.score ?? 0) >= STANDS_OUT) named++;
    const roots = rootsOf(drawn.system, fault, view);
    if (roots.length === 0) continue;
    const ranked = rankNodes(seen[view]);
    const at = ranked.findIndex(({ node }) => roots.includes(node));
    for (const row of [kind, 'all']) faults.add(row, view, at);
    for (const [name, without] of variants)
      lacking.add(
        name,
        view,
        rankNodes(without(seen[view])).findIndex(({ node }) => roots.includes(node)),
      );
    if (values.misses && at !== 0) {
      const list = ranked.slice(0, 4).map(({ node, family, score }) => `${node} (${family} ${score.toFixed(2)})`);
      console.log(`${kind} ${k} ${view}: ${fault.truth.name} is ${at < 0 ? 'nowhere' : at + 1}; ${list.join(', ')}`);
    }
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${k + 1}/${systems}   `);
}
if (process.stderr.isTTY) process.stderr.write('\n');
faults.print('first (among three) of cases', [...KINDS, 'all']);
console.log(`${named} of ${quiet} windows before the fault name somebody (a score of ${STANDS_OUT} and more)`);
if (values.lacking)
  lacking.print(
    '\nnot measured',
    variants.map(([name]) => name),
  );

/** What counts as right in a view: an instance's service where golden metrics are services', either end of a way. */
function rootsOf({ services }: SimulatedSystem, { kind, truth, instance, machine }: Fault, view: View): string[] {
  if (machine !== undefined) return view === 'services' ? [] : [machine];
  const service = instance?.replace(/-\d+$/, '') ?? '';
  if (instance !== undefined)
    return view === 'services' ? [service] : view === 'mesh' ? [instance, service] : [instance];
  const names = kind === 'slow_edge' ? truth.name.split(' -> ') : [truth.name];
  return names.flatMap((name) => [name, ...(services.find((one) => one.name === name)?.instances ?? [])]);
}
