/** What a schema cannot say of a scenario: that its targets exist in the topology and its faults fit its length. */

import { nearestName } from '../src/model/nearest.ts';
import { FAULT_CLASSES } from '../src/model/verdict.ts';
import { freshName } from './names.ts';
import type { Problem } from './schema-check.ts';
import type { FaultKind, FaultSpec, Scenario, Target, Topology } from './types.ts';

type Say = (path: string, message: string, mend: string) => void;

/** Which keys of `target` a fault needs, and the arguments it knows. */
const RELEASE_ARGS = ['version', 'cpuMs', 'times', 'ratio', 'status'];

export const FAULT_NEEDS: Readonly<
  Record<FaultKind, { readonly target: readonly (keyof Target)[]; readonly args: readonly string[] }>
> = {
  'packet-loss': { target: ['from', 'to'], args: ['ratio', 'via', 'direction'] },
  'link-loss': { target: ['machine'], args: ['ratio', 'direction'] },
  'firewall-drop': { target: ['service'], args: [] },
  'service-killed': { target: ['service'], args: [] },
  'cpu-throttle': { target: ['instance'], args: ['cpus'] },
  'db-lock': { target: ['store'], args: ['table', 'mode'] },
  'slow-statement': { target: ['store'], args: ['table', 'delayMs', 'growS'] },
  'error-burst': { target: ['instance', 'route'], args: ['ratio', 'status'] },
  'slow-code': { target: ['instance', 'route'], args: ['cpuMs'] },
  'repeated-calls': { target: ['instance', 'route'], args: ['times'] },
  'process-hang': { target: ['instance'], args: [] },
  'instance-killed': { target: ['instance'], args: ['everyS', 'downS'] },
  'connection-reset': { target: ['service'], args: ['ratio'] },
  'store-blocked': { target: ['store'], args: ['busyMs', 'everyMs'] },
  'path-delay': { target: ['from', 'to'], args: ['delayMs'] },
  'link-rate': { target: ['machine'], args: ['kbitPerS'] },
  'traffic-surge': { target: ['service'], args: ['ratePerS', 'path'] },
  'memory-leak': { target: ['instance'], args: ['kbPerRequest', 'limitMb', 'downS'] },
  'connection-limit': { target: ['store'], args: [] },
  'bad-release': { target: ['service', 'route'], args: RELEASE_ARGS },
  'bad-canary': { target: ['instance', 'route'], args: RELEASE_ARGS },
};

/** Names that a target or a truth may use. */
export function namesOf(topology: Topology): Readonly<Record<'service' | 'instance' | 'machine' | 'store', string[]>> {
  const { client, gateway, services, stores } = topology;
  return {
    service: [client.name, gateway.name, ...services.map(({ name }) => name), ...stores.map(({ name }) => name)],
    instance: [
      ...[client.name, gateway.name],
      ...services.flatMap(({ instances }) => instances.map(({ name }) => name)),
      ...stores.map(({ name }) => name),
    ],
    machine: [...topology.machines],
    store: stores.map(({ name }) => name),
  };
}

function checkName(path: string, kind: string, name: string, known: readonly string[], say: Say): void {
  if (known.includes(name)) return;
  const near = nearestName(name, known);
  say(
    path,
    `no ${kind} "${name}" in the topology`,
    near ? `did you mean "${near}"?` : `name one of ${known.join(', ')}`,
  );
}

function checkTarget(path: string, target: Target, topology: Topology, say: Say): void {
  const names = namesOf(topology);
  const places = [...names.service, ...names.machine];
  if (target.service !== undefined) checkName(`${path}/service`, 'service', target.service, names.service, say);
  if (target.instance !== undefined) checkName(`${path}/instance`, 'instance', target.instance, names.instance, say);
  if (target.machine !== undefined) checkName(`${path}/machine`, 'machine', target.machine, names.machine, say);
  if (target.store !== undefined) checkName(`${path}/store`, 'store', target.store, names.store, say);
  if (target.from !== undefined) checkName(`${path}/from`, 'service or machine', target.from, places, say);
  if (target.to !== undefined) checkName(`${path}/to`, 'service or machine', target.to, places, say);
  if (target.route === undefined || target.instance === undefined) return;
  const owner = topology.services.find(({ instances }) => instances.some(({ name }) => name === target.instance));
  const routes = owner?.routes.map(({ method, path: route }) => `${method} ${route}`) ?? [];
  checkName(`${path}/route`, 'route', target.route, routes, say);
}

function checkTruth(path: string, { kind, truth, target, args }: FaultSpec, topology: Topology, say: Say): void {
  const known = namesOf(topology);
  const version = String(args?.version ?? 'v2');
  const fresh = kind === 'bad-canary' ? [freshName(target.instance ?? '', version)] : [];
  const names = { ...known, instance: [...known.instance, ...fresh] };
  for (const entity of [truth.entity, ...(truth.acceptEntities ?? [])]) {
    if (entity.kind === 'edge') {
      checkName(`${path}/entity/from`, 'service', entity.from ?? '', names.service, say);
      checkName(`${path}/entity/to`, 'service', entity.to ?? '', names.service, say);
    } else checkName(`${path}/entity/name`, entity.kind, entity.name, names[entity.kind], say);
  }
  for (const name of [truth.faultClass, ...(truth.acceptClasses ?? [])]) {
    checkName(`${path}/faultClass`, 'fault class', name, FAULT_CLASSES, say);
  }
}

