/** The gateway: nginx in front of the services, round robin, keep-alive, no retries that would hide a fault. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstanceGroup } from '../cgroup.ts';
import type { Machine } from '../network/namespaces.ts';
import { LabProcess } from '../process.ts';
import type { Peers } from '../services/service-config.ts';
import type { GatewaySpec } from '../types.ts';
import { listens } from './listening.ts';

function upstream(service: string, peers: Peers): string {
  const servers = (peers.services[service] ?? []).map((peer) => `    server ${peer.address}:${peer.port} max_fails=0;`);
  // An upstream must not be empty: with every instance drained its requests are refused by a port nobody listens on.
  const lines = servers.length > 0 ? servers : ['    server 127.0.0.1:9 max_fails=0;'];
  return `  upstream ${service} {\n${lines.join('\n')}\n    keepalive 32;\n    keepalive_timeout 60s;\n  }`;
}

/** The configuration of nginx; `dir` takes its pid and temporary files. */
export function nginxConfig(gateway: GatewaySpec, address: string, peers: Peers, dir: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${dir}/${name};`,
  );
  const services = [...new Set(gateway.routes.map(({ service }) => service))];
  const locations = gateway.routes.map(
    ({ prefix, service }) => `    location ${prefix} {\n      proxy_pass http://${service};\n    }`,
  );
  return `daemon off;
worker_processes 1;
user root;
pid ${dir}/nginx.pid;
error_log stderr error;
events {
  worker_connections 2048;
}
http {
  access_log off;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
${temporary.join('\n')}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_next_upstream off;
  proxy_connect_timeout ${gateway.connectTimeoutMs ?? 1_000}ms;
  proxy_read_timeout ${gateway.readTimeoutMs ?? 4_000}ms;
${services.map((service) => upstream(service, peers)).join('\n')}
  server {
    listen ${address}:${gateway.port} backlog=511;
${locations.join('\n')}
  }
}
`;
}

export class Nginx {
  readonly process: LabProcess;
  readonly #file: string;
  readonly #write: (peers: Peers) => void;

  private constructor(process: LabProcess, file: string, write: (peers: Peers) => void) {
    this.process = process;
    this.#file = file;
    this.#write = write;
  }

  static async start(
    gateway: GatewaySpec,
    machine: Machine,
    peers: Peers,
    dir: string,
    group: InstanceGroup | undefined,
  ): Promise<Nginx> {
    const own = join(dir, gateway.name);
    mkdirSync(own, { recursive: true });
    const file = join(own, 'nginx.conf');
    const write = (next: Peers): void => writeFileSync(file, nginxConfig(gateway, machine.address, next, own));
    write(peers);
    const process = new LabProcess({
      name: gateway.name,
      netns: machine.netns,
      command: ['nginx', '-e', 'stderr', '-p', own, '-c', file],
      group,
      logFile: join(dir, `${gateway.name}.log`),
    });
    await process.waitFor(() => listens(process.pid, gateway.port), 10_000);
    return new Nginx(process, file, write);
  }

  get configFile(): string {
    return this.#file;
  }

  /** New workers take over, the old ones finish what they have. */
  reload(peers: Peers): void {
    this.#write(peers);
    this.process.kill('SIGHUP');
  }
}
