// Poisson arrivals, open loop: node load.mjs REQUESTS_PER_S SECONDS. Prints answered, failed and mean milliseconds every 5 s.
import http from 'node:http';

const [ratePerS, seconds] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
const endMs = Date.now() + seconds * 1000;
let answered = 0;
let failed = 0;
let sumMs = 0;

const random = (n) => Math.floor(Math.random() * n);

function path() {
  const part = Math.random();
  if (part < 0.6) return `/api/items/${random(2000)}`;
  return part < 0.8 ? `/api/search?tag=t${random(500)}` : `/pay/${random(1000)}`;
}

function ask() {
  const fromMs = performance.now();
  const request = http.get({ host: '127.0.0.1', port: 8000, path: path(), agent, timeout: 10_000 }, (response) => {
    response.resume();
    response.on('end', () => {
      sumMs += performance.now() - fromMs;
      if (response.statusCode < 500) answered++;
      else failed++;
    });
  });
  request.on('error', () => failed++);
  request.on('timeout', () => request.destroy());
}

let nextMs = performance.now();
(function tick() {
  for (; nextMs < performance.now(); nextMs += (-Math.log(1 - Math.random()) / ratePerS) * 1000) ask();
  if (Date.now() < endMs) setTimeout(tick, 5);
})();
setInterval(() => {
  console.log(new Date().toISOString().slice(11, 19), answered, failed, (sumMs / Math.max(answered, 1)).toFixed(1));
  answered = failed = sumMs = 0;
  if (Date.now() > endMs + 3000) process.exit();
}, 5000);
