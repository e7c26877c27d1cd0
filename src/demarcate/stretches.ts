/**
 * The system with a stretch of the baseline in the place of the incident: nothing has happened there, so what a ledger
 * says of it is noise.
 */
import type { Comparison } from '../model/comparison.ts';
import type { CallEdge, Flow, ServiceNode, SideFlows, System } from './system.ts';

/** Fewer say nothing about a spread. */
const MIN_STRETCHES = 4;

export interface Stretch {
  readonly windows: number;
  readonly system: System;
}

type Sides = { client?: Flow; server?: Flow };

/** What happened in one stretch, per service called and per edge. */
interface Calm {
  readonly into: ReadonlyMap<string, Sides>;
  readonly along: ReadonlyMap<string, Sides>;
}

/** @returns none when noise is unknown. Systems are filled in as they are asked. Cost: O(edges · stretches). */
export function stretchesOf(base: System, { stretches, windowMs }: Comparison): readonly Stretch[] {
  const used = (stretches?.windows ?? []).flatMap((windows, k) => (windows > 0 ? [{ windows, k }] : []));
  if (stretches === undefined || used.length < MIN_STRETCHES) return [];
  return used.map(({ windows, k }) => {
    const seconds = (windows * windowMs) / 1000;
    const into = new Map<string, Sides>();
    const along = new Map<string, Sides>();
    for (const { caller, callee, side, count, errors, durationSumUs } of stretches.edges) {
      const flow: Flow = {
        count: count[k]! / seconds,
        errors: errors[k]! / seconds,
        durationUs: durationSumUs[k]! / seconds,
        meanVarianceUs2: Number.NaN,
      };
      add(along, `${caller}\0${callee}`, side, flow);
      add(into, callee, side, flow);
    }
    return { windows, system: calm(base, { into, along }) };
  });
}

/** The same system, with noise unknown. */
export function withoutStretches({ graph, services, spans, service, edge, callees, callers }: System): System {
  return { graph, services, spans, service, edge, callees, callers, stretches: [] };
}

function add(sums: Map<string, Sides>, key: string, side: 'client' | 'server', flow: Flow): void {
  const sides = sums.get(key) ?? {};
  sums.set(key, sides);
  const { count, errors, durationUs, meanVarianceUs2 } = sides[side] ?? NOTHING;
  sides[side] = {
    count: count + flow.count,
    errors: errors + flow.errors,
    durationUs: durationUs + flow.durationUs,
    meanVarianceUs2,
  };
}

function calm(base: System, { into, along }: Calm): System {
  const flows = (side: SideFlows | undefined, flow: Flow | undefined): SideFlows | undefined =>
    side === undefined ? undefined : { baseline: side.baseline, current: flow ?? NOTHING };
  const serviceOf = ({ name, server, client }: ServiceNode): ServiceNode => {
    const sides = into.get(name);
    return { name, server: flows(server, sides?.server), client: flows(client, sides?.client) };
  };
  const edgeOf = ({ from, to, client, server, connectFailures }: CallEdge): CallEdge => {
    const sides = along.get(`${from}\0${to}`);
    const usual = Object.entries(connectFailures).map(
      ([reason, { baseline }]) => [reason, { baseline, current: baseline }] as const,
    );
    return {
      from,
      to,
      client: flows(client, sides?.client),
      server: flows(server, sides?.server),
      connectFailures: Object.fromEntries(usual),
    };
  };
  return {
    ...withoutStretches(base),
    service: remembered((name) => {
      const node = base.service(name);
      return node === undefined ? undefined : serviceOf(node);
    }),
    edge: (from, to) => {
      const edge = base.edge(from, to);
      return edge === undefined ? undefined : edgeOf(edge);
    },
    callees: remembered((name) => base.callees(name).map(edgeOf)),
    callers: remembered((name) => base.callers(name).map(edgeOf)),
  };
}

function remembered<T>(of: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    if (known.has(name)) return known.get(name) as T;
    const value = of(name);
    known.set(name, value);
    return value;
  };
}

const NOTHING: Flow = { count: 0, errors: 0, durationUs: 0, meanVarianceUs2: Number.NaN };
