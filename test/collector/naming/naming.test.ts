import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerId, containerName, workloadOf } from '../../../collector/naming/container.ts';
import { isPrivate } from '../../../collector/naming/edges.ts';
import { Namer } from '../../../collector/naming/namer.ts';
import { NamingFile, parseNaming, readNaming } from '../../../collector/naming/naming-file.ts';
import type { ProcessInfo } from '../../../collector/naming/process-info.ts';
import { cgroupPath, readProcess } from '../../../collector/naming/process-info.ts';
import { serviceName, systemdInstance, systemdUnit } from '../../../collector/naming/service-name.ts';
import { listener, tuple } from '../frames-of.ts';

const HEX = '0123456789abcdef'.repeat(4);
let root = '';
const write = (path: string, content: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};
const process = (pid: number, parent: number, comm: string, commandLine: readonly string[], netns: number): void => {
  write(`proc/${pid}/stat`, `${pid} (${comm}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 1 1`);
  write(`proc/${pid}/cmdline`, `${commandLine.join('\0')}\0`);
  write(`proc/${pid}/cgroup`, '0::/\n');
  mkdirSync(join(root, `proc/${pid}/ns`), { recursive: true });
  symlinkSync(`net:[${netns}]`, join(root, `proc/${pid}/ns/net`));
  symlinkSync(`/usr/bin/${commandLine[0]}`, join(root, `proc/${pid}/exe`));
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'rootwalk-naming-'));
  process(10, 1, 'nginx', ['nginx'], 7);
  process(11, 10, 'nginx', ['nginx'], 7);
  process(20, 1, 'python3', ['python3', '-m', 'shop.cart'], 8);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const info = (commandLine: readonly string[], more: Partial<ProcessInfo> = {}): ProcessInfo => ({
  pid: 1,
  parentPid: 0,
  comm: (commandLine[0] ?? '').slice(0, 15),
  executable: `/usr/bin/${commandLine[0]}`,
  commandLine,
  workingDirectory: '/srv/shop',
  cgroup: '/',
  netns: 1,
  ...more,
});

