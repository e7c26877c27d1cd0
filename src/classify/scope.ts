/** What belongs to a suspect: its edges, calls, instances and machines (see fact-catalogue.ts). */
import type { CallLeaf, Comparison, ResourceEntity, TcpEdge } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import type { Anomaly } from '../model/incident.ts';
import { FELT_SYMPTOMS } from '../model/incident.ts';
import { firstOnsetMs } from '../model/onset.ts';
import type { Suspect, Walk } from '../model/walk.ts';
import { withStandIn } from './stand-in.ts';

export interface Scope {
  /** Of an instance that is new its siblings' before stands in for its own. */
  readonly comparison: Comparison;
  readonly isNew: boolean;
  readonly walk: Walk;
  readonly suspect: Suspect;
  readonly entity: Entity;
  /** The service the service.* facts speak of: the suspect's own, for an edge the called one. */
  readonly service: string | null;
  /** Start of the symptom that was walked from. */
  readonly symptomMs: number;
  readonly tcp: readonly TcpEdge[];
  /** Calls over the suspect's edges (into it, for a node). */
  readonly calls: readonly CallLeaf[];
  readonly instances: readonly ResourceEntity[];
  readonly machines: readonly ResourceEntity[];
  readonly instanceNames: ReadonlySet<string>;
  readonly machineNames: ReadonlySet<string>;
  readonly baselineSeconds: number;
  readonly currentSeconds: number;
}

interface Ends {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
}

const isCaller = (row: Ends, name: string): boolean =>
  row.caller === name || row.callerInstance === name || row.callerMachine === name;
const isCallee = (row: Ends, name: string): boolean =>
  row.callee === name || row.calleeInstance === name || row.calleeMachine === name;

function selector(entity: Entity): (row: Ends) => boolean {
  switch (entity.kind) {
    case 'edge': {
      const { from, to } = entity;
      return (row) => (from === undefined || isCaller(row, from)) && (to === undefined || isCallee(row, to));
    }
    case 'service':
      return (row) => row.callee === entity.name;
    case 'instance':
      return (row) => row.calleeInstance === entity.name;
    case 'machine':
      return (row) => row.callerMachine === entity.name || row.calleeMachine === entity.name;
  }
}

/** Rows over the suspect's edges. Callers that do not name the instance they reach speak of its whole service. */
function rowsOf(
  comparison: Comparison,
  entity: Entity,
  service: string | null,
): { readonly tcp: readonly TcpEdge[]; readonly calls: readonly CallLeaf[] } {
  const rows = (of: Entity): { tcp: readonly TcpEdge[]; calls: readonly CallLeaf[] } => {
    const select = selector(of);
    return { tcp: knownPorts(comparison.tcp.filter(select)), calls: comparison.calls.filter(select) };
  };
  const own = rows(entity);
  if (entity.kind !== 'instance' || service === null) return own;
  const whole = rows({ kind: 'service', name: service });
  return {
    tcp: own.tcp.length > 0 ? own.tcp : whole.tcp,
    calls: own.calls.length > 0 ? own.calls : whole.calls,
  };
}

/**
 * Without the rows of ports that carried nothing before, where the same callee has ports that did: connections someone
 * made to another port, or misnamed, are not this edge's traffic.
 */
function knownPorts(rows: readonly TcpEdge[]): readonly TcpEdge[] {
  const hadTraffic = (row: TcpEdge): boolean => row.metrics.some((metric) => metric.baselineWindows > 0);
  const key = (row: TcpEdge): string => `${row.callee}:${row.calleePort ?? ''}`;
  const ports = new Set(rows.filter(hadTraffic).map(key));
  const callees = new Set(rows.filter(hadTraffic).map((row) => row.callee));
  return rows.filter((row) => !callees.has(row.callee) || ports.has(key(row)));
}