function checkRestart(path: string, name: string, topology: Topology, say: Say): void {
  const found = topology.services.find((service) => service.name === name);
  const known = topology.services.map((service) => service.name);
  if (found === undefined) checkName(path, 'service', name, known, say);
  else if (found.instances.length < 2) {
    say(path, `${name} has one instance: its restart would not be harmless`, 'name a service with two or more');
  }
}

interface Reach {
  readonly kinds: readonly FaultKind[];
  readonly key: 'service' | 'instance' | 'store';
  readonly needs: (kind: FaultKind) => string;
  readonly known: (topology: Topology) => readonly { readonly name: string }[];
}

/** Faults that act on one kind of thing only. */
const REACHES: readonly Reach[] = [
  {
    kinds: ['service-killed'],
    key: 'service',
    needs: () => 'only services can be killed',
    known: ({ services }) => services,
  },
  {
    kinds: ['bad-release'],
    key: 'service',
    needs: (kind) => `${kind} needs a service on node`,
    known: ({ services }) => services.filter(({ runtime }) => runtime === 'node'),
  },
  {
    kinds: ['instance-killed'],
    key: 'instance',
    needs: () => 'only instances of services can be killed',
    known: ({ services }) => services.flatMap(({ instances }) => instances),
  },
  {
    kinds: ['memory-leak', 'bad-canary'],
    key: 'instance',
    needs: (kind) => `${kind} needs a service on node`,
    known: ({ services }) => services.filter(({ runtime }) => runtime === 'node').flatMap(({ instances }) => instances),
  },
  {
    kinds: ['db-lock', 'slow-statement', 'connection-limit'],
    key: 'store',
    needs: (kind) => `${kind} needs PostgreSQL`,
    known: ({ stores }) => stores.filter(({ kind }) => kind === 'postgresql'),
  },
  {
    kinds: ['store-blocked'],
    key: 'store',
    needs: (kind) => `${kind} needs Redis`,
    known: ({ stores }) => stores.filter(({ kind }) => kind === 'redis'),
  },
];

function checkReach(path: string, { kind, target }: FaultSpec, topology: Topology, say: Say): void {
  for (const { kinds, key, needs, known } of REACHES) {
    const named = target[key];
    if (named === undefined || !kinds.includes(kind)) continue;
    const names = known(topology).map(({ name }) => name);
    if (!names.includes(named)) say(`${path}/${key}`, needs(kind), `one of ${names.join(', ')}`);
  }
  if (kind === 'traffic-surge' && target.service !== undefined && target.service !== topology.client.name) {
    say(`${path}/service`, 'a traffic-surge comes from the client', `"${topology.client.name}"`);
  }
}

/** Problems of meaning in a scenario whose shape is right. */
export function scenarioProblems(file: string, scenario: Scenario, topology: Topology): Problem[] {
  const problems: Problem[] = [];
  const say: Say = (path, message, mend) => problems.push({ file, path, message, mend });
  scenario.faults.forEach((fault, i) => {
    const path = `/faults/${i}`;
    const needs = FAULT_NEEDS[fault.kind];
    for (const key of needs.target.filter((name) => fault.target[name] === undefined)) {
      say(`${path}/target`, `a ${fault.kind} needs "${key}"`, `add "${key}"`);
    }
    for (const key of Object.keys(fault.args ?? {}).filter((name) => !needs.args.includes(name))) {
      say(
        `${path}/args/${key}`,
        `a ${fault.kind} has no argument "${key}"`,
        `known: ${needs.args.join(', ') || 'none'}`,
      );
    }
    if (fault.startS + fault.lengthS > scenario.lengthS) {
      say(path, `ends at ${fault.startS + fault.lengthS} s, after lengthS ${scenario.lengthS}`, 'raise lengthS');
    }
    checkTarget(`${path}/target`, fault.target, topology, say);
    checkReach(`${path}/target`, fault, topology, say);
    checkTruth(`${path}/truth`, fault, topology, say);
  });
  scenario.events.forEach((event, i) => {
    const path = `/events/${i}`;
    const { service, part } = event.target;
    if (event.atS > scenario.lengthS) say(path, `starts after lengthS ${scenario.lengthS}`, 'raise lengthS');
    const needs = event.kind === 'part-restart' ? 'part' : 'service';
    if (event.target[needs] === undefined) {
      say(`${path}/target`, `a ${event.kind} needs "${needs}"`, `add "${needs}"`);
    } else if (part === undefined) checkRestart(`${path}/target/service`, service ?? '', topology, say);
  });
  return problems;
}