describe('names of containers', () => {
  const UID = '0f4a6f5e-5f0b-4f0e-9d3c-2b1a7c6d5e4f';
  const CRI = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${HEX}.scope`;
  const named = (cgroup: string, pid = 20): unknown =>
    containerName(info(['server'], { pid, cgroup }), join(root, 'proc'), 'm1');

  it.each([
    ['cart-7d9f8b6c5-x2x4z', 'cart'],
    ['shop-cart-5b8c7d9f6d-2bcdf', 'shop-cart'],
    ['node-agent-x2x4z', 'node-agent'],
    ['backup-28934567-bcdfg', 'backup'],
    ['redis-0', 'redis'],
    ['redis-cluster-12', 'redis-cluster'],
    ['etcd', 'etcd'],
    ['web-frontend', 'web-frontend'],
  ])('%s is of %s', (pod, workload) => expect(workloadOf(pod)).toBe(workload));

  it('of a pod is its namespace and workload, by what the kubelet keeps, in either layout of control groups', () => {
    write(`proc/1/root/var/log/pods/shop_cart-7d9f8b6c5-x2x4z_${UID}/cart/0.log`, '');
    const cart = { service: 'shop/cart', instance: 'cart-7d9f8b6c5-x2x4z' };
    expect(named(CRI)).toEqual(cart);
    expect(named(`/kubepods/besteffort/pod${UID}/${HEX}`)).toEqual(cart);
  });

  it('of a proxy beside it has the proxy’s name added', () => {
    const id = HEX.replace('0', 'f');
    write(`proc/1/root/var/log/containers/cart-7d9f8b6c5-x2x4z_shop_istio-proxy-${id}.log`, '');
    write(`proc/1/root/var/log/containers/cart-7d9f8b6c5-x2x4z_shop_cart-${HEX}.log`, '');
    expect(named(CRI.replace(HEX, id))).toEqual({
      service: 'shop/cart/istio-proxy',
      instance: 'cart-7d9f8b6c5-x2x4z/istio-proxy',
    });
    expect(named(CRI)).toMatchObject({ service: 'shop/cart' });
  });

  it('of a pod nothing is kept about is what it sees of itself, and of none at all the process’s', () => {
    const other = CRI.replace('0f4a6f5e', 'aaaaaaaa');
    expect(named(other)).toBeUndefined();
    write('proc/20/environ', 'PATH=/bin\0HOSTNAME=user-0\0');
    expect(named(other)).toEqual({ service: 'user', instance: 'user-0' });
    write('proc/20/root/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'shop');
    expect(named(other)).toEqual({ service: 'shop/user', instance: 'user-0' });
  });

  it('of docker and podman are those of compose, swarm or the container, with the machine', () => {
    const config = (id: string, name: string, labels: object): void =>
      write(
        `proc/1/root/var/lib/docker/containers/${id}/config.v2.json`,
        JSON.stringify({ Name: name, Config: { Labels: labels } }),
      );
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64)) as [string, string, string, string];
    config(a, '/shop-cart-1', { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'cart' });
    config(b, '/shop_cart.2.xyz', { 'com.docker.swarm.service.name': 'shop_cart' });
    config(c, '/cart', {});
    write(
      'proc/1/root/var/lib/containers/storage/overlay-containers/containers.json',
      JSON.stringify([{ id: d, names: ['mail'] }]),
    );
    expect(named(`/docker/${a}`)).toEqual({ service: 'shop/cart', instance: 'shop-cart-1@m1' });
    expect(named(`/system.slice/docker-${b}.scope`)).toEqual({ service: 'shop_cart', instance: 'shop_cart.2.xyz@m1' });
    expect(named(`/docker/${c}`)).toEqual({ service: 'cart', instance: 'cart@m1' });
    expect(named(`/libpod_parent/libpod-${d}`)).toEqual({ service: 'mail', instance: 'mail@m1' });
    expect(named(`/docker/${'e'.repeat(64)}`)).toBeUndefined();
  });

  it('of a program that says nothing is its directory’s, unless that is the system’s', () => {
    expect(serviceName(info(['server'], { executable: '/opt/checkout/bin/server' }))).toBe('checkout');
    expect(serviceName(info(['server'], { executable: '/usr/local/bin/server' }))).toBe('server');
  });
});

describe('service names', () => {
  it.each([
    [['redis-server', '*:6379'], 'redis-server'],
    [['node', 'cart.js'], 'cart'],
    [['node', '-r', './tracing.js', 'cart.js'], 'cart'],
    [['deno', 'run', '--allow-net', '--allow-env', 'cart.ts'], 'cart'],
    [['deno', 'run', '-A', '/srv/pay/main.ts'], 'pay'],
    [['deno', 'serve', '--port', '8000', 'mail.ts'], 'mail'],
    [['bun', 'run', '--hot', 'cart.ts'], 'cart'],
    [['bun', '--watch', 'run', 'cart.ts'], 'cart'],
    [['node', '--require', 'x', '--inspect', '/opt/checkout/server.mjs'], 'checkout'],
    [['node', 'server.js'], 'shop'],
    [['node', 'dist/index.js'], 'shop'],
    [['python3.11', '-m', 'shop.order'], 'shop.order'],
    [['python3', '/usr/bin/gunicorn', '-w', '4', 'shop.api:app'], 'shop.api'],
    [['python3', '-m', 'uvicorn', 'pay.main:app'], 'pay.main'],
    [['python3', '/usr/bin/gunicorn', '-b', '127.0.0.1:8101', 'catalog:app'], 'catalog'],
    [['python3', '/usr/bin/gunicorn', '-b', 'localhost:8101', 'catalog:create_app()'], 'catalog'],
    [['python3', '/usr/bin/uvicorn', 'main:app', '--host', '0.0.0.0'], 'shop'],
    [['python3', '-m', 'gunicorn', 'wsgi:app'], 'shop'],
    [['python3', '/usr/bin/gunicorn', '--bind', 'unix:catalog.sock', '-m', '007', 'wsgi:app'], 'shop'],
    [['python3', '/usr/bin/gunicorn', '-c', 'python:conf.gunicorn', 'catalog:app'], 'catalog'],
    [['ruby', '-r', 'bundler/setup', '-I', 'lib', 'billing.rb'], 'billing', 'ruby3.1'],
    [['php', '-S', '0.0.0.0:8000', '-t', 'public'], 'php', 'php8.2'],
    [['php', '-d', 'memory_limit=1G', 'artisan', 'serve'], 'artisan', 'php8.2'],
    [['php', '-r', 'while (true);'], 'php', 'php8.2'],
    [['ruby', '-e', 'loop {}'], 'ruby', 'ruby3.1'],
    [['uwsgi', '-p', '4', '--module', 'shop.api:app'], 'shop.api'],
    [['gunicorn: worker [billing.api:app]'], 'billing.api', 'python3.11'],
    [['python3', '/usr/bin/flask', '--app', 'cart', 'run'], 'cart'],
    [['python3', '/usr/bin/flask', 'run'], 'shop'],
    [['python3', '/usr/bin/celery', '-A', 'shop.tasks', 'worker'], 'shop.tasks-celery'],
    [['python3', '-m', 'celery', '--app=shop.tasks', 'worker'], 'shop.tasks-celery'],
    [['python3', 'manage.py', 'runserver'], 'shop'],
    [['puma 6.4.2 (tcp://0.0.0.0:3000) [billing]'], 'billing', 'ruby3.1'],
    [['next-server (v14.2.3)'], 'shop', 'node'],
    [['node', '/srv/shop/node_modules/.bin/next', 'start'], 'shop'],
    [['java', '-jar', '/opt/cart/app.jar'], 'cart'],
    [['java', '-jar', 'cart-0.0.1-SNAPSHOT.jar'], 'cart'],
    [['java', '-jar', 'cart-2.1.0.RELEASE.jar'], 'cart'],
    [['java', '-cp', 'x', 'com.shop.mail.Main'], 'mail'],
    [['java', '-Dcatalina.base=/srv/tomcat/orders', 'org.apache.catalina.startup.Bootstrap', 'start'], 'orders'],
    [['java', '-Dspring.application.name=cart', '-jar', 'app.jar'], 'cart'],
    [['dotnet', '/app/Shop.Cart.dll'], 'Shop.Cart'],
    [['beam.smp', '--', '-root', '/usr/lib/erlang', '-sname', 'rabbit@m1'], 'rabbit'],
    [['php-fpm: pool www'], 'php-fpm', 'php-fpm8.2'],
    [['php-fpm: pool reviews'], 'reviews', 'php-fpm8.2'],
    [['php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)'], 'php-fpm', 'php-fpm8.2'],
    [['java', '-Xmx1g', '-jar', '/opt/order-service-1.2.3.jar'], 'order-service'],
    [['java', '-cp', 'a.jar', 'com.shop.Billing'], 'Billing'],
    [['node'], 'node'],
    [['node', '-e', 'while (true);'], 'node'],
    [['python3.11', '-c', 'import x'], 'python'],
    [['my server'], 'my_server'],
    [['server'], 'server'],
  ])('%j is %s', (commandLine, name, executable = commandLine[0]) => {
    const ofOne = info(commandLine, { executable: `/usr/bin/${executable}` });
    expect(serviceName(ofOne, join(root, 'proc'))).toBe(name);
  });

  it('are those that the environment declares, as OpenTelemetry has it, before any other', () => {
    write('proc/30/environ', 'PATH=/bin\0OTEL_SERVICE_NAME=cart\0OTEL_RESOURCE_ATTRIBUTES=service.name=other\0');
    write('proc/31/environ', 'OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=x, service.name=my%20cart\0');
    write('proc/32/environ', 'OTEL_SERVICE_NAME=\0');
    const named = (pid: number): string =>
      serviceName(info(['nginx'], { pid, cgroup: '/system.slice/web.service' }), join(root, 'proc'));
    expect([30, 31, 32].map(named)).toEqual(['cart', 'my_cart', 'web']);
  });

  it('instances of a systemd template are told apart', () => {
    const cgroup = '/system.slice/system-cart.slice/cart@8101.service';
    expect([systemdUnit(cgroup), systemdInstance(cgroup)]).toEqual(['cart', '8101']);
    expect(systemdInstance('/system.slice/cart.service')).toBeUndefined();
    expect(systemdInstance('/user.slice/user@1000.service/app.slice/x.scope')).toBeUndefined();
  });

  it('takes the name a program was called by when the kernel knows it under that name too', () => {
    const redis = { comm: 'redis-server', executable: '/usr/bin/redis-check-rdb' };
    expect(serviceName(info(['/usr/bin/redis-server 10.0.0.1:6379'], redis))).toBe('redis-server');
    expect(serviceName(info(['nginx: worker process'], { comm: 'nginx', executable: '/usr/sbin/nginx' }))).toBe(
      'nginx',
    );
    expect(serviceName(info(['my title'], { comm: 'node-title', executable: '/usr/bin/app' }))).toBe('app');
  });

  it('takes the systemd unit first', () => {
    expect(serviceName(info(['nginx'], { cgroup: '/system.slice/shop-gateway.service' }))).toBe('shop-gateway');
    expect(systemdUnit('/system.slice/postgresql@15-main.service')).toBe('postgresql');
    expect(systemdUnit('/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope')).toBeUndefined();
  });

  it.each([
    [`/docker/${HEX}`, '0123456789ab'],
    [`/system.slice/docker-${HEX}.scope`, '0123456789ab'],
    [`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${HEX}.scope`, '0123456789ab'],
    ['/system.slice/ssh.service', undefined],
  ])('container of %s', (path, id) => expect(containerId(path)).toBe(id));

  it('finds the telling path of a cgroup file', () => {
    expect(cgroupPath('9:name=systemd:/\n4:memory:/a/b\n1:cpu:/\n0::/\n')).toBe('/a/b');
  });

  it('reads a process', () => {
    expect(readProcess(join(root, 'proc'), 11)).toMatchObject({ pid: 11, parentPid: 10, comm: 'nginx', netns: 7 });
    expect(readProcess(join(root, 'proc'), 999)).toBeUndefined();
  });
});

describe('naming file', () => {
  it('names every wrong entry at once', () => {
    const bad = '{"version":2,"endpoints":[{"address":"a","port":"80","service":"s"}],"processes":[3]}';
    expect(() => parseNaming(bad, 'n.json')).toThrow(
      'naming file n.json: version: expected 1, found 2; endpoints[0].port: expected a number; processes[0]: expected an object',
    );
  });

  it('must be there, and whole, at the start', () => {
    const path = join(root, 'start.json');
    expect(() => readNaming(path)).toThrow(/naming file .*start\.json cannot be read: .*Mend: /);
    writeFileSync(path, '{');
    expect(() => readNaming(path)).toThrow(/start\.json: expected JSON/);
    writeFileSync(path, '{"version":1,"processes":[{"pid":10,"service":"gateway"}]}');
    expect(readNaming(path).processes).toHaveLength(1);
  });

  it('is read again when it changes, and survives a broken version', () => {
    const path = join(root, 'naming.json');
    const file = new NamingFile(path);
    expect(file.refresh()).toBe(false);
    expect(file.problem).toContain('not there');
    writeFileSync(path, '{"version":1,"processes":[{"pid":10,"service":"gateway"}]}');
    expect([file.refresh(), file.refresh()]).toEqual([true, false]);
    writeFileSync(path, '{');
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
    expect(file.refresh()).toBe(false);
    expect(file.problem).toContain('expected JSON');
    expect(file.naming.processes).toHaveLength(1);
  });
});

describe('namer', () => {
  const namer = (): Namer => new Namer({ hostName: 'host', procRoot: join(root, 'proc') });

  it('copies of a service on one machine are told apart by their ports, also when they call others', () => {
    process(40, 1, 'python3', ['python3', '/usr/bin/gunicorn', '-b', '127.0.0.1:8101', 'catalog:app'], 7);
    process(41, 40, 'python3', ['python3', '/usr/bin/gunicorn', '-b', '127.0.0.1:8101', 'catalog:app'], 7);
    process(50, 1, 'python3', ['python3', '/usr/bin/gunicorn', '-b', '127.0.0.1:8102', 'catalog:app'], 7);
    const names = namer();
    const at = (pid: number, port: number) =>
      listener({ pid, netns: 7, atMs: 1, tuple: tuple(`127.0.0.1:${port}`, '0.0.0.0:0') });
    const called = (pid: number): string | undefined => names.findProcess(pid, 7)?.instance;
    names.learnListener(at(40, 8101));
    names.learnListener(at(40, 9101));
    // One copy, whose workers share its listeners.
    names.learnListener(at(41, 8101));
    expect([called(40), called(41)]).toEqual(['catalog@host', 'catalog@host']);
    const { version } = names;
    names.learnListener(at(50, 8102));
    expect(names.version).toBeGreaterThan(version);
    expect([40, 41, 50].map(called)).toEqual(['catalog@host:8101', 'catalog@host:8101', 'catalog@host:8102']);
    expect(names.endpoint('127.0.0.1', 8101, 7)?.instance).toBe('catalog@host:8101');
    expect(names.endpoint('127.0.0.1', 9101, 7)?.instance).toBe('catalog@host:8101');
    expect(names.endpoint('127.0.0.1', 8102, 7)?.instance).toBe('catalog@host:8102');
    // Restarted, it has the same name.
    process(60, 1, 'python3', ['python3', '/usr/bin/gunicorn', '-b', '127.0.0.1:8102', 'catalog:app'], 7);
    names.learnListener(at(60, 8102));
    expect(called(60)).toBe('catalog@host:8102');
    expect(called(20)).toBe('shop.cart@host');
  });

  it('a copy that listens at a port which clients get is told apart by none', () => {
    process(70, 1, 'node', ['node', 'worker.js'], 7);
    process(71, 1, 'node', ['node', 'worker.js'], 7);
    const names = namer();
    for (const [pid, port] of [
      [70, 40_001],
      [71, 40_002],
    ] as const)
      names.learnListener(listener({ pid, netns: 7, atMs: 1, tuple: tuple(`0.0.0.0:${port}`, '0.0.0.0:0') }));
    expect([70, 71].map((pid) => names.findProcess(pid, 7)?.instance)).toEqual(['worker@host', 'worker@host']);
  });

  it('names processes from /proc, and their children by the naming file', () => {
    const names = namer();
    expect(names.process(20, 8, 'python3')).toEqual({
      service: 'shop.cart',
      instance: 'shop.cart@host',
      machine: 'host',
    });
    names.use({
      machines: [{ name: 'm1', netnsInode: 7, addresses: ['10.1.0.1'] }],
      endpoints: [{ address: '10.1.0.1', port: 80, service: 'gateway' }],
      processes: [{ pid: 10, service: 'gateway', instance: 'gateway-1', machine: 'm1' }],
    });
    expect(names.process(11, 7, 'nginx')).toEqual({ service: 'gateway', instance: 'gateway-1', machine: 'm1' });
    expect(names.endpoint('10.1.0.1', 80)).toEqual({ service: 'gateway', instance: 'gateway@m1', machine: 'm1' });
    expect(names.machine(7)).toBe('m1');
    expect(names.machineByAddress('10.1.0.1')).toBe('m1');
    expect(names.namedProcess(20)).toBeUndefined();
  });

  it('falls back to the command of a process that is gone', () => {
    expect(namer().process(999, 1, 'curl').service).toBe('curl');
  });

  it('takes who listens at a named endpoint for that service, whichever is known first', () => {
    const names = namer();
    names.learnListener(listener({ atMs: 1, pid: 10, netns: 7, tuple: tuple('0.0.0.0:80', '0.0.0.0:0') }));
    expect(names.process(11, 7, 'nginx').service).toBe('nginx');
    names.use({
      machines: [{ name: 'm1', netnsInode: 7, addresses: ['10.1.0.1'] }],
      endpoints: [{ address: '10.1.0.1', port: 80, service: 'gateway', instance: 'gateway-1' }],
      processes: [],
    });
    expect(names.process(11, 7, 'nginx')).toEqual({ service: 'gateway', instance: 'gateway-1', machine: 'm1' });
    expect(names.namedProcess(11)?.instance).toBe('gateway-1');
    expect(names.namedProcess(20)).toBeUndefined();
  });

  it('learns who listens, on all addresses of a namespace too, and remembers it', () => {
    const names = namer();
    names.learnListener(listener({ atMs: 1, pid: 20, netns: 8, tuple: tuple('0.0.0.0:5000', '0.0.0.0:0') }));
    expect(names.endpoint('10.2.0.1', 5000)).toBeUndefined();
    names.learnAddress('10.2.0.1', 8);
    expect(names.endpoint('10.2.0.1', 5000)?.service).toBe('shop.cart');
    expect(names.endpoint('127.0.0.1', 5000, 8)?.service).toBe('shop.cart');
    expect(names.endpoint('127.0.0.1', 5000, 9)).toBeUndefined();
  });

  it('tells the pools of one master apart', () => {
    process(80, 1, 'php-fpm8.2', ['php-fpm: master process (/etc/fpm.conf)'], 7);
    for (const [pid, pool] of [
      [81, 'reviews'],
      [82, 'blog'],
      [83, 'www'],
    ] as const)
      process(pid, 80, 'php-fpm8.2', [`php-fpm: pool ${pool}`], 7);
    const names = namer();
    names.learnListener(listener({ atMs: 1, pid: 80, netns: 7, tuple: tuple('127.0.0.1:9000', '0.0.0.0:0') }));
    expect([81, 82, 83].map((pid) => names.findPooled(pid, 7)?.service)).toEqual(['reviews', 'blog', undefined]);
    expect(names.endpoint('127.0.0.1', 9000, 7)?.service).toMatch(/fpm/);
    names.learnPool('127.0.0.1', 9000, 7, names.findPooled(81, 7)!);
    expect(names.endpoint('127.0.0.1', 9000, 7)?.service).toBe('reviews');
    names.retain(new Set([80, 82, 83]));
    expect([81, 82].map((pid) => names.findPooled(pid, 7)?.service)).toEqual([undefined, 'blog']);
  });

  it('knows a Unix socket in every namespace, also after the naming file changed', () => {
    const names = namer();
    const address = 'unix:1f03-fe01';
    const bound = { family: 1, localAddress: address, localPort: 0, remoteAddress: '', remotePort: 0 };
    expect(names.learnListener(listener({ atMs: 1, pid: 20, netns: 8, tuple: bound })).service).toBe('shop.cart');
    expect([7, 8, undefined].map((netns) => names.endpoint(address, 0, netns)?.service)).toEqual(
      Array(3).fill('shop.cart'),
    );
    names.use({
      machines: [],
      endpoints: [],
      processes: [{ pid: 20, service: 'cart', instance: 'cart-1', machine: 'm1' }],
    });
    expect(names.endpoint(address, 0, 7)?.instance).toBe('cart-1');
  });
});

it.each([
  ['10.1.2.3', true],
  ['172.15.0.1', false],
  ['172.16.0.1', true],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['8.8.8.8', false],
  ['fd00::1', true],
  ['2001:db8::1', false],
  ['unix:1f03-fe01', true],
])('%s private: %s', (address, expected) => expect(isPrivate(address)).toBe(expected));
