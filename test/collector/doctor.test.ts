/** Checks of hosts that are not this one: each lack has a state, a consequence and a mend. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostCheck, HostView } from '../../collector/doctor.ts';
import { canCollect, checkHost } from '../../collector/doctor.ts';
import type { LoaderRights } from '../../collector/rights.ts';
import { askLoader } from '../../collector/rights.ts';

const GOOD_FILES: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/osrelease': '6.1.0-21-amd64\n',
  '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
  '/boot/config-6.1.0-21-amd64': 'CONFIG_HZ=250\nCONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y\n',
  '/sys/kernel/btf/vmlinux': '',
  '/sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  '/sys/kernel/tracing/events': '',
  '/sys/bus/event_source/devices/kprobe': '',
  '/proc/sys/net/core/bpf_jit_enable': '1\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu io memory pids\n',
  '/proc/pressure/cpu': '',
  '/proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
};

function host(files: Readonly<Record<string, string | undefined>> = {}, more: Partial<HostView> = {}): HostView {
  const all: Readonly<Record<string, string | undefined>> = { ...GOOD_FILES, ...files };
  return {
    read: (path) => all[path],
    exists: (path) => all[path] !== undefined,
    arch: 'x64',
    missingTools: [],
    installCommands: [],
    loaderBuilt: true,
    loaderRights: undefined,
    ...more,
  };
}

const bad = (checks: readonly HostCheck[]): HostCheck[] => checks.filter((check) => check.state !== 'ok');

describe('checkHost', () => {
  it('finds nothing wrong with a good host', () => {
    const checks = checkHost(host());
    expect(bad(checks)).toEqual([]);
    expect(canCollect(checks)).toBe(true);
  });

  it.each([
    ['an old kernel', { '/proc/sys/kernel/osrelease': '4.19.0\n' }, {}, 'kernel', 'missing'],
    ['a kernel without task storage', { '/proc/sys/kernel/osrelease': '5.10.0\n' }, {}, 'kernel', 'degraded'],
    ['a kernel without drop reasons', { '/proc/sys/kernel/osrelease': '5.15.0\n' }, {}, 'drop reasons', 'degraded'],
    ['no BTF', { '/sys/kernel/btf/vmlinux': undefined }, {}, 'BTF', 'missing'],
    ['lockdown', { '/sys/kernel/security/lockdown': 'none integrity [confidentiality]\n' }, {}, 'lockdown', 'missing'],
    ['no rights', { '/proc/self/status': 'CapEff:\t0000000000000000\n' }, {}, 'capabilities', 'missing'],
    // CAP_BPF and CAP_PERFMON, without CAP_SYS_PTRACE.
    ['few rights', { '/proc/self/status': 'CapEff:\t000000c000000000\n' }, {}, 'capabilities', 'degraded'],
    ['no tracefs', { '/sys/kernel/tracing/events': undefined }, {}, 'tracefs', 'degraded'],
    ['no JIT', { '/proc/sys/net/core/bpf_jit_enable': '0\n' }, {}, 'BPF JIT', 'degraded'],
    ['no configuration', { '/boot/config-6.1.0-21-amd64': undefined }, {}, 'kernel configuration', 'degraded'],
    ['no cgroups', { '/sys/fs/cgroup/cgroup.controllers': undefined }, {}, 'cgroups', 'degraded'],
    ['no pressure', { '/proc/pressure/cpu': undefined }, {}, 'pressure stall information', 'degraded'],
    ['no conntrack', { '/proc/sys/net/netfilter/nf_conntrack_max': undefined }, {}, 'connection tracking', 'degraded'],
    ['another machine', {}, { arch: 's390x' }, 'architecture', 'missing'],
    [
      'no compiler',
      {},
      { loaderBuilt: false, missingTools: ['clang'], installCommands: ['Debian:  apt-get install clang'] },
      'toolchain',
      'missing',
    ],
  ] as const)('%s: says so, what it means and the mend', (_, files, more, name, state) => {
    const checks = checkHost(host(files, more));
    const found = bad(checks);
    expect(found.map((check) => check.name)).toContain(name);
    const check = found.find((each) => each.name === name);
    expect(check?.state).toBe(state);
    expect(check?.consequence).toBeTruthy();
    expect(check?.mend).toBeTruthy();
    expect(canCollect(checks)).toBe(state !== 'missing');
  });

  describe('whose rights', () => {
    const LOADING = 0xc000000000n; // CAP_BPF, CAP_PERFMON
    const READING = LOADING | 4n; // and CAP_DAC_READ_SEARCH
    const user = (more = '') => ({ '/proc/self/status': `CapEff:\t0000000000000000\n${more}` });
    const check = (name: string, files: Readonly<Record<string, string | undefined>>, loaderRights?: LoaderRights) => {
      const checks = checkHost(host(files, { loaderRights }));
      return { ...checks.find((each) => each.name === name), canCollect: canCollect(checks) };
    };

    it("are the loader's, not this process's", () => {
      const found = check('capabilities', user(), LOADING);
      expect(found).toMatchObject({ state: 'degraded', canCollect: true });
      expect(found.found).toContain('rootwalk itself is without CAP_SYS_PTRACE');
      expect(check('capabilities', {}, 0n)).toMatchObject({ state: 'missing', canCollect: false });
    });

    it('are what the loader itself says', () => {
      const dir = mkdtempSync(join(tmpdir(), 'doctor-'));
      const loader = (text: string): string => {
        const path = join(dir, `loader-${text.length}`);
        writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
        return path;
      };
      const known = askLoader(loader('[ "$1" = --capabilities ] && echo "CapEff:\t000000c000000000"'));
      const older = askLoader(loader('echo "unknown option" >&2; exit 2'));
      rmSync(dir, { recursive: true });
      expect([known, older, askLoader(join(dir, 'none'))]).toEqual([LOADING, undefined, undefined]);
    });

    it('that are asked for are those that loading needs on this kernel', () => {
      const mend = check('capabilities', user(), 0n).mend;
      expect(mend).toMatch(/setcap cap_bpf,cap_perfmon\+ep \S+rootwalk-loader$/);
      const old = { ...user(), '/proc/sys/kernel/osrelease': '5.10.0\n' };
      expect(check('capabilities', old, LOADING).mend).toMatch(/setcap cap_bpf,cap_perfmon,cap_sys_resource\+ep/);
    });

    it('that nothing here may have are not asked for from inside', () => {
      const bounded = user('CapBnd:\t00000000a80425fb\n');
      expect(check('capabilities', bounded, 0n).mend).toMatch(/^CAP_BPF, CAP_PERFMON: not in the bounding set/);
      expect(check('capabilities', bounded, 'refused').mend).toMatch(/^CAP_BPF, CAP_PERFMON: not in the bounding set/);
      expect(check('capabilities', user('CapBnd:\t000000c000000000\n'), 'refused')).toMatchObject({
        found: expect.stringContaining('does not start the loader'),
        mend: expect.stringContaining('setcap cap_bpf,cap_perfmon+ep'),
      });
      expect(check('capabilities', user('NoNewPrivs:\t1\n'), 0n).mend).toContain('no_new_privs');
    });

    it('decide whether a mounted tracefs can be read', () => {
      const unreadable = {
        ...user(),
        '/sys/kernel/tracing/events': undefined,
        '/proc/self/mounts': 'tracefs /sys/kernel/tracing tracefs rw,nosuid 0 0\n',
      };
      expect(check('tracefs', unreadable, LOADING)).toMatchObject({
        state: 'degraded',
        found: 'mounted at /sys/kernel/tracing, but not readable for this user',
        mend: expect.stringMatching(/setcap cap_bpf,cap_perfmon,cap_dac_read_search\+ep/),
      });
      expect(check('tracefs', unreadable, READING)).toMatchObject({ state: 'ok' });
      expect(check('tracefs', { '/sys/kernel/tracing/events': undefined }, READING).found).toBe('not mounted');
    });
  });

  it('takes kprobes as needed only where there are no drop reasons', () => {
    const without = { '/sys/bus/event_source/devices/kprobe': undefined };
    expect(bad(checkHost(host(without)))).toEqual([]);
    const old = checkHost(host({ ...without, '/proc/sys/kernel/osrelease': '5.15.0\n' }));
    expect(bad(old).map((check) => check.name)).toContain('kprobes');
  });

  it('takes cgroup version 1 as well', () => {
    const v1 = { '/sys/fs/cgroup/cgroup.controllers': undefined, '/sys/fs/cgroup/cpu': '' };
    expect(checkHost(host(v1)).find((check) => check.name === 'cgroups')).toMatchObject({
      state: 'ok',
      found: 'version 1',
    });
  });
});
