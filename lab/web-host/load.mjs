// Poisson arrivals, open loop: node load.mjs REQUESTS_PER_S SECONDS. Prints answered, failed and mean milliseconds every 5 s,
// of all and of each of the three ways.
import http from 'node:http';

const [ratePerS, seconds] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
const endMs = Date.now() + seconds * 1000;
const ways = ['shop', 'reviews', 'api'];
const counted = new Map();

const random = (n) => Math.floor(Math.random() * n);

// Share of the load, method, path, how many there are.
const routes = [
  [0.2, 'GET', '/shop/category/', 50],
  [0.12, 'GET', '/shop/order/', 100_000],
  [0.08, 'POST', '/shop/buy/', 2000],
  [0.2, 'GET', '/reviews/of/', 2000],
  [0.05, 'GET', '/reviews/best/', 2000],
  [0.05, 'POST', '/reviews/of/', 2000],
  [0.11, 'GET', '/api/orders/', 100_000],
  [0.01, 'GET', '/api/best-customers/', 1000],
  [0.08, 'GET', '/api/customers/', 5000],
  [0.05, 'GET', '/api/invoices/', 100_000],
  [0.05, 'POST', '/api/refund/', 2000],
];

function clear() {
  for (const way of ways) counted.set(way, { answered: 0, failed: 0, sumMs: 0 });
}

function pick() {
  let part = Math.random();
  for (const route of routes) {
    part -= route[0];
    if (part < 0) return route;
  }
  return routes[0];
}

function ask() {
  const fromMs = performance.now();
  const [, method, prefix, count] = pick();
  const way = prefix.split('/')[1];
  const path = prefix + random(count);
  const end = (answered) => {
    const of = counted.get(way);
    if (answered) of.answered++;
    else of.failed++;
    if (answered) of.sumMs += performance.now() - fromMs;
  };
  const to = { host: '127.0.0.1', port: 8200, agent, timeout: 10_000 };
  const request = http.request({ ...to, method, path }, (response) => {
    response.resume();
    response.on('end', () => end(response.statusCode < 500));
  });
  request.on('error', () => end(false));
  request.on('timeout', () => request.destroy(new Error('no answer for 10 s')));
  request.end();
}

function line(name, ofs) {
  const [answered, failed, sumMs] = ['answered', 'failed', 'sumMs'].map((key) =>
    ofs.reduce((sum, of) => sum + of[key], 0),
  );
  return `${name} ${answered} ${failed} ${(sumMs / Math.max(answered, 1)).toFixed(1)}`;
}

clear();
let nextMs = performance.now();
(function tick() {
  for (; nextMs < performance.now(); nextMs += (-Math.log(1 - Math.random()) / ratePerS) * 1000) ask();
  if (Date.now() < endMs) setTimeout(tick, 5);
})();
setInterval(() => {
  const all = line('all', [...counted.values()]);
  const each = ways.map((way) => line(way, [counted.get(way)]));
  console.log([new Date().toISOString().slice(11, 19), all, ...each].join('  '));
  clear();
  if (Date.now() > endMs + 3000) process.exit();
}, 5000);
