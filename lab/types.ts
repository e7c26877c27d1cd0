/** What a topology and a scenario say, once read. The JSON Schemas beside the data describe the same shapes. */
import type { Entity } from '../src/model/entity.ts';
import type { FaultClass } from '../src/model/verdict.ts';

export interface CallStep {
  /** Name of the called service. */
  readonly call: string;
  readonly method?: string;
  readonly path: string;
  /** A failed optional call is left out of the answer; any other makes the route fail. */
  readonly optional?: boolean;
}

export interface SqlStep {
  /** Name of the PostgreSQL store. */
  readonly sql: string;
  readonly text: string;
  readonly params?: readonly string[];
}

export interface RedisStep {
  /** Name of the Redis store. */
  readonly redis: string;
  readonly command: readonly string[];
  /** Done when the reply is nil: what a cache miss costs. */
  readonly orElse?: readonly Step[];
}

export type Step =
  | { readonly cpuMs: number }
  | { readonly waitMs: number }
  | { readonly parallel: readonly (readonly Step[])[] }
  | CallStep
  | SqlStep
  | RedisStep;

export interface Route {
  readonly method: string;
  /** `/products/:id`; `{id}` in steps is the piece of the path, `{random:500}` a number from 1 to 500. */
  readonly path: string;
  readonly status?: number;
  readonly responseBytes?: number;
  readonly do: readonly Step[];
}

export interface InstancePlacement {
  readonly name: string;
  readonly machine: string;
  /** CPUs of its quota; absent: none. */
  readonly cpus?: number;
}

export const RUNTIMES = ['node', 'python'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface ServiceSpec {
  readonly name: string;
  readonly runtime: Runtime;
  readonly port: number;
  readonly version?: string;
  /** Deadline of one call to another service. */
  readonly callTimeoutMs?: number;
  /** Deadline of one statement, enforced by the server. */
  readonly sqlTimeoutMs?: number;
  readonly instances: readonly InstancePlacement[];
  readonly routes: readonly Route[];
}

export interface GatewaySpec {
  readonly name: string;
  readonly machine: string;
  readonly port: number;
  readonly cpus?: number;
  readonly connectTimeoutMs?: number;
  readonly readTimeoutMs?: number;
  readonly routes: readonly { readonly prefix: string; readonly service: string }[];
}

export const STORE_KINDS = ['postgresql', 'redis'] as const;

export interface StoreSpec {
  readonly name: string;
  readonly kind: (typeof STORE_KINDS)[number];
  readonly machine: string;
  readonly port: number;
  readonly cpus?: number;
  /** PostgreSQL: statements run once after start. */
  readonly setup?: readonly string[];
}

export interface MixEntry {
  readonly weight: number;
  readonly method?: string;
  /** `{random:500}` is a number from 1 to 500. */
  readonly path: string;
}

export interface ClientSpec {
  readonly name: string;
  readonly machine: string;
  readonly timeoutMs?: number;
  readonly connections?: number;
  readonly mix: readonly MixEntry[];
}

export interface Topology {
  readonly version: 1;
  readonly name: string;
  readonly description: string;
  readonly machines: readonly string[];
  readonly client: ClientSpec;
  readonly gateway: GatewaySpec;
  readonly services: readonly ServiceSpec[];
  readonly stores: readonly StoreSpec[];
}

export const ARRIVALS = ['poisson', 'fixed'] as const;

export interface LoadSpec {
  readonly ratePerS: number;
  readonly arrivals?: (typeof ARRIVALS)[number];
  /** Factor on the rate over time: linear between points, constant after the last. Seconds from the end of warm-up. */
  readonly profile?: readonly { readonly atS: number; readonly factor: number }[];
}

export const FAULT_KINDS = [
  'packet-loss',
  'link-loss',
  'firewall-drop',
  'service-killed',
  'cpu-throttle',
  'db-lock',
  'slow-statement',
  'error-burst',
  'slow-code',
  'repeated-calls',
  'process-hang',
  'instance-killed',
  'connection-reset',
  'store-blocked',
  'path-delay',
  'link-rate',
  'traffic-surge',
  'memory-leak',
  'connection-limit',
  'bad-release',
  'bad-canary',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What a fault or event acts on; which keys a kind needs is in the fault's own table entry. */
export interface Target {
  readonly service?: string;
  readonly instance?: string;
  readonly machine?: string;
  readonly store?: string;
  readonly route?: string;
  readonly from?: string;
  readonly to?: string;
  /** A part of the system under test. */
  readonly part?: SystemPart;
}

export type Arguments = Readonly<Record<string, string | number | boolean>>;

export interface Truth {
  readonly entity: Entity;
  readonly faultClass: FaultClass;
  /** Other answers that are right too, each with its reason in the scenario's description. */
  readonly acceptEntities?: readonly Entity[];
  readonly acceptClasses?: readonly FaultClass[];
}

export interface FaultSpec {
  readonly kind: FaultKind;
  /** Seconds from the end of warm-up. */
  readonly startS: number;
  readonly lengthS: number;
  readonly target: Target;
  readonly args?: Arguments;
  readonly truth: Truth;
}

export const SYSTEM_PARTS = ['collector', 'engine'] as const;
export type SystemPart = (typeof SYSTEM_PARTS)[number];

export const EVENT_KINDS = ['rolling-restart', 'deploy', 'part-restart'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventSpec {
  readonly kind: EventKind;
  readonly atS: number;
  readonly target: Target;
  readonly args?: Arguments;
}

export interface Scenario {
  readonly version: 1;
  readonly name: string;
  readonly description: string;
  readonly topology: string;
  readonly seed?: number;
  readonly warmUpS: number;
  readonly lengthS: number;
  readonly coolDownS: number;
  readonly load: LoadSpec;
  /** After so long services give up calls to other services; missing: as the topology says. */
  readonly callTimeoutMs?: number;
  readonly faults: readonly FaultSpec[];
  readonly events: readonly EventSpec[];
}

/** A fault as it really happened. */
export interface InjectedFault {
  readonly kind: FaultKind;
  readonly target: Target;
  readonly args: Arguments;
  readonly truth: Truth;
  readonly fromMs: number;
  readonly toMs: number;
  /** Counters that show that the fault bit: dropped packets, throttled periods, waiting sessions … */
  readonly proof: Readonly<Record<string, number>>;
}
