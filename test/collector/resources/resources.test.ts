/** Fixture trees stand for /proc and /sys/fs/cgroup; one test reads the real ones. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cgroupPaths, readCgroup } from '../../../collector/resources/cgroup.ts';
import { hostCounters } from '../../../collector/resources/host.ts';
import { ResourceSampler } from '../../../collector/resources/sampler.ts';

let root = '';
const write = (path: string, content: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};
const GIB = 2 ** 30;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rootwalk-resources-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('control groups', () => {
  it('version 1: quota, throttling, memory and OOM kills, the tightest limit on the way up', () => {
    write('cg/cpu/pod/app/cpu.cfs_quota_us', '50000\n');
    write('cg/cpu/pod/app/cpu.cfs_period_us', '100000\n');
    write('cg/cpu/pod/app/cpu.stat', 'nr_periods 10\nnr_throttled 4\nthrottled_time 2000000\n');
    write('cg/cpu/pod/cpu.cfs_quota_us', '-1\n');
    write('cg/memory/pod/app/memory.limit_in_bytes', '9223372036854771712\n');
    write('cg/memory/pod/app/memory.usage_in_bytes', '1000\n');
    write('cg/memory/pod/app/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n');
    write('cg/memory/pod/memory.limit_in_bytes', `${GIB}\n`);
    const paths = cgroupPaths('3:memory:/pod/app\n1:cpu:/pod/app\n0::/\n', join(root, 'cg'));
    expect(readCgroup(paths, join(root, 'cg'))).toMatchObject({
      cpuLimit: 0.5,
      cpuThrottledUs: 2000,
      cpuPeriods: 10,
      cpuThrottledPeriods: 4,
      memoryUsedBytes: 1000,
      memoryLimitBytes: GIB,
      oomKills: 3,
      psiCpuSomeUs: undefined,
    });
  });

  it('version 2: the same, and pressure', () => {
    write('cg/cgroup.controllers', 'cpu memory\n');
    write('cg/slice/app/cpu.max', 'max 100000\n');
    write('cg/slice/cpu.max', '150000 100000\n');
    write('cg/slice/cpu.stat', 'usage_usec 5\nnr_periods 7\nnr_throttled 2\nthrottled_usec 900\n');
    write('cg/slice/app/memory.max', `${GIB}\n`);
    write('cg/slice/app/memory.current', '77\n');
    write('cg/slice/app/memory.events', 'low 0\noom 1\noom_kill 1\n');
    write('cg/slice/app/io.pressure', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=42\nfull avg10=0 total=1\n');
    const paths = cgroupPaths('0::/slice/app\n', join(root, 'cg'));
    expect(readCgroup(paths, join(root, 'cg'))).toMatchObject({
      cpuLimit: 1.5,
      cpuThrottledUs: 900,
      memoryUsedBytes: 77,
      memoryLimitBytes: GIB,
      oomKills: 1,
      psiIoSomeUs: 42,
    });
  });

  it('says nothing of the root groups but that they have no quota', () => {
    write('cg/cpu/cpu.stat', 'nr_periods 9\n');
    write('cg/unified/cpu.pressure', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=42\n');
    const paths = cgroupPaths('1:cpu:/\n0::/\n', join(root, 'cg'));
    const found = readCgroup(paths, join(root, 'cg'));
    expect([found.cpuLimit, found.psiCpuSomeUs]).toEqual([undefined, undefined]);
    expect([found.cpuPeriods, found.cpuThrottledPeriods, found.cpuThrottledUs]).toEqual([0, 0, 0]);
  });

  it('without a quota nothing is throttled, also where version 2 counts no periods; unread groups are unknown', () => {
    write('cg/cgroup.controllers', 'memory\n');
    write('cg/slice/cpu.stat', 'usage_usec 5\n');
    const paths = cgroupPaths('0::/slice\n', join(root, 'cg'));
    expect(readCgroup(paths, join(root, 'cg'))).toMatchObject({ cpuThrottledUs: 0, cpuThrottledPeriods: 0 });
    const elsewhere = cgroupPaths('0::/not-here\n', join(root, 'cg'));
    expect(readCgroup(elsewhere, join(root, 'cg')).cpuThrottledUs).toBeUndefined();
  });
});

describe('sampler', () => {
  const NAMES = { service: 'cart', instance: 'cart-1', machine: 'm1' };
  const process = (pid: number, ticks: number, faults: number, waitNs: number): void => {
    const fields = `S 1 1 1 0 -1 0 0 0 ${faults} 0 ${ticks} 0 0 0 20 0 1 0 500 1000000 256 0`;
    write(`proc/${pid}/stat`, `${pid} (my (odd) app) ${fields}`);
    write(`proc/${pid}/statm`, '1000 256 56 1 0 1 0\n');
    write(`proc/${pid}/task/${pid}/schedstat`, `5 ${waitNs} 1\n`);
    write(`proc/${pid}/io`, `read_bytes: ${faults * 100}\nwrite_bytes: 0\n`);
    write(
      `proc/${pid}/limits`,
      'Limit Soft Hard Units\nMax open files            1024                 4096                 files\n',
    );
    write(`proc/${pid}/fd/0`, '');
    write(`proc/${pid}/cgroup`, '1:cpu:/cart\n');
  };
  const network = (overflows: number, retransmits: number): void => {
    const netstat = `TcpExt: ListenOverflows ListenDrops\nTcpExt: ${overflows} 0\n`;
    const snmp = `Tcp: RetransSegs OutRsts\nTcp: ${retransmits} 0\n`;
    for (const who of ['7', 'self']) {
      write(`proc/${who}/net/netstat`, netstat);
      write(`proc/${who}/net/snmp`, snmp);
    }
  };
  const quota = (us: number): void => {
    write('cg/cpu/cart/cpu.cfs_quota_us', `${us}\n`);
    write('cg/cpu/cart/cpu.cfs_period_us', '100000\n');
    write('cg/cpu/cart/cpu.stat', `nr_periods ${us === 50_000 ? 20 : 10}\nnr_throttled 1\nthrottled_time 0\n`);
  };
  const sampler = (): ResourceSampler =>
    new ResourceSampler({
      hostName: 'host',
      procRoot: join(root, 'proc'),
      cgroupRoot: join(root, 'cg'),
      identify: (pid) => (pid === 7 || pid === 8 ? NAMES : undefined),
    });

  it('sums an instance over its processes, and a machine over its instances and namespace', () => {
    process(7, 100, 1, 1_000_000);
    process(8, 200, 2, 0);
    process(9, 999, 9, 9);
    network(3, 10);
    quota(200_000);
    const under = sampler();
    const first = under.sample(1000).resources.find((record) => record.entity === 'cart-1');
    expect(first?.cpuUsedUs).toBeUndefined();
    expect(first).toMatchObject({ processCount: 2, memoryUsedBytes: (2 * 200 + 56) * 4096, fdUsed: 1, fdLimit: 1024 });
    process(7, 150, 4, 3_000_000);
    process(8, 210, 2, 0);
    network(5, 13);
    quota(50_000);
    const { resources, changes } = under.sample(6000);
    expect(resources.find((record) => record.entity === 'cart-1')).toMatchObject({
      entityKind: 'instance',
      service: 'cart',
      machine: 'm1',
      cpuUsedUs: 600_000,
      majorFaults: 3,
      runQueueDelayUs: 2000,
      diskReadBytes: 300,
      cpuLimitUs: 2_500_000,
      cpuPeriods: 10,
    });
    expect(resources.find((record) => record.entity === 'm1')).toMatchObject({
      entityKind: 'machine',
      cpuUsedUs: 600_000,
      listenOverflows: 2,
      extra: { tcpRetransmittedSegments: 3 },
    });
    expect(changes).toMatchObject([
      { change: 'limit_changed', entity: 'cart-1', detail: { limit: 'cpuLimit', from: '2', to: '0.5' } },
    ]);
  });

  it('tells programs of no service that take much of a processor, and for a while after it', () => {
    process(7, 100, 0, 0);
    process(20, 1_000, 1, 0);
    process(21, 500, 1, 0);
    const under = sampler();
    const others = (nowMs: number) =>
      under
        .sample(nowMs)
        .resources.filter(({ entityKind, service }) => entityKind === 'instance' && service === undefined);
    expect(others(1000)).toEqual([]);
    process(20, 1_040, 4, 0);
    process(21, 510, 1, 0);
    // One that began since then used all it has.
    process(22, 60, 7, 0);
    const [found, ...more] = others(6000);
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      entity: 'my (odd) app@host',
      machine: 'host',
      cpuUsedUs: 1_100_000,
      processCount: 3,
      memoryUsedBytes: 3 * 256 * 4096,
      diskReadBytes: 700,
    });
    // Nothing more: it is told that it uses nothing.
    expect(others(11_000)).toMatchObject([{ entity: 'my (odd) app@host', cpuUsedUs: 0, diskReadBytes: 0 }]);
    for (let i = 0; i < 119; i++) under.sample(16_000 + i * 5_000);
    expect(others(700_000)).toEqual([]);
  });

  it('counts a process that began since the last sample whole, and is not fooled by a reused pid', () => {
    process(7, 100, 0, 0);
    const under = sampler();
    under.sample(1000);
    process(8, 30, 0, 0);
    rmSync(join(root, 'proc/7'), { recursive: true });
    const record = under.sample(6000).resources.find((found) => found.entity === 'cart-1');
    expect(record?.cpuUsedUs).toBe(300_000);
  });

  it('leaves out what it cannot read', () => {
    write('proc/7/stat', '7 (x) S 1 1 1 0 -1 0 0 0 0 0 1 0 0 0 20 0 1 0 500 1000000 256 0');
    const record = sampler()
      .sample(1000)
      .resources.find((found) => found.entity === 'cart-1');
    expect(Object.keys(record ?? {}).sort()).toEqual([
      'entity',
      'entityKind',
      'machine',
      'memoryUsedBytes',
      'processCount',
      'service',
    ]);
  });
});

describe('this host', () => {
  it('has CPU time that rises', () => {
    const before = hostCounters('/proc').cpuUsedUs ?? Number.NaN;
    const until = Date.now() + 60;
    while (Date.now() < until);
    expect(hostCounters('/proc').cpuUsedUs).toBeGreaterThan(before);
  });
});
