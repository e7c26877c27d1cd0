/** A service of the lab on Node: `node node-service.ts CONFIG.json`. What it does is in the configuration. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { seededRandom } from '../random.ts';
import { pathFits, pathParameters } from '../topology-check.ts';
import type { Route } from '../types.ts';
import type { Control, Peers, ServiceConfig, ServiceLine, Work } from './service-config.ts';
import { StepError, StepRunner } from './steps.ts';
import { WatchedJson } from './watched-json.ts';

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ServiceConfig;
let requests = 0;
let failuresInjected = 0;
let workInjected = 0;
const random = seededRandom(config.seed);
const peers = new WatchedJson<Peers>(config.peersFile, { services: {}, stores: {} });
const control = new WatchedJson<Control>(config.controlFile, { failures: [] }, () =>
  say({ failuresInjected, workInjected }),
);
const runner = new StepRunner(config, peers, random);
const version = process.env.SERVICE_VERSION ?? '0';

function say(line: ServiceLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function valuesOf(route: Route, path: string): Record<string, string> {
  const given = path.split('/');
  const values: Record<string, string> = {};
  route.path.split('/').forEach((piece, i) => {
    if (piece.startsWith(':')) values[pathParameters(piece)[0] ?? ''] = decodeURIComponent(given[i] ?? '');
  });
  return values;
}

/** The status to answer instead of doing the work, or undefined. */
function injected(route: Route): number | undefined {
  const name = `${route.method} ${route.path}`;
  const failure = control.value.failures.find((candidate) => candidate.route === name);
  return failure !== undefined && random() < failure.ratio ? failure.status : undefined;
}

/** Memory that is never given back, written so that it is really there. */
const leaked: Buffer[] = [];

function leak(): void {
  const kb = control.value.leakKbPerRequest ?? 0;
  if (kb > 0) leaked.push(Buffer.alloc(kb * 1_024, leaked.length + 1));
}

/** What the route does more than its configuration says. */
function workOf(route: Route): Work | undefined {
  return control.value.work?.find((candidate) => candidate.route === `${route.method} ${route.path}`);
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'x-version': version,
  });
  response.end(body);
}

function padded(bytes: number): string {
  const start = `{"service":"${config.service}","data":"`;
  return `${start}${'x'.repeat(Math.max(0, bytes - start.length - 2))}"}`;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  requests++;
  request.resume();
  const path = request.url?.split('?')[0] ?? '/';
  const route = config.routes.find(({ method, path: pattern }) => method === request.method && pathFits(pattern, path));
  if (route === undefined) {
    answer(response, 404, '{"error":"no such route"}');
    return;
  }
  const failure = injected(route);
  if (failure !== undefined) {
    failuresInjected++;
    answer(response, failure, '{"error":"internal error"}');
    return;
  }
  try {
    leak();
    const work = workOf(route);
    if (work !== undefined) workInjected++;
    await runner.run(route.do, valuesOf(route, path), work);
    answer(response, route.status ?? 200, padded(route.responseBytes ?? 64));
  } catch (error) {
    const status = error instanceof StepError ? error.status : 500;
    answer(response, status, JSON.stringify({ error: (error as Error).message }));
  }
}

const server = createServer((request, response) => void serve(request, response));
server.keepAliveTimeout = 75_000;
server.listen({ host: config.address, port: config.port, backlog: 511 }, () => say({ ready: true, port: config.port }));

let stopping = false;
process.on('SIGTERM', () => {
  if (stopping) return;
  stopping = true;
  const end = async (): Promise<void> => {
    await runner.close();
    say({ stopped: true, requests, failuresInjected });
    process.exit(0);
  };
  server.close(() => void end());
  server.closeIdleConnections();
  setTimeout(() => void end(), 3_000).unref();
});
