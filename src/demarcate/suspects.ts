/** Ledger entries -> suspects: the horizontal walk's end points, narrowed downwards and to the end of an edge. */
import { answersOthers } from '../model/answers-others.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, entityKey, instance as instanceEntity, service as serviceEntity } from '../model/entity.ts';
import type { Symptom } from '../model/incident.ts';
import { ACTIVE } from '../model/records.ts';
import type { Ledger, LedgerEntry, Observation, Suspect } from '../model/walk.ts';
import type { EdgeEvidence } from './edge-check.ts';
import { edgeEvidence, ON_THE_WAY, sharedByAllCallees, sharedByAllCallers } from './edge-check.ts';
import { lost, received } from './error-ledger.ts';
import { newWay } from './new-way.ts';
import { pathTo } from './path.ts';
import type { CallEdge, SideFlows, System } from './system.ts';
import { meanUs } from './system.ts';
import type { InstanceMeasure } from './vertical.ts';
import {
  CONCENTRATED_SHARE,
  concentratedInstance,
  instanceShares,
  isStopped,
  ownShares,
  silentInstances,
} from './vertical.ts';
import { waitsItself } from './waits-itself.ts';
import { worked } from './work.ts';

/** Entries below this share of the change are not suspects. */
const MIN_SHARE = 0.05;
/** With less of a change than this nothing is blamed for it against its noise. */
const MOST_OF_IT = 0.5;
/** Standard errors a contribution must exceed, where its noise is known. */
const MIN_SIGNIFICANCE = 1;
/** Errors below this share of the calls are nobody's suffering. */
const MIN_ERROR_SHARE = 0.01;
/** Of an edge's calls so many are given up, or of what they take longer so much; so many of these were never read, or of those in flight fewer than that are. */
const GIVEN_UP = 0.05;
const GIVEN_UP_TIME = 0.5;
const UNREAD = 0.8;
const READ = 0.2;
/** A change of traffic below this share of it is its daily wobble and nobody's cause. */
const MIN_TRAFFIC_CHANGE = 0.2;

interface Narrowed {
  readonly entity: Entity;
  readonly service?: string;
  readonly instances?: readonly string[];
  readonly machines?: readonly string[];
  readonly observations: readonly Observation[];
}

/** @param weight  how much this ledger's symptom matters among the incident's, 0..1 */
export function suspectsOf(system: System, comparison: Comparison, ledger: Ledger, weight: number): Suspect[] {
  return materialEntries(ledger).flatMap((entry) => {
    const narrowed = narrow(system, comparison, entry);
    if (narrowed === undefined) return [];
    const onsetMs = onset(comparison, narrowed);
    return [
      {
        ...narrowed,
        observations:
          entry.note === undefined ? narrowed.observations : [...narrowed.observations, { text: entry.note }],
        contribution: entry.share,
        shares: { [ledger.kind]: entry.share },
        // Entries of opposite sign let shares pass 1: one cannot matter more than all of the change.
        score: Math.min(1, entry.share) * weight,
        ...(onsetMs === undefined ? {} : { onsetMs }),
        symptoms: symptoms(comparison, narrowed),
        term: entry.term,
        path: pathTo(system, ledger, narrowed.entity, narrowed.service),
      },
    ];
  });
}

/** The service that a suspect's calls go to: of an edge the called end. */
export function calledOf({ entity, service }: Suspect): string | undefined {
  return entity.kind === 'edge' ? entity.to : (service ?? entity.name);
}

/** What stands out of its noise; if nothing does, what holds most of a change that detection has shown to be there. */
function materialEntries(ledger: Ledger): LedgerEntry[] {
  const placed = ledger.entries.filter(({ entity, term }) => entity !== undefined && term !== 'unexplained');
  const material = placed.filter((entry) => isMaterial(ledger, entry));
  if (material.length > 0 || ledger.kind !== 'latency') return material;
  return placed.filter(({ share }) => share >= MOST_OF_IT);
}

