/** The traffic ledger: the change of a service's request rate, by caller. Entries add up by construction. */
import { edge as edgeEntity } from '../model/entity.ts';
import type { BareEntry, BareLedger } from './noise.ts';
import type { System } from './system.ts';
import { inbound } from './system.ts';

/** @returns undefined when the service is unknown */
export function trafficLedger(system: System, entry: string): BareLedger | undefined {
  const flows = inbound(system.service(entry));
  if (flows === undefined) return undefined;
  const baseline = flows.baseline.count;
  const current = flows.current.count;
  const change = current - baseline;
  const share = (value: number): number => (change === 0 ? Number.NaN : value / change);
  const entries: BareEntry[] = system.callers(entry).flatMap(({ from, to, client, server }) => {
    const side = system.service(entry)?.server === undefined ? client : server;
    if (side === undefined) return [];
    const contribution = side.current.count - side.baseline.count;
    return [
      {
        entity: edgeEntity(from, to),
        term: 'caller' as const,
        contribution,
        share: share(contribution),
        baseline: side.baseline.count,
        current: side.current.count,
      },
    ];
  });
  const rest = change - entries.reduce((sum, item) => sum + item.contribution, 0);
  entries.push({
    term: 'unexplained',
    contribution: rest,
    share: share(rest),
    baseline: Number.NaN,
    current: Number.NaN,
  });
  return { kind: 'traffic', entry, unit: 'requests_per_s', baseline, current, change, entries };
}
