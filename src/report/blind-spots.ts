/** What the report could not see, and why. */
import type { Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { factWords } from '../model/fact-words.ts';
import { formatNumber, formatPercent } from '../model/format.ts';
import type { RankedCause } from '../model/report.ts';
import type { Walk } from '../model/walk.ts';

/** Losses below this are told as numbers elsewhere, not as a blind spot. */
const NOTABLE_LOSS = 0.001;

export function blindSpots(comparison: Comparison, walk: Walk, causes: readonly RankedCause[]): string[] {
  const { health } = comparison;
  const spots: string[] = [];
  for (const name of [...health.silentCollectors].sort(compareNames)) {
    spots.push(`collector ${name} reported before the incident and is silent now: nothing is known of its host`);
  }
  for (const { collector, type, windows, ofWindows } of health.lostRecords) {
    spots.push(
      `${type} records of collector ${collector} did not arrive in ${windows} of ${ofWindows} windows (lost between it and the engine): what they would say is unknown`,
    );
  }
  const lost = Object.values(health.lost).reduce((sum, count) => sum + count, 0);
  if (lost > 0 && lost / (lost + health.eventsReceived) >= NOTABLE_LOSS) {
    const buffers = Object.entries(health.lost)
      .filter(([, count]) => count > 0)
      .sort(([a], [b]) => compareNames(a, b))
      .map(([buffer, count]) => `${buffer} ${formatNumber(count)}`);
    spots.push(
      `${formatPercent(lost / (lost + health.eventsReceived))} of kernel events were lost (${buffers.join(', ')})`,
    );
  }
  const missing = new Map<string, { reason: string; collectors: string[] }>();
  for (const { collector, record } of health.collectors) {
    for (const probe of record.probes.filter((p) => p.state === 'missing')) {
      const found = missing.get(probe.name) ?? { reason: probe.reason ?? 'no reason given', collectors: [] };
      found.collectors.push(collector);
      missing.set(probe.name, found);
    }
    if (record.breaker !== undefined && record.breaker !== 'closed') {
      spots.push(`collector ${collector} is shedding work (${record.breaker.replaceAll('_', ' ')})`);
    }
    const capped = Object.entries(record.capped ?? {}).filter(([, count]) => count > 0);
    for (const [type, count] of capped.sort(([a], [b]) => compareNames(a, b))) {
      spots.push(`collector ${collector} left out ${formatNumber(count)} ${type} records: cardinality cap`);
    }
  }
  for (const [name, { reason, collectors }] of [...missing].sort(([a], [b]) => compareNames(a, b))) {
    const where =
      collectors.length === health.collectors.length ? 'everywhere' : `on ${collectors.sort(compareNames).join(', ')}`;
    spots.push(`probe ${name} is not attached ${where}: ${reason}`);
  }
  if (health.collectors.length === 0) spots.push('no collector reported its health: losses are unknown');
  spots.push(...oneSided(comparison));
  for (const ledger of walk.ledgers) {
    const rest = ledger.entries.find((entry) => entry.term === 'unexplained');
    if (rest !== undefined && Math.abs(rest.share) > 0.3) {
      spots.push(
        `${formatPercent(Math.abs(rest.share))} of the ${ledger.kind} change of ${ledger.entry} is unexplained`,
      );
    }
  }
  const facts = causes[0]?.missing ?? [];
  if (facts.length > 0)
    spots.push(`evidence that could not be read for the first cause: ${facts.map(factWords).join(', ')}`);
  return spots;
}

/** Called services of which only the callers' side is seen; one nobody calls any more may have got its name since. */
function oneSided(comparison: Comparison): string[] {
  const sides = new Map<string, Set<string>>();
  for (const leaf of comparison.calls) {
    if (leaf.current.count === 0) continue;
    const seen = sides.get(leaf.callee) ?? new Set();
    seen.add(leaf.side);
    sides.set(leaf.callee, seen);
  }
  const names = [...sides].filter(([, seen]) => !seen.has('server')).map(([name]) => name);
  if (names.length === 0) return [];
  const shown = names.sort(compareNames).slice(0, 8).join(', ');
  return [`only the callers' side was seen of ${shown}: network time and own time cannot be told apart there`];
}
