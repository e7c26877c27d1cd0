/**
 * The latency ledger: the mean response time of an entry service split over the time spent in every service itself and
 * between every pair of services, before and during, so that the entries of the change add up to it.
 *
 *   T(s)/N(s) = self(s) + overlap(s) · Σ_e q(e) · c(e)          q = calls per request of s, c = client-side mean
 *   c(e)      = server-side mean(e) + network(e)
 *   RT(entry) = Σ_s W(s) · self(s) + Σ_e W(e) · network(e)      W(d) = Σ over callers of W(s) · overlap(s) · q(e)
 *
 * W is visits weighted by overlap; with cycles it is the fixed point (I − Pᵀ)⁻¹. The change of each product is split by
 * the midpoint rule. Overlap < 1 (parallel calls) is learned from the baseline; during the incident a service with
 * parallel calls lets its callees explain its growth first, up to overlap 1, and keeps the rest as self time. Visits that
 * a service causes by calling more often are its own entry (`fan-out.ts`).
 */
import { edge as edgeEntity, service as serviceEntity } from '../model/entity.ts';
import type { LedgerTerm } from '../model/walk.ts';
import { besideTheMean } from './beside.ts';
import { fanOuts } from './fan-out.ts';
import { snapshot, usualOf } from './latency-shares.ts';
import type { BareEntry, BareLedger } from './noise.ts';
import type { System } from './system.ts';
import { entryFlows, meanUs } from './system.ts';

/** @returns undefined when the entry has no duration on one of the sides. Cost: O(sweeps · edges). */
export function latencyLedger(system: System, entry: string): BareLedger | undefined {
  const flows = entryFlows(system.service(entry));
  const baseline = meanUs(flows?.baseline);
  const current = meanUs(flows?.current);
  if (!Number.isFinite(baseline) || !Number.isFinite(current)) return undefined;
  const { reachable, before } = usualOf(system, entry);
  const now = snapshot(system, reachable, 'current', before, entry);
  const change = current - baseline;
  const entries: BareEntry[] = [];
  const moreCalls = fanOuts(before, now, change);
  const beside = besideTheMean(before, now);
  for (const { edge, before: was, now: is, contribution } of moreCalls) {
    const part = {
      entity: edgeEntity(edge.from, edge.to),
      term: 'calls',
      contribution,
      baseline: was,
      current: is,
    } as const;
    push(entries, part, change);
  }
  for (const name of reachable) {
    const a = before.nodes.get(name);
    const b = now.nodes.get(name);
    const wa = before.weight.get(name) ?? 0;
    const wb = now.weight.get(name) ?? 0;
    const [value, visits] = split(wa, wb, a?.selfUs ?? b?.selfUs ?? 0, b?.selfUs ?? a?.selfUs ?? 0);
    push(
      entries,
      {
        entity: serviceEntity(name),
        term: 'self',
        contribution: value + (beside.self.get(name) ?? 0),
        baseline: wa * (a?.selfUs ?? 0),
        current: wb * (b?.selfUs ?? 0),
      },
      change,
    );
    let fanOut = moreCalls.reduce((rest, { visits: of }) => rest - (of.get(name) ?? 0), visits);
    for (const { from, to } of system.callees(name)) {
      const ea = a?.edges.find((share) => share.edge.to === to);
      const eb = b?.edges.find((share) => share.edge.to === to);
      if (ea === undefined && eb === undefined) continue;
      const xa = wa * (a?.overlap ?? 0) * (ea?.q ?? 0);
      const xb = wb * (b?.overlap ?? 0) * (eb?.q ?? 0);
      const na = ea?.networkUs ?? eb?.networkUs ?? 0;
      const nb = eb?.networkUs ?? ea?.networkUs ?? 0;
      const [network, more] = split(xa, xb, na, nb);
      fanOut += more + split(xa, xb, ea?.besideUs ?? eb?.besideUs ?? 0, eb?.besideUs ?? ea?.besideUs ?? 0)[1];
      const way = network + (beside.network.get(`${from}|${to}`) ?? 0);
      push(
        entries,
        { entity: edgeEntity(from, to), term: 'network', contribution: way, baseline: xa * na, current: xb * nb },
        change,
      );
    }
    if (name !== entry || fanOut !== 0)
      push(
        entries,
        { entity: serviceEntity(name), term: 'visits', contribution: fanOut, baseline: wa, current: wb },
        change,
      );
  }
  const explained = entries.reduce((sum, item) => sum + item.contribution, 0);
  entries.push({
    term: 'unexplained',
    contribution: change - explained,
    share: over(change - explained, change),
    baseline: Number.NaN,
    current: Number.NaN,
  });
  return { kind: 'latency', entry, unit: 'us_per_request', baseline, current, change, entries };
}

interface Part {
  readonly entity: NonNullable<BareEntry['entity']>;
  readonly term: LedgerTerm;
  readonly contribution: number;
  readonly baseline: number;
  readonly current: number;
}

function push(entries: BareEntry[], part: Part, change: number): void {
  if (part.contribution === 0 && part.baseline === 0 && part.current === 0) return;
  entries.push({ ...part, share: over(part.contribution, change) });
}

/** Midpoint rule: Δ(w·x) = Δx · mean(w) + Δw · mean(x), exactly. */
function split(wa: number, wb: number, xa: number, xb: number): [value: number, weight: number] {
  return [((wa + wb) / 2) * (xb - xa), ((xa + xb) / 2) * (wb - wa)];
}

function over(a: number, b: number): number {
  return b === 0 ? Number.NaN : a / b;
}