function isMaterial(ledger: Ledger, entry: LedgerEntry): boolean {
  if (!(entry.share >= MIN_SHARE)) return false;
  if (ledger.kind === 'traffic' && Math.abs(ledger.change) < MIN_TRAFFIC_CHANGE * ledger.baseline) return false;
  if (ledger.kind !== 'latency' || Number.isNaN(entry.standardError)) return true;
  return Math.abs(entry.contribution) >= MIN_SIGNIFICANCE * entry.standardError;
}

function narrow(system: System, comparison: Comparison, entry: LedgerEntry): Narrowed | undefined {
  const { entity } = entry;
  if (entity === undefined) return undefined;
  if (entity.kind === 'edge') {
    if (entry.term === 'calls') return narrowService(comparison, entity.from ?? '', 'duration', [manyCalls(entry)]);
    const edge = system.edge(entity.from ?? '', entity.to ?? '');
    return edge === undefined
      ? undefined
      : entry.term === 'caller'
        ? { entity, observations: [requestsOf(entry)] }
        : narrowEdge(system, comparison, edge, entity, entry.term === 'originated' ? 'failed' : 'waited');
  }
  // Errors of who gave up waiting are put down to time.
  const measure = entry.term === 'originated' ? 'errors' : 'duration';
  const isOwn = entry.term === 'self' || entry.term === 'originated';
  return narrowService(comparison, entity.name, measure, [], isOwn ? measure : undefined);
}

/** Who calls is at fault, whoever is called. */
function manyCalls({ entity, baseline, current }: LedgerEntry): Observation {
  const text = `${entity?.from} calls ${entity?.to} ${current.toPrecision(2)} times for each of its requests, ${baseline.toPrecision(2)} before`;
  return { text, metric: 'calls_per_request', baseline, current };
}

function requestsOf({ entity, baseline, current }: LedgerEntry): Observation {
  const text = `${entity?.from} sends ${entity?.to} ${current.toPrecision(3)} requests/s, ${baseline.toPrecision(3)} before`;
  return { text, metric: 'request_rate_per_s', baseline, current };
}

function narrowService(
  comparison: Comparison,
  name: string,
  measure: InstanceMeasure,
  observations: readonly Observation[],
  own?: 'duration' | 'errors',
): Narrowed {
  const shares = instanceShares(comparison, name, measure);
  const whole = concentratedInstance(shares);
  const one = whole ?? (own === undefined ? undefined : concentratedInstance(ownShares(comparison, name, own)));
  if (one === undefined) return { entity: serviceEntity(name), service: name, observations };
  const what = whole === undefined ? `what ${name} does itself` : name;
  const text = `${Math.round(one.share * 100)} % of the change of ${what} sits on ${one.instance}; its siblings are as before`;
  return {
    entity: instanceEntity(one.instance),
    service: name,
    instances: [one.instance],
    ...(one.machine === undefined ? {} : { machines: [one.machine] }),
    observations: [...observations, { text, metric: 'instance_share', current: one.share }],
  };
}

