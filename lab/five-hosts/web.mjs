// Pages of a shop: items of the service catalog, a connection for each; accounts of the service account, over kept connections.
import http from 'node:http';

const agents = { catalog: new http.Agent(), account: new http.Agent({ keepAlive: true, maxSockets: 64 }) };

function ask(service, port, request, path, response) {
  const to = { host: `${service}.shop`, port, agent: agents[service], timeout: 5000, method: request.method, path };
  const asked = http.request(to, (answer) => {
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
    answer.pipe(response);
  });
  asked.on('timeout', () => asked.destroy(new Error(`${service} took longer than 5 s`)));
  asked.on('error', (error) => {
    if (!response.headersSent) response.writeHead(502);
    response.end(JSON.stringify({ error: error.message }));
  });
  request.pipe(asked);
}

http
  .createServer((request, response) => {
    if (request.url === '/health') response.end('well');
    else if (request.url.startsWith('/account'))
      ask('account', 8082, request, `/account.php${request.url.slice(8)}`, response);
    else ask('catalog', 80, request, `/catalog${request.url}`, response);
  })
  .listen(8080);
