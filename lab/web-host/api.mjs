// What apps of customers ask, passed on to orders: three workers. Files in the working folder break it: event-loop
// blocks the first worker for 200 ms a request, api-crash has a worker die of an exception at each third refund.
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import http from 'node:http';

const WORKERS = 3;
const BLOCKED_MS = 200;

function lead() {
  const slots = new Map();
  const start = (slot) => slots.set(cluster.fork({ SLOT: slot }).id, slot);
  for (let slot = 0; slot < WORKERS; slot++) start(slot);
  cluster.on('exit', (worker) => start(slots.get(worker.id)));
}

function breakDown(request, first) {
  if (first && existsSync('event-loop')) for (const endMs = Date.now() + BLOCKED_MS; Date.now() < endMs; );
  const third = request.method === 'POST' && Number(request.url.split('/').pop()) % 3 === 0;
  if (third && existsSync('api-crash')) throw new Error('unexpected token');
}

function work() {
  const first = process.env.SLOT === '0';
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  const server = http.createServer((request, response) => {
    breakDown(request, first);
    const to = { host: '127.0.0.1', port: 8301, agent, timeout: 5000, method: request.method };
    const asked = http.request({ ...to, path: request.url.replace(/^\/api/, '') }, (answer) => {
      response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
      answer.pipe(response);
    });
    asked.on('timeout', () => asked.destroy(new Error('orders took longer than 5 s')));
    asked.on('error', (error) => {
      if (!response.headersSent) response.writeHead(502);
      response.end(JSON.stringify({ error: error.message }));
    });
    request.pipe(asked);
  });
  server.listen(8302, '127.0.0.1');
}

if (cluster.isPrimary) lead();
else work();