/** A refused or silent callee is the callee's fault; what all callers of a service share is its end; else it is the link. */
function narrowEdge(
  system: System,
  comparison: Comparison,
  edge: CallEdge,
  entity: Entity,
  measure: InstanceMeasure,
): Narrowed {
  const evidence = edgeEvidence(comparison, edge.from, edge.to);
  const observations = [...evidence.observations, ...newWay(comparison, edge)];
  const silent = silentInstances(comparison, edge.to);
  const instances = instancesOf(comparison, edge.to).filter((name) => !isStopped(comparison, name));
  if (evidence.refusedPerS > evidence.timedOutPerS && evidence.refusedPerS > 0) {
    return end(comparison, edge.to, measure, silent, instances, observations);
  }
  if (isUnread(system, comparison, edge, evidence)) {
    if (answersOthers(comparison, edge.from, edge.to)) {
      const text = `${edge.to} answers its other callers as ever: it is ${edge.from} that goes on with nothing`;
      return narrowService(comparison, edge.from, 'duration', [...observations, { text }]);
    }
    const text = `${edge.to} reads none of the calls of ${edge.from}, and nothing of them is lost on the way`;
    const one = unreadInstance(comparison, edge.to, instances);
    if (one !== undefined)
      return {
        entity: instanceEntity(one),
        service: edge.to,
        instances: [one],
        observations: [...observations, { text }, { text: `they wait for ${one}, not for its siblings` }],
      };
    return end(comparison, edge.to, measure, silent, instances, [...observations, { text }]);
  }
  if (sharedByAllCallers(system, edge, (other) => suffers(other, edge, measure))) {
    const text = `all callers of ${edge.to} see the same`;
    return end(comparison, edge.to, measure, silent, instances, [...observations, { text }]);
  }
  // Who computes reads the answers late: calls to everybody seem to take long, on that side alone.
  if (sharedByAllCallees(system, edge, readsLate) && worked(system, comparison, edge.from)) {
    const text = `${edge.from} works more than before and sees all its callees answer late; they are as fast as ever`;
    return narrowService(comparison, edge.from, 'duration', [...observations, { text }]);
  }
  if (isLate(system, comparison, edge.to)) {
    const text = `${edge.to} works more than before: it reads requests as late as the answers of what it calls`;
    return narrowService(comparison, edge.to, 'duration', [...observations, { text }]);
  }
  // Where it waits for others in turn, the queue before it is theirs (see induced.ts).
  if (evidence.isLocal && !waitsItself(system, comparison, edge.to, edge.held)) {
    const text = `${edge.from} and ${edge.to} speak over a Unix socket: what waits between them waits for ${edge.to}`;
    return end(comparison, edge.to, measure, silent, instances, [...observations, { text }]);
  }
  if (silent.length > 0 && silent.length < instances.length)
    return { entity, service: edge.to, instances: silent, observations };
  return {
    entity,
    service: edge.to,
    ...(evidence.calleeInstances.length > 0 ? { instances: evidence.calleeInstances } : {}),
    observations,
  };
}

function end(
  comparison: Comparison,
  service: string,
  measure: InstanceMeasure,
  silent: readonly string[],
  instances: readonly string[],
  observations: readonly Observation[],
): Narrowed {
  const only = silent[0];
  if (
    only !== undefined &&
    silent.length === 1 &&
    instances.length > 1 &&
    isAlone(comparison, service, measure, only)
  ) {
    return {
      entity: instanceEntity(only),
      service,
      instances: [only],
      observations: [...observations, { text: `${only} answers nothing; its siblings do` }],
    };
  }
  if (silent.length > 1) return { entity: serviceEntity(service), service, instances: silent, observations };
  return narrowService(comparison, service, measure, observations);
}

/** What callers suffer is not from siblings as well, as far as they say whom they called. */
function isAlone(comparison: Comparison, service: string, measure: InstanceMeasure, instance: string): boolean {
  const shares = instanceShares(comparison, service, measure);
  const own = shares.find((share) => share.instance === instance);
  // Connects that fail are no calls: then nobody has any.
  return own === undefined || shares.every(({ share }) => share === 0) || own.share >= CONCENTRATED_SHARE;
}

/**
 * The caller waits, or gets clearly more errors over this edge, or half as many of its calls as the one in question. Where
 * waiting is asked about, errors that the callee returned itself are another matter.
 */
function suffers(edge: CallEdge, asked: CallEdge, measure: InstanceMeasure): boolean {
  const errors = measure === 'waited' ? lost : received;
  const share = (one: CallEdge): number => errors(one) / Math.max((one.client ?? one.server)?.current.count ?? 0, 0.2);
  return share(edge) > Math.min(0.05, Math.max(MIN_ERROR_SHARE, share(asked) / 2)) || waits(edge);
}

/** A process that computes comes late to everything that waits for it: what it calls seems as slow as it is to its callers. */
function isLate(system: System, comparison: Comparison, name: string): boolean {
  const [out] = system.callees(name);
  return out !== undefined && sharedByAllCallees(system, out, readsLate) && worked(system, comparison, name);
}

