// Poisson arrivals, open loop: node load.mjs REQUESTS_PER_S SECONDS. Prints answered, failed and mean milliseconds every 5 s, of
// all and of each of the ways.
import http from 'node:http';

const [ratePerS, seconds] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 300 });
const endMs = Date.now() + seconds * 1000;
// Share of the load, method, path, how many there are.
const routes = [
  [0.4, 'GET', '/item/', 3000],
  [0.15, 'GET', '/list/', 40],
  [0.05, 'POST', '/item/', 3000],
  [0.25, 'GET', '/account/', 5000],
  [0.15, 'POST', '/account/', 5000],
];
const ways = ['item', 'list', 'account'];
const counted = new Map();

const random = (n) => Math.floor(Math.random() * n);

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
  const of = counted.get(prefix.split('/')[1]);
  const end = (answered) => {
    if (answered) of.answered++;
    else of.failed++;
    if (answered) of.sumMs += performance.now() - fromMs;
  };
  const to = { host: '10.77.0.1', port: 80, agent, timeout: 10_000, method, path: prefix + random(count) };
  const request = http.request(to, (response) => {
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
  const each = ways.map((way) => line(way, [counted.get(way)]));
  console.log([new Date().toISOString().slice(11, 19), line('all', [...counted.values()]), ...each].join('  '));
  clear();
  if (Date.now() > endMs + 3000) process.exit();
}, 5000);
