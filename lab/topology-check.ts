/** What a schema cannot say of a topology: names that must exist, names that must differ, steps a route can do. */
import type { Problem } from './schema-check.ts';
import type { Route, ServiceSpec, Step, Topology } from './types.ts';

type Say = (path: string, message: string, mend: string) => void;

function listOf(names: Iterable<string>): string {
  return [...names].join(', ') || 'none';
}

/** The pieces of a path that stand for a value: `id` of `/products/:id`. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/:([A-Za-z][A-Za-z0-9]*)/g)].map((match) => match[1] ?? '');
}

/** True when a request path such as `/products/7` fits a route such as `/products/:id`. */
export function pathFits(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('?')[0]?.split('/') ?? [];
  return wanted.length === given.length && wanted.every((piece, i) => piece.startsWith(':') || piece === given[i]);
}

function unknownPlaceholders(text: string, known: readonly string[]): string[] {
  return [...text.matchAll(/\{([^}]*)\}/g)]
    .map((match) => match[1] ?? '')
    .filter((name) => !known.includes(name) && !/^random:[1-9]\d*$/.test(name));
}

function checkTexts(texts: readonly string[], known: readonly string[], path: string, say: Say): void {
  for (const name of texts.flatMap((text) => unknownPlaceholders(text, known))) {
    say(path, `placeholder {${name}} is not a piece of the route's path`, `use one of ${listOf(known)} or {random:N}`);
  }
}

function hasRoute(service: ServiceSpec, method: string, path: string): boolean {
  const sample = path.replace(/\{[^}]*\}/g, '1');
  return service.routes.some((route) => route.method === method && pathFits(route.path, sample));
}

function checkStep(step: Step, route: Route, path: string, topology: Topology, say: Say): void {
  const known = pathParameters(route.path);
  if ('parallel' in step) {
    step.parallel.forEach((steps, i) => {
      checkSteps(steps, route, `${path}/parallel/${i}`, topology, say);
    });
  } else if ('call' in step) {
    const target = topology.services.find((service) => service.name === step.call);
    const names = listOf(topology.services.map((service) => service.name));
    if (target === undefined) say(`${path}/call`, `no service "${step.call}"`, `name one of ${names}`);
    else if (!hasRoute(target, step.method ?? 'GET', step.path)) {
      say(`${path}/path`, `${step.call} has no route ${step.method ?? 'GET'} ${step.path}`, 'add it to that service');
    }
    checkTexts([step.path], known, `${path}/path`, say);
  } else if ('sql' in step) {
    checkStore(step.sql, 'postgresql', `${path}/sql`, topology, say);
    checkTexts(step.params ?? [], known, `${path}/params`, say);
  } else if ('redis' in step) {
    checkStore(step.redis, 'redis', `${path}/redis`, topology, say);
    checkTexts(step.command, known, `${path}/command`, say);
    checkSteps(step.orElse ?? [], route, `${path}/orElse`, topology, say);
  }
}

function checkStore(name: string, kind: string, path: string, topology: Topology, say: Say): void {
  const fitting = topology.stores.filter((store) => store.kind === kind).map((store) => store.name);
  if (!fitting.includes(name)) say(path, `no ${kind} store "${name}"`, `name one of ${listOf(fitting)}`);
}

function checkSteps(steps: readonly Step[], route: Route, path: string, topology: Topology, say: Say): void {
  steps.forEach((step, i) => {
    checkStep(step, route, `${path}/${i}`, topology, say);
  });
}

/** Every name of something that runs: instances, the gateway, the client, stores. */
function placements(topology: Topology): { path: string; name: string; machine: string; port?: number }[] {
  const { client, gateway } = topology;
  return [
    { path: '/client', name: client.name, machine: client.machine },
    { path: '/gateway', name: gateway.name, machine: gateway.machine, port: gateway.port },
    ...topology.services.flatMap((service, s) =>
      service.instances.map((instance, i) => ({
        path: `/services/${s}/instances/${i}`,
        name: instance.name,
        machine: instance.machine,
        port: service.port,
      })),
    ),
    ...topology.stores.map((store, s) => ({
      path: `/stores/${s}`,
      name: store.name,
      machine: store.machine,
      port: store.port,
    })),
  ];
}

function checkPlaces(topology: Topology, say: Say): void {
  const names = new Set<string>();
  const ports = new Set<string>();
  for (const place of placements(topology)) {
    if (!topology.machines.includes(place.machine)) {
      say(`${place.path}/machine`, `no machine "${place.machine}"`, `name one of ${listOf(topology.machines)}`);
    }
    if (names.has(place.name))
      say(`${place.path}/name`, `"${place.name}" is taken`, 'give every instance its own name');
    names.add(place.name);
    if (place.port === undefined) continue;
    const port = `${place.machine}:${place.port}`;
    if (ports.has(port)) say(place.path, `port ${place.port} of machine ${place.machine} is taken`, 'use another port');
    ports.add(port);
  }
  const services = new Set<string>();
  topology.services.forEach((service, s) => {
    if (services.has(service.name)) say(`/services/${s}/name`, `"${service.name}" is there twice`, 'rename one');
    services.add(service.name);
  });
}

/** Problems of meaning in a topology whose shape is right. */
export function topologyProblems(file: string, topology: Topology): Problem[] {
  const problems: Problem[] = [];
  const say: Say = (path, message, mend) => problems.push({ file, path, message, mend });
  checkPlaces(topology, say);
  topology.services.forEach((service, s) => {
    service.routes.forEach((route, r) => {
      checkSteps(route.do, route, `/services/${s}/routes/${r}/do`, topology, say);
    });
  });
  topology.gateway.routes.forEach((route, r) => {
    if (!topology.services.some((service) => service.name === route.service)) {
      say(`/gateway/routes/${r}/service`, `no service "${route.service}"`, 'name a service of this topology');
    }
  });
  topology.client.mix.forEach((entry, m) => {
    const route = topology.gateway.routes.find(({ prefix }) => entry.path.startsWith(prefix));
    const target = topology.services.find((service) => service.name === route?.service);
    const method = entry.method ?? 'GET';
    if (route === undefined)
      say(`/client/mix/${m}/path`, 'no route of the gateway has this prefix', 'add a gateway route');
    else if (target !== undefined && !hasRoute(target, method, entry.path)) {
      say(`/client/mix/${m}/path`, `${target.name} has no route ${method} ${entry.path}`, 'add it to that service');
    }
    checkTexts([entry.path], [], `/client/mix/${m}/path`, say);
  });
  return problems;
}