/** Calls are given up, the callee is seen not to have read them, and TCP brings them there in time. */
function isUnread(system: System, comparison: Comparison, edge: CallEdge, evidence: EdgeEvidence): boolean {
  const { client, server, givenUp, waiting, held } = edge;
  if (client === undefined || server === undefined || givenUp === undefined) return false;
  const { retransmitRatioBefore: before, retransmitRatioNow: now, isLossy, timedOutPerS, rttRiseUs } = evidence;
  const isSeen = evidence.isLocal || before >= 0 || now >= 0;
  const isClean = isSeen && !isLossy && timedOutPerS === 0;
  const isFar = rttRiseUs > ON_THE_WAY * (meanUs(givenUp.current) - meanUs(client.baseline));
  if (!isClean || isFar || !isMuch(givenUp, client)) return false;
  if (waitsItself(system, comparison, edge.to, edge.held)) return false;
  // Who goes on after all reads them then, though nobody waits any more: those that waited at the end of a window were not read.
  if (waiting !== undefined) return (held?.current.count ?? 0) < READ * waiting.current.count;
  return client.current.count - server.current.count > UNREAD * givenUp.current.count;
}

/** A few calls that hang for long are what many wait on average. */
function isMuch(givenUp: SideFlows, client: SideFlows): boolean {
  const { count, durationUs } = client.current;
  const longerUs = durationUs - count * meanUs(client.baseline);
  return givenUp.current.count >= GIVEN_UP * count || givenUp.current.durationUs >= GIVEN_UP_TIME * longerUs;
}

/** The one of several instances that nearly all calls in flight wait for: as callers get stuck with it, its siblings get none. */
function unreadInstance({ calls }: Comparison, service: string, instances: readonly string[]): string | undefined {
  const waiting = new Map<string | undefined, number>();
  let all = 0;
  for (const { callee, calleeInstance, side, status, current } of calls) {
    if (callee !== service || side !== 'client' || status !== ACTIVE) continue;
    waiting.set(calleeInstance, (waiting.get(calleeInstance) ?? 0) + current.count);
    all += current.count;
  }
  return instances.length < 2
    ? undefined
    : instances.find((name) => (waiting.get(name) ?? 0) >= CONCENTRATED_SHARE * all && all > 0);
}

/** The caller waits clearly longer than the callee takes. */
function waits(edge: CallEdge): boolean {
  return gapUs(edge, 'current') > 2 * gapUs(edge, 'baseline') + 1_000;
}

/** The same of who comes late to everything: to calls that are answered in no time it is not late by much. */
function readsLate(edge: CallEdge): boolean {
  return gapUs(edge, 'current') > 3 * gapUs(edge, 'baseline') + 200;
}

/** What the caller waits beyond what the callee takes; NaN: one of the two is unknown. */
function gapUs({ client, server }: CallEdge, when: 'baseline' | 'current'): number {
  return meanUs(client?.[when]) - meanUs(server?.[when]);
}

function instancesOf(comparison: Comparison, service: string): string[] {
  return comparison.topology.partOf.filter(([, of]) => of === service).map(([instance]) => instance);
}

function matches(comparison: Comparison, narrowed: Narrowed, other: Entity): boolean {
  const { entity, service, instances = [], machines = [] } = narrowed;
  if (entityKey(entity) === entityKey(other)) return true;
  if (other.kind === 'instance')
    return (
      instances.includes(other.name) ||
      (entity.kind === 'service' && instancesOf(comparison, entity.name).includes(other.name))
    );
  if (other.kind === 'machine') return machines.includes(other.name);
  if (other.kind === 'service') return entity.kind !== 'edge' && other.name === service;
  return entity.kind === 'service' && other.to === entity.name;
}

/** When it became abnormal. What grew little by little was seen when it was large enough: that is no beginning. */
function onset(comparison: Comparison, narrowed: Narrowed): number | undefined {
  const onsets = comparison.anomalies
    .filter((anomaly) => anomaly.grownMs === undefined && matches(comparison, narrowed, anomaly.entity))
    .map((anomaly) => anomaly.onsetMs);
  return onsets.length === 0 ? undefined : Math.min(...onsets);
}

function symptoms(comparison: Comparison, narrowed: Narrowed): Symptom[] {
  const found = comparison.anomalies
    .filter((anomaly) => matches(comparison, narrowed, anomaly.entity))
    .map((anomaly) => anomaly.symptom);
  return [...new Set(found)].sort(compareNames);
}
