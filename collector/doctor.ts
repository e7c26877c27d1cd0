/** What this host lets the collector see, and why not: checks as data. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { LOADER_PATH } from './build.ts';
import { LoaderProcess } from './frames/loader-process.ts';
import type { Capability, LoaderRights, Rights } from './rights.ts';
import { askLoader, has, names, neededToLoad, rightsOf, setcap } from './rights.ts';
import { installCommands, missingRequirements } from './toolchain.ts';

/** `missing`: the collector cannot run; `degraded`: it runs and sees less. */
export type CheckState = 'ok' | 'degraded' | 'missing';

export interface HostCheck {
  readonly name: string;
  readonly state: CheckState;
  /** What was found, for people. */
  readonly found: string;
  /** What it means when not ok. */
  readonly consequence?: string;
  readonly mend?: string;
}

/** Where the checks look; a test gives another. */
export interface HostView {
  readonly read: (path: string) => string | undefined;
  readonly exists: (path: string) => boolean;
  readonly arch: string;
  /** Names of what building the collector lacks, and the commands that bring it. */
  readonly missingTools: readonly string[];
  readonly installCommands: readonly string[];
  readonly loaderBuilt: boolean;
  readonly loaderRights: LoaderRights;
}

export function thisHost(): HostView {
  const missing = missingRequirements();
  const loaderBuilt = existsSync(LOADER_PATH);
  return {
    read: (path) => {
      try {
        return path.endsWith('.gz') ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, 'utf8');
      } catch {
        return undefined;
      }
    },
    exists: existsSync,
    arch: process.arch,
    missingTools: missing.map((each) => each.name),
    installCommands: installCommands(missing),
    loaderBuilt,
    loaderRights: loaderBuilt ? askLoader(LOADER_PATH) : undefined,
  };
}

