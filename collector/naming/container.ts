/**
 * What a container's process is called by those who deployed it: a Kubernetes workload and pod, a compose or swarm service, a
 * container's name. Files of the host alone are read, no API is asked: the kubelet's log directories, Docker's and podman's
 * own records. They are looked up as the collector sees them, then as the host's first process does: a collector in a
 * container finds them where it shares the host's processes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessInfo } from './process-info.ts';

export interface ContainerName {
  readonly service: string;
  readonly instance: string;
}

/** 64 hex digits in a cgroup path of docker, containerd, CRI-O or podman. */
const CONTAINER = /(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/;
/** `kubepods/burstable/pod<uid>`, or of systemd `kubepods-burstable-pod<uid with underscores>.slice`. */
const POD = /kubepods.*?[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})/;
/** Characters of the suffixes that Kubernetes makes (k8s.io/apimachinery/pkg/util/rand). */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';
const WORKLOADS = [
  // ReplicaSet of a Deployment; DaemonSet, Job, ReplicaSet; Job of a CronJob; StatefulSet.
  new RegExp(`^(.+)-${SAFE}{6,10}-${SAFE}{5}$`),
  new RegExp(`^(.+)-\\d{8,10}-${SAFE}{5}$`),
  new RegExp(`^(.+)-${SAFE}{5}$`),
  /^(.+)-\d{1,4}$/,
];
/** Proxies beside a pod's own container: services of their own, or each request would count twice. */
const SIDECARS = new Set([
  'istio-proxy',
  'linkerd-proxy',
  'envoy',
  'envoy-sidecar',
  'kuma-sidecar',
  'consul-dataplane',
]);

/** Container id (first 12 digits) in a cgroup path of docker, containerd, CRI-O or podman. */
export function containerId(cgroup: string): string | undefined {
  return CONTAINER.exec(cgroup)?.[1]?.slice(0, 12);
}

/** The name of a pod without what its controller added: `cart` of `cart-7d9f8b6c5-x2x4z` and of `cart-0`. */
export function workloadOf(pod: string): string {
  for (const shape of WORKLOADS) {
    const name = shape.exec(pod)?.[1];
    if (name !== undefined) return name;
  }
  return pod;
}

/**
 * @param machine  beside the name of a container, which is one host's alone
 * @returns undefined where nobody gave the process's container a name that can be read
 */
export function containerName(info: ProcessInfo, procRoot: string, machine: string): ContainerName | undefined {
  const first = join(procRoot, '1', 'root');
  const roots = procRoot === '/proc' ? ['/', first] : [first];
  const uid = POD.exec(info.cgroup)?.[1];
  const id = CONTAINER.exec(info.cgroup)?.[1];
  if (uid !== undefined) {
    const logged = firstOf(roots, (root) => loggedPod(root, dashed(uid), id));
    return podName(logged ?? { ...seenInside(info, procRoot), container: undefined });
  }
  if (id === undefined) return undefined;
  const found = firstOf(roots, (root) => dockerName(root, id) ?? podmanName(root, id));
  return found === undefined ? undefined : { ...found, instance: `${found.instance}@${machine}` };
}

function firstOf<T>(roots: readonly string[], find: (root: string) => T | undefined): T | undefined {
  for (const root of roots) {
    const found = find(root);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Pod {
  readonly namespace: string | undefined;
  readonly pod: string | undefined;
  readonly container: string | undefined;
}

function podName({ namespace, pod, container }: Pod): ContainerName | undefined {
  if (pod === undefined) return undefined;
  const sidecar = container !== undefined && SIDECARS.has(container) ? `/${container}` : '';
  const workload = workloadOf(pod);
  return {
    service: `${namespace === undefined ? workload : `${namespace}/${workload}`}${sidecar}`,
    instance: `${pod}${sidecar}`,
  };
}

/** The kubelet's directory `<namespace>_<pod>_<uid>`, and its link `<pod>_<namespace>_<container>-<id>.log`. */
function loggedPod(root: string, uid: string, id: string | undefined): Pod | undefined {
  const logs = names(join(root, 'var/log/pods')).find((name) => name.endsWith(`_${uid}`));
  if (logs === undefined) return undefined;
  const [namespace, pod] = logs.split('_');
  const [start, end] = [`${pod}_${namespace}_`, `-${id}.log`];
  const link = names(join(root, 'var/log/containers')).find((name) => name.startsWith(start) && name.endsWith(end));
  return { namespace, pod, container: link?.slice(start.length, -end.length) };
}

/** A pod's name is its host name, unless it uses the host's network; its namespace is beside its token. */
function seenInside(info: ProcessInfo, procRoot: string): Omit<Pod, 'container'> {
  const dir = join(procRoot, String(info.pid));
  const variables = text(join(dir, 'environ')).split('\0');
  const pod = variables.find((one) => one.startsWith('HOSTNAME='))?.slice('HOSTNAME='.length);
  const namespace = text(join(dir, 'root/var/run/secrets/kubernetes.io/serviceaccount/namespace')).trim();
  return { namespace: namespace === '' ? undefined : namespace, pod: pod === '' ? undefined : pod };
}

/** `project/service` of compose, the service of a swarm, else the container's name. */
function dockerName(host: string, id: string): ContainerName | undefined {
  const config = json(join(host, 'var/lib/docker/containers', id, 'config.v2.json'));
  const name = textOf(config?.['Name'])?.replace(/^\//, '');
  if (name === undefined) return undefined;
  return labelled(name, (config?.['Config'] as Json | undefined)?.['Labels'] as Json | undefined);
}

function podmanName(host: string, id: string): ContainerName | undefined {
  const listed = json(join(host, 'var/lib/containers/storage/overlay-containers/containers.json')) as unknown;
  const found = Array.isArray(listed) ? (listed as Json[]).find((one) => one['id'] === id) : undefined;
  const name = textOf((found?.['names'] as unknown[] | undefined)?.[0]);
  return name === undefined ? undefined : labelled(name, undefined);
}

function labelled(name: string, labels: Json | undefined): ContainerName {
  const project = textOf(labels?.['com.docker.compose.project']);
  const service = textOf(labels?.['com.docker.compose.service']);
  const swarm = textOf(labels?.['com.docker.swarm.service.name']);
  const composed = service === undefined ? undefined : project === undefined ? service : `${project}/${service}`;
  return { service: composed ?? swarm ?? name, instance: name };
}

type Json = Readonly<Record<string, unknown>>;

function dashed(uid: string): string {
  const digits = uid.replace(/[-_]/g, '');
  // Static pods have the hash of their file for an id, without dashes.
  if (!/[-_]/.test(uid)) return uid;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function json(path: string): Json | undefined {
  try {
    return JSON.parse(text(path)) as Json;
  } catch {
    return undefined;
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