function instancesOf(entity: Entity, suspect: Suspect, comparison: Comparison): Set<string> {
  const { partOf, runsOn } = comparison.topology;
  const name = entity.kind === 'edge' ? (entity.to ?? '') : entity.name;
  if (entity.kind === 'instance') return new Set([name]);
  const narrowed = suspect.instances ?? [];
  // Of a machine those that suffer: what else runs there is a neighbour.
  if ((entity.kind === 'service' || entity.kind === 'machine') && narrowed.length > 0) return new Set(narrowed);
  if (entity.kind === 'machine') return new Set(runsOn.filter(([, machine]) => machine === name).map(([i]) => i));
  const all = [
    ...partOf.filter(([, service]) => service === name).map(([i]) => i),
    ...comparison.resources.filter((r) => r.entityKind === 'instance' && r.service === name).map((r) => r.entity),
    ...comparison.resources.filter((r) => r.entityKind === 'instance' && r.entity === name).map((r) => r.entity),
  ];
  const onMachine = runsOn.filter(([, machine]) => machine === name).map(([i]) => i);
  return new Set(all.length > 0 ? all : onMachine);
}

function serviceOf(entity: Entity, suspect: Suspect, comparison: Comparison): string | null {
  if (entity.kind === 'service') return entity.name;
  if (entity.kind === 'machine') return null;
  const name = entity.kind === 'edge' ? (entity.to ?? '') : entity.name;
  const services = comparison.topology.partOf.filter(([i]) => i === name).map(([, service]) => service);
  const leaf = comparison.calls.find((call) => call.callee === name);
  return services[0] ?? leaf?.callee ?? suspect.service ?? (entity.kind === 'edge' ? name : null);
}

function symptomStart(comparison: Comparison, walk: Walk): number {
  const { kind, name } = walk.symptom;
  const { anomalies } = comparison;
  const isOwn = ({ entity }: Anomaly): boolean => entity.kind === kind && entity.name === name;
  // Resources that were busy before are no symptom, nor are requests that were more.
  const felt = anomalies.filter(({ symptom }) => FELT_SYMPTOMS.includes(symptom));
  // Of a service that only its ways show.
  const ways = felt.filter(({ entity: { from, to } }) => from === name || to === name);
  const onsetMs = firstOnsetMs(
    [felt.filter(isOwn), ways, anomalies.filter(isOwn), felt, anomalies].find(({ length }) => length > 0) ?? [],
  );
  return Number.isFinite(onsetMs) ? onsetMs : comparison.current.fromMs;
}

/** Cost: O(rows of the comparison). */
export function scopeOf(compared: Comparison, walk: Walk, suspect: Suspect): Scope {
  const { entity } = suspect;
  const service = serviceOf(entity, suspect, compared);
  const standIn =
    entity.kind === 'instance' && service !== null ? withStandIn(compared, entity.name, service) : undefined;
  const comparison = standIn ?? compared;
  const instanceNames = instancesOf(entity, suspect, comparison);
  const instances = comparison.resources.filter((r) => r.entityKind === 'instance' && instanceNames.has(r.entity));
  const machineNames = new Set([
    ...(entity.kind === 'machine' ? [entity.name] : []),
    ...comparison.topology.runsOn.filter(([i]) => instanceNames.has(i)).map(([, machine]) => machine),
    ...instances.flatMap((r) => (r.machine === undefined ? [] : [r.machine])),
  ]);
  const { tcp, calls } = rowsOf(comparison, entity, service);
  return {
    comparison,
    isNew: standIn !== undefined,
    walk,
    suspect,
    entity,
    service,
    symptomMs: symptomStart(comparison, walk),
    tcp,
    calls,
    instances,
    machines: comparison.resources.filter((r) => r.entityKind === 'machine' && machineNames.has(r.entity)),
    instanceNames,
    machineNames,
    baselineSeconds: (comparison.baseline.windows * comparison.windowMs) / 1000,
    currentSeconds: (comparison.current.windows * comparison.windowMs) / 1000,
  };
}