/** All checks that need no privilege, in the order in which a person should mend them. Reads a few files. */
export function checkHost(host: HostView = thisHost()): readonly HostCheck[] {
  const release = host.read('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const version = versionOf(release);
  const rights = rightsOf(host.read('/proc/self/status') ?? '', host.loaderRights);
  const needed = neededToLoad(!atLeast(version, 5, 11));
  const config = host.read('/proc/config.gz') ?? host.read(`/boot/config-${release}`);
  return [
    kernelCheck(release, version),
    architectureCheck(host),
    btfCheck(host),
    lockdownCheck(host),
    capabilityCheck(rights, needed),
    toolchainCheck(host),
    dropReasonCheck(host, version),
    kprobeCheck(host, version),
    fentryCheck(config),
    tracefsCheck(host, rights, needed),
    jitCheck(host),
    clockCheck(config),
    cgroupCheck(host),
    pressureCheck(host),
    conntrackCheck(host),
  ];
}

/** True when nothing is missing: the collector can run here. */
export function canCollect(checks: readonly HostCheck[]): boolean {
  return checks.every((check) => check.state !== 'missing');
}

/**
 * The proof: loads and attaches every probe for a moment. One check per probe, or a single `missing` one with the
 * loader's own words. Needs the built loader and the rights.
 */
export async function checkProbes(loader: string = LOADER_PATH): Promise<readonly HostCheck[]> {
  const child = new LoaderProcess({ loader, restart: false, maxConns: 1024 }, () => undefined);
  try {
    await child.start();
  } catch (error) {
    return [
      {
        name: 'probes',
        state: 'missing',
        found: (error as Error).message,
        consequence: 'nothing is observed on this host',
        mend: 'mend the checks above and run "rootwalk doctor" again',
      },
    ];
  }
  await child.stop();
  return child.health().probes.map((probe) =>
    probe.state === 'attached'
      ? { name: `probe ${probe.name}`, state: 'ok', found: 'attached' }
      : {
          name: `probe ${probe.name}`,
          state: 'degraded',
          found: probe.reason ?? 'missing',
          consequence: 'what only this probe gives is absent (unknown) in the records',
        },
  );
}

/** 6.18.44-x → [6, 18]. */
function versionOf(release: string): readonly [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(release);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

function atLeast([major, minor]: readonly [number, number], wantMajor: number, wantMinor: number): boolean {
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}

function ok(name: string, found: string): HostCheck {
  return { name, state: 'ok', found };
}

function kernelCheck(release: string, version: readonly [number, number]): HostCheck {
  if (atLeast(version, 5, 11)) return ok('kernel', release);
  return {
    name: 'kernel',
    state: atLeast(version, 5, 8) ? 'degraded' : 'missing',
    found: release === '' ? 'not readable' : release,
    consequence: atLeast(version, 5, 8)
      ? 'no task storage before 5.11: no layer 7'
      : 'no BPF ring buffer before 5.8: nothing is observed',
    mend: 'Linux 5.11 or newer; 5.17 or newer for drop reasons',
  };
}

function architectureCheck(host: HostView): HostCheck {
  if (host.arch === 'x64' || host.arch === 'arm64') return ok('architecture', host.arch);
  return {
    name: 'architecture',
    state: 'missing',
    found: host.arch,
    consequence: 'the probes do not know the system call registers of this machine',
    mend: 'run the collector on x86-64 or arm64',
  };
}

function btfCheck(host: HostView): HostCheck {
  if (host.exists('/sys/kernel/btf/vmlinux')) return ok('BTF', '/sys/kernel/btf/vmlinux');
  return {
    name: 'BTF',
    state: 'missing',
    found: 'no /sys/kernel/btf/vmlinux',
    consequence: 'the probes cannot find the fields of kernel structures',
    mend: 'a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, Fedora 31, RHEL 8.2 or newer); in a container mount /sys/kernel',
  };
}

function lockdownCheck(host: HostView): HostCheck {
  const mode = /\[(\w+)\]/.exec(host.read('/sys/kernel/security/lockdown') ?? '')?.[1] ?? 'none';
  if (mode !== 'confidentiality') return ok('lockdown', mode);
  return {
    name: 'lockdown',
    state: 'missing',
    found: mode,
    consequence: 'BPF programs may not read kernel memory',
    mend: 'boot with lockdown=integrity or without lockdown',
  };
}

function capabilityCheck(rights: Rights, needed: readonly Capability[]): HostCheck {
  const { loader, own, bounding, noNewPrivileges } = rights;
  const outside = needed.filter((each) => !has(bounding, each));
  const missing = { name: 'capabilities', state: 'missing', consequence: 'probes cannot be loaded' } as const;
  if (loader === 'refused' && outside.length === 0) {
    return {
      ...missing,
      found: 'the kernel does not start the loader: its file has capabilities that nothing on this host may have',
      mend: setcap(LOADER_PATH, needed),
    };
  }
  const mask = typeof loader === 'bigint' ? loader : own;
  const admin = has(mask, 'sys_admin');
  const lacking = needed.filter((each) => !has(mask, each) && !(admin && each !== 'sys_resource'));
  if (lacking.length > 0 || loader === 'refused') {
    return {
      ...missing,
      found: `the loader is without ${names(lacking)}`,
      mend:
        outside.length > 0
          ? `${names(outside)}: not in the bounding set, so nothing inside can have it; give it from outside (docker run --cap-add, CapabilityBoundingSet= of systemd)`
          : noNewPrivileges
            ? 'run as root: with no_new_privs, as here, capabilities of files do not count'
            : `run as root, or: ${setcap(LOADER_PATH, needed)}`,
    };
  }
  if (has(own, 'sys_ptrace')) return ok('capabilities', `${names(needed)}, CAP_SYS_PTRACE`);
  return {
    name: 'capabilities',
    state: 'degraded',
    found: `the loader has ${names(needed)}; rootwalk itself is without CAP_SYS_PTRACE`,
    consequence: 'executables and namespaces of other users are not seen: services may have no name',
    mend: has(bounding, 'sys_ptrace')
      ? 'run as root, or start rootwalk with CAP_SYS_PTRACE (AmbientCapabilities= of systemd)'
      : 'CAP_SYS_PTRACE is not in the bounding set: give it from outside (docker run --cap-add SYS_PTRACE)',
  };
}

function toolchainCheck(host: HostView): HostCheck {
  if (host.loaderBuilt) return ok('loader', 'built');
  if (host.missingTools.length === 0) return ok('toolchain', 'clang, bpftool, libbpf: the loader can be built');
  return {
    name: 'toolchain',
    state: 'missing',
    found: `without ${host.missingTools.join(', ')}`,
    consequence: 'the loader cannot be built',
    mend: host.installCommands.join('; '),
  };
}

function dropReasonCheck(host: HostView, version: readonly [number, number]): HostCheck {
  if (atLeast(version, 5, 17)) return ok('drop reasons', 'skb:kfree_skb has them');
  return {
    name: 'drop reasons',
    state: 'degraded',
    found: host.exists('/sys/bus/event_source/devices/kprobe') ? 'tcp_drop by kprobe, without reason' : 'none',
    consequence: 'drops by a firewall, a full queue or a full buffer cannot be told apart',
    mend: 'Linux 5.17 or newer',
  };
}

function kprobeCheck(host: HostView, version: readonly [number, number]): HostCheck {
  if (host.exists('/sys/bus/event_source/devices/kprobe')) return ok('kprobes', 'available (fallbacks only)');
  // They are the fallback for tcp_drop alone: a kernel with drop reasons does not need them.
  if (atLeast(version, 5, 17)) return ok('kprobes', 'not there, and not needed on this kernel');
  return {
    name: 'kprobes',
    state: 'degraded',
    found: 'compiled out',
    consequence: 'tcp_drop cannot be observed',
    mend: 'a kernel with CONFIG_KPROBES=y, or Linux 5.17 or newer',
  };
}

function fentryCheck(config: string | undefined): HostCheck {
  const there = config === undefined ? 'not known' : /^CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y/m.test(config);
  return ok(
    'fentry',
    there === true ? 'configured; no probe needs it' : `${there === false ? 'not there' : there}; no probe needs it`,
  );
}

function tracefsCheck(host: HostView, rights: Rights, needed: readonly Capability[]): HostCheck {
  if (host.exists('/sys/kernel/tracing/events') || host.exists('/sys/kernel/debug/tracing/events')) {
    return ok('tracefs', 'mounted');
  }
  const mount = /^\S+ (\S+) tracefs /m.exec(host.read('/proc/self/mounts') ?? '')?.[1];
  const { loader, own, bounding } = rights;
  const mask = typeof loader === 'bigint' ? loader : own;
  if (mount !== undefined && (has(mask, 'dac_read_search') || has(mask, 'dac_override'))) {
    return ok('tracefs', `mounted at ${mount}; the loader can read it`);
  }
  const consequence = 'kills by the OOM killer are not seen as such (oom:mark_victim)';
  if (mount !== undefined) {
    const capable = has(bounding, 'dac_read_search')
      ? `, or: ${setcap(LOADER_PATH, [...needed, 'dac_read_search'])}`
      : '';
    return {
      name: 'tracefs',
      state: 'degraded',
      found: `mounted at ${mount}, but not readable for this user`,
      consequence,
      mend: `run as root${capable}`,
    };
  }
  return {
    name: 'tracefs',
    state: 'degraded',
    found: 'not mounted',
    consequence,
    mend: 'mount -t tracefs none /sys/kernel/tracing',
  };
}

function jitCheck(host: HostView): HostCheck {
  const value = host.read('/proc/sys/net/core/bpf_jit_enable')?.trim();
  if (value !== '0') return ok('BPF JIT', value === undefined ? 'not known' : 'on');
  return {
    name: 'BPF JIT',
    state: 'degraded',
    found: 'off',
    consequence: 'probes are interpreted and cost several times more',
    mend: 'sysctl -w net.core.bpf_jit_enable=1',
  };
}

function clockCheck(config: string | undefined): HostCheck {
  const hz = /^CONFIG_HZ=(\d+)/m.exec(config ?? '')?.[1];
  if (hz !== undefined) return ok('kernel configuration', `CONFIG_HZ=${hz}`);
  return {
    name: 'kernel configuration',
    state: 'degraded',
    found: 'not readable',
    consequence: "time stalled by the peer's receive window is unknown",
    mend: 'modprobe configs, or install /boot/config-$(uname -r)',
  };
}

function cgroupCheck(host: HostView): HostCheck {
  const v2 = (host.read('/sys/fs/cgroup/cgroup.controllers') ?? '').trim();
  if (v2 !== '') return ok('cgroups', `version 2 (${v2})`);
  const v1 = host.exists('/sys/fs/cgroup/cpu') || host.exists('/sys/fs/cgroup/memory');
  if (v1) return ok('cgroups', host.exists('/sys/fs/cgroup/unified') ? 'version 1, hybrid' : 'version 1');
  return {
    name: 'cgroups',
    state: 'degraded',
    found: 'no controllers',
    consequence: 'limits, throttling and memory of containers are unknown',
    mend: 'mount cgroup2 at /sys/fs/cgroup',
  };
}

function pressureCheck(host: HostView): HostCheck {
  if (host.exists('/proc/pressure/cpu')) return ok('pressure stall information', '/proc/pressure');
  return {
    name: 'pressure stall information',
    state: 'degraded',
    found: 'not there',
    consequence: 'waiting for CPU, memory and disk is judged from run queue, faults and disk time alone',
    mend: 'a kernel with CONFIG_PSI=y, booted with psi=1',
  };
}

function conntrackCheck(host: HostView): HostCheck {
  if (host.exists('/proc/sys/net/netfilter/nf_conntrack_max')) return ok('connection tracking', 'readable');
  return {
    name: 'connection tracking',
    state: 'degraded',
    found: 'not loaded',
    consequence: 'fullness of the conntrack table is unknown (of no matter when nothing uses it)',
    mend: 'modprobe nf_conntrack, if this host does NAT or stateful filtering',
  };
}
