/**
 * One configuration for every command: defaults, then `rootwalk.json`, then ROOTWALK_* variables, then flags.
 * Validated once, frozen, and its hash goes into every report.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { ErrorObject } from 'ajv/dist/2020.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import schema from '../schemas/config.schema.json' with { type: 'json' };
import { RcaError } from './model/errors.ts';
import { nearestName } from './model/nearest.ts';

export interface BusConfig {
  readonly kind: 'embedded' | 'kafka';
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  readonly group: string;
  readonly dir: string | null;
  readonly tls: boolean;
  readonly caFile: string | null;
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  } | null;
}

export interface CollectorConfig {
  readonly name: string | null;
  readonly namingFile: string | null;
  readonly netns: readonly number[];
  readonly captureBytes: number;
  readonly cpuLimitRatio: number;
  readonly memoryLimitBytes: number;
  readonly encoding: 'protobuf' | 'json';
}

export interface EngineConfig {
  readonly latenessMs: number;
  readonly output: string;
  readonly database: string;
  readonly rules: string | null;
  readonly warmupWindows: number;
  readonly keepDays: number;
}

export interface WebhookConfig {
  readonly name: string;
  readonly url: string;
  readonly secrets?: readonly string[];
  readonly body?: 'native' | 'alertmanager' | 'cloudevents';
  readonly events?: readonly ('incident.opened' | 'incident.updated' | 'incident.resolved')[];
  readonly environments?: readonly string[];
  readonly classes?: readonly string[];
  readonly minConfidence?: number;
  readonly allowPrivateAddresses?: boolean;
}

export interface Config {
  readonly environment: string;
  readonly bus: BusConfig;
  readonly collector: CollectorConfig;
  readonly engine: EngineConfig;
  readonly webhooks: readonly WebhookConfig[];
}

type DeepPartial<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T;
export type ConfigInput = DeepPartial<Config>;

export const DEFAULT_CONFIG: Config = {
  environment: 'default',
  bus: {
    kind: 'embedded',
    brokers: ['localhost:9092'],
    topicPrefix: 'rootwalk',
    group: 'rootwalk-engine',
    dir: null,
    tls: false,
    caFile: null,
    sasl: null,
  },
  collector: {
    name: null,
    namingFile: null,
    netns: [],
    captureBytes: 512,
    cpuLimitRatio: 0.5,
    memoryLimitBytes: 512 * 1024 * 1024,
    encoding: 'protobuf',
  },
  engine: {
    latenessMs: 5_000,
    output: 'incidents',
    database: 'rootwalk.db',
    rules: null,
    warmupWindows: 12,
    keepDays: 90,
  },
  webhooks: [],
};

/** Environment variable -> path in the configuration. */
export const ENVIRONMENT_VARIABLES: Readonly<Record<string, string>> = {
  ROOTWALK_ENVIRONMENT: 'environment',
  ROOTWALK_BUS: 'bus.kind',
  ROOTWALK_BROKERS: 'bus.brokers',
  ROOTWALK_TOPIC_PREFIX: 'bus.topicPrefix',
  ROOTWALK_GROUP: 'bus.group',
  ROOTWALK_BUS_DIR: 'bus.dir',
  ROOTWALK_NAMING_FILE: 'collector.namingFile',
  ROOTWALK_LATENESS_MS: 'engine.latenessMs',
  ROOTWALK_OUTPUT: 'engine.output',
  ROOTWALK_DATABASE: 'engine.database',
  ROOTWALK_RULES: 'engine.rules',
};

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
ajvFormats.default(ajv);
const validate = ajv.compile(schema);

/**
 * @param file   path of rootwalk.json; undefined takes ./rootwalk.json when it is there
 * @param env    process.env or a stand-in
 * @param flags  values from the command line, highest precedence
 * @throws {RcaError} RCA_BAD_CONFIG naming every wrong key at once, with the nearest known name
 */
export function resolveConfig(file: string | undefined, env: NodeJS.ProcessEnv, flags: ConfigInput = {}): Config {
  const path = file ?? (existsSync('rootwalk.json') ? 'rootwalk.json' : undefined);
  const layers: { source: string; value: unknown }[] = [];
  if (path !== undefined) layers.push({ source: path, value: readJson(path) });
  layers.push({ source: 'environment', value: fromEnvironment(env) });
  layers.push({ source: 'command line', value: flags });

  const problems: string[] = [];
  let merged: unknown = DEFAULT_CONFIG;
  for (const { source, value } of layers) {
    if (!validate(value)) problems.push(...(validate.errors ?? []).map((error) => `${source}: ${describe(error)}`));
    merged = merge(merged, value);
  }
  if (problems.length > 0) {
    throw new RcaError('RCA_BAD_CONFIG', `configuration is not valid:\n  ${problems.join('\n  ')}`, { problems });
  }
  return deepFreeze(merged as Config);
}

/** First 12 hex digits of the SHA-256 of what decides a verdict: engine settings, not addresses or secrets. */
export function configHash(config: Config): string {
  const { latenessMs, warmupWindows } = config.engine;
  return createHash('sha256').update(JSON.stringify({ latenessMs, warmupWindows })).digest('hex').slice(0, 12);
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `cannot read the configuration file ${path}: ${(cause as Error).message}`,
      {},
      cause,
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RcaError('RCA_BAD_CONFIG', `${path} is not JSON: ${(cause as Error).message}`, {}, cause);
  }
}

function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('ROOTWALK_') || raw === undefined) continue;
    const path = ENVIRONMENT_VARIABLES[name];
    if (path === undefined) {
      const near = nearestName(name, Object.keys(ENVIRONMENT_VARIABLES));
      throw new RcaError(
        'RCA_BAD_CONFIG',
        `unknown environment variable ${name}${near ? `; did you mean ${near}?` : ''}`,
      );
    }
    const [section, key] = path.split('.') as [string, string | undefined];
    const value = path === 'bus.brokers' ? raw.split(',') : path.endsWith('Ms') ? Number(raw) : raw;
    if (key === undefined) out[section] = value;
    else out[section] = { ...(out[section] as object | undefined), [key]: value };
  }
  return out;
}

function describe(error: ErrorObject): string {
  const where = error.instancePath === '' ? 'top level' : error.instancePath.slice(1).replaceAll('/', '.');
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty);
    const near = nearestName(key, knownKeys(error.instancePath));
    return `${where}: unknown key "${key}"${near ? `; did you mean "${near}"?` : ''}`;
  }
  if (error.keyword === 'enum') return `${where}: expected one of ${JSON.stringify(error.params.allowedValues)}`;
  return `${where}: ${error.message ?? 'is not valid'}`;
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

function knownKeys(instancePath: string): string[] {
  let node: SchemaNode | undefined = schema as unknown as SchemaNode;
  for (const step of instancePath.split('/').slice(1)) {
    node = /^\d+$/.test(step) ? node?.items : node?.properties?.[step];
  }
  return Object.keys(node?.properties ?? {});
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isObject(base) || !isObject(over)) return over;
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) if (key !== '$schema') out[key] = merge(base[key], value);
  return out;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
