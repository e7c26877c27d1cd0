import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readScenario, readTopology, retime, scenarioNames } from '../../lab/data.ts';
import { loadPoints } from '../../lab/run-scenario.ts';
import { scenarioProblems } from '../../lab/scenario-check.ts';
import type { Problem } from '../../lab/schema-check.ts';
import { pathFits } from '../../lab/topology-check.ts';
import { warmUpWarning } from '../../lab/warm-up.ts';
import { RcaError } from '../../src/model/errors.ts';

const shop = fileURLToPath(new URL('../../lab/topologies/shop.json', import.meta.url));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-lab-data-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Changes by JSON pointer: a value is set, `undefined` removes, a last piece of `-` appends to a list. */
function edited(file: string, changes: readonly (readonly [string, unknown])[]): string {
  const value = JSON.parse(readFileSync(file, 'utf8')) as unknown;
  for (const [pointer, wanted] of changes) {
    const pieces = pointer.split('/').slice(1);
    const last = pieces.pop() ?? '';
    const at = pieces.reduce<unknown>((node, piece) => (node as Record<string, unknown>)[piece], value);
    if (Array.isArray(at) && last === '-') at.push(wanted);
    else if (wanted === undefined) Reflect.deleteProperty(at as object, last);
    else Reflect.set(at as object, last, wanted);
  }
  const path = join(dir, 'edited.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

function problems(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(RcaError);
    return ((error as RcaError).details.problems as Problem[]).map((p) => `${p.path}: ${p.message} (${p.mend})`);
  }
  return [];
}

describe('scenarios and topologies of the lab', () => {
  it.each(scenarioNames())('%s is valid', (name) => {
    const { scenario, topology } = readScenario(name);
    expect(scenario.name).toBe(name);
    expect(topology.name).toBe(scenario.topology);
  });

  it('covers the faults and controls that are promised', () => {
    const everything = scenarioNames().map((name) => readScenario(name).scenario);
    const all = everything.filter(({ topology }) => topology === 'shop');
    expect(everything.filter(({ topology }) => topology === 'news').map(({ name }) => name)).toEqual([
      'news-link-loss',
      'news-path-delay',
      'news-slow-code',
      'news-two-faults',
    ]);
    const single = all.filter(({ faults }) => faults.length === 1);
    const classes = single.flatMap(({ faults }) => faults.map(({ truth }) => truth.faultClass));
    expect(classes.sort()).toEqual([
      'application_errors',
      'application_errors',
      'call_amplification',
      'connection_filtered',
      'connection_limit',
      'connection_refused',
      'connection_refused',
      'connection_reset',
      'cpu_throttling',
      'database_lock',
      'network_congestion',
      'network_latency',
      'oom_kill',
      'packet_loss',
      'packet_loss',
      'process_crash',
      'process_hang',
      'slow_code',
      'slow_code',
      'slow_code',
      'slow_code',
      'slow_database',
      'slow_database',
      'slow_database',
      'traffic_surge',
    ]);
    expect(all.filter(({ faults }) => faults.length === 2).map(({ name }) => name)).toEqual([
      'errors-and-path-delay',
      'loss-and-statement',
      'surge-and-errors',
      'two-faults',
    ]);
    expect(all.filter(({ faults }) => faults.length === 0).map(({ name }) => name)).toEqual([
      'idle',
      'load-ramp',
      'own-restart',
      'rolling-restart',
    ]);
  });

  it('slow code needs no particular runtime, a memory leak does', () => {
    const { topology } = readScenario('news-two-faults');
    const rank = topology.services.find(({ name }) => name === 'rank');
    expect(rank?.runtime).toBe('python');
    const { scenario } = readScenario('news-two-faults');
    const leak = { ...scenario, faults: [{ ...scenario.faults[0]!, kind: 'memory-leak' as const }] };
    expect(scenarioProblems('x.json', leak, topology).map(({ message }) => message)).toContain(
      'memory-leak needs a service on node',
    );
  });

  it('the shop has what the lab needs: four services or more, two of them twice on different machines, two runtimes', () => {
    const { services, stores } = readTopology(shop);
    expect(services.length).toBeGreaterThanOrEqual(4);
    const spread = services.filter(({ instances }) => new Set(instances.map(({ machine }) => machine)).size > 1);
    expect(spread.length).toBe(2);
    expect(new Set(services.map(({ runtime }) => runtime))).toEqual(new Set(['node', 'python']));
    expect(stores.map(({ kind }) => kind).sort()).toEqual(['postgresql', 'redis']);
  });

  it('edges of a truth get their name', () => {
    expect(readScenario('packet-loss').scenario.faults[0]?.truth.entity.name).toBe('order -> payment');
  });
});

describe('what is wrong is said all at once', () => {
  it('names path and mend for every problem of shape', () => {
    const file = edited(shop, [
      ['/gatewy', {}],
      ['/services/0/runtime', 'java'],
      ['/services/1/port', '8081'],
      ['/stores/0/kind', undefined],
      ['/services/2/routes/0/do/-', { cpuMs: 1, waitMs: 1 }],
    ]);
    const found = problems(() => readTopology(file));
    expect(found).toContain('/gatewy: unknown key "gatewy" (did you mean "gateway"?)');
    expect(found).toContain('/services/0/runtime: expected one of node, python, found "java" (use one of these)');
    expect(found).toContain('/services/1/port: expected integer, found "8081" (write a integer)');
    expect(found).toContain('/stores/0: "kind" is missing (add "kind")');
    expect(found.some((text) => text.startsWith('/services/2/routes/0/do/5: expected exactly one'))).toBe(true);
    expect(found.length).toBe(5);
  });

  it('names every problem of meaning in a topology', () => {
    const file = edited(shop, [
      ['/services/0/instances/1/machine', 'app9'],
      ['/services/1/instances/0/name', 'product-1'],
      ['/services/1/port', 8080],
      ['/services/2/routes/0/do/1/call', 'basket'],
      ['/services/2/routes/0/do/2/path', '/charge/{user}'],
      ['/services/4/routes/0/do/1/parallel/0/0/path', '/users/{id}'],
      ['/services/3/routes/0/do/1/sql', 'shop-cache'],
      ['/gateway/routes/4/prefix', '/people'],
    ]);
    const found = problems(() => readTopology(file)).map((text) => text.split(': ')[0]);
    expect(found.sort()).toEqual(
      [
        '/services/0/instances/1/machine',
        '/services/1/instances/0/name',
        '/services/1/instances/0',
        '/services/2/routes/0/do/1/call',
        '/services/2/routes/0/do/2/path',
        '/services/4/routes/0/do/1/parallel/0/0/path',
        '/services/3/routes/0/do/1/sql',
        '/client/mix/6/path',
      ].sort(),
    );
  });

  it('names every problem of meaning in a scenario', () => {
    const own = fileURLToPath(new URL('../../lab/scenarios/error-burst.json', import.meta.url));
    const truth = { entity: { kind: 'instance', name: 'cart-3' }, faultClass: 'application_error' };
    const file = edited(own, [
      ['/faults/0/target', { instance: 'cart-1', route: 'GET /carts/:user' }],
      ['/faults/0/lengthS', 61],
      ['/faults/0/args', { ration: 1 }],
      ['/faults/0/truth', truth],
      ['/faults/-', { kind: 'db-lock', startS: 0, lengthS: 5, target: { store: 'shop-cache' }, args: {}, truth }],
      ['/events/-', { kind: 'rolling-restart', atS: 1, target: { service: 'order' } }],
      ['/events/-', { kind: 'part-restart', atS: 1, target: { service: 'cart' } }],
    ]);
    const found = problems(() => readScenario(file));
    expect(found).toContain(
      '/faults/0/target/route: no route "GET /carts/:user" in the topology (did you mean "GET /cart/:user"?)',
    );
    expect(found).toContain('/faults/0: ends at 61 s, after lengthS 60 (raise lengthS)');
    expect(found).toContain('/faults/0/args/ration: a error-burst has no argument "ration" (known: ratio, status)');
    expect(found.filter((text) => text.includes('did you mean "application_errors"?')).length).toBe(2);
    expect(found).toContain('/faults/1/target/store: db-lock needs PostgreSQL (one of shop-db)');
    expect(found.some((text) => text.startsWith('/events/0/target/service: order has one instance'))).toBe(true);
    expect(found).toContain('/events/1/target: a part-restart needs "part" (add "part")');
  });

  it('an unknown scenario is answered with those there are', () => {
    expect(() => readScenario('packet-los')).toThrow(/name a file or one of bad-canary, bad-release, connection-limit/);
  });
});

describe('times', () => {
  it('a new length moves and stretches faults, events and load; the scale works on all', () => {
    const { scenario } = readScenario('rolling-restart');
    const half = retime(scenario, { timeScale: 0.5, lengthS: 60, warmUpS: 10 });
    expect([half.warmUpS, half.lengthS, half.coolDownS]).toEqual([5, 30, 15]);
    expect(half.events.map(({ atS }) => atS)).toEqual([2.5, 15]);
    expect(retime(readScenario('packet-loss').scenario, { timeScale: 0.5 }).faults[0]?.lengthS).toBe(30);
  });

  it('a warm-up in which the engine cannot learn is said, with what to give instead', () => {
    const { scenario } = readScenario('packet-loss');
    expect(warmUpWarning(scenario, 1)).toBeUndefined();
    expect(warmUpWarning(retime(scenario, { timeScale: 0.2 }), 0.2)).toMatch(
      /18 s is shorter than the 60 s.*--warm-up 300/,
    );
    expect(warmUpWarning(retime(scenario, { timeScale: 0.2, warmUpS: 300 }), 0.2)).toBeUndefined();
  });

  it('the load follows its profile and ends with the scenario', () => {
    const points = loadPoints(readScenario('load-ramp').scenario);
    expect(points.map(({ atMs, ratePerS }) => [atMs / 1_000, ratePerS])).toEqual([
      [0, 75],
      [90, 75],
      [120, 150],
      [180, 150],
      [210, 75],
      [270, 75],
    ]);
  });

  it.each([
    ['/products/:id', '/products/7', true],
    ['/products/:id', '/products/7/x', false],
    ['/products/:id', '/product/7', false],
    ['/cart/:user/items/:id', '/cart/1/items/2', true],
  ])('%s fits %s: %s', (pattern, path, fits) => {
    expect(pathFits(pattern, path)).toBe(fits);
  });
});
