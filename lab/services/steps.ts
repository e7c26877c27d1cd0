/** Does what a route says: burns CPU, waits, calls services, asks PostgreSQL and Redis. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { CallStep, RedisStep, SqlStep, Step } from '../types.ts';
import { RedisClient } from './redis-client.ts';
import type { Peers, ServiceConfig, Work } from './service-config.ts';
import type { WatchedJson } from './watched-json.ts';

/** A step that failed, with the status its route answers. */
export class StepError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const POOL_SIZE = 8;
const REDIS_TIMEOUT_MS = 1_000;

export class StepRunner {
  readonly #config: ServiceConfig;
  readonly #peers: WatchedJson<Peers>;
  readonly #random: () => number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #turns = new Map<string, number>();
  readonly #pools = new Map<string, pg.Pool>();
  readonly #caches = new Map<string, RedisClient>();

  constructor(config: ServiceConfig, peers: WatchedJson<Peers>, random: () => number) {
    this.#config = config;
    this.#peers = peers;
    this.#random = random;
  }

  /**
   * @param work  what is done beyond the steps
   * @throws {StepError} for the first step that fails
   */
  async run(steps: readonly Step[], values: Readonly<Record<string, string>>, work?: Work): Promise<void> {
    if (work !== undefined && work.cpuMs > 0) this.#burn(work.cpuMs);
    for (const step of steps) {
      if ('cpuMs' in step) this.#burn(step.cpuMs);
      else if ('waitMs' in step) await sleep(step.waitMs);
      else if ('parallel' in step) await Promise.all(step.parallel.map((branch) => this.run(branch, values)));
      else for (let k = 0; k < (work?.times ?? 1); k++) await this.#ask(step, values);
    }
  }

  async #ask(step: CallStep | SqlStep | RedisStep, values: Readonly<Record<string, string>>): Promise<void> {
    if ('call' in step) await this.#call(step, values);
    else if ('sql' in step) await this.#sql(step, values);
    else await this.#redis(step, values);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    for (const cache of this.#caches.values()) cache.close();
    await Promise.all([...this.#pools.values()].map((pool) => pool.end()));
  }

  #fill(text: string, values: Readonly<Record<string, string>>): string {
    return text.replace(/\{([^}]+)\}/g, (_, name: string) => {
      if (!name.startsWith('random:')) return values[name] ?? '';
      return String(1 + Math.floor(this.#random() * Number(name.slice('random:'.length))));
    });
  }

  /** CPU time of this thread, not of the clock: a throttled or crowded CPU makes it last longer. 0.5 to 1.5 times `ms`. */
  #burn(ms: number): void {
    const until = cpuUs() + ms * (0.5 + this.#random()) * 1_000;
    let digest = 'rootwalk';
    while (cpuUs() < until) {
      for (let i = 0; i < 8; i++) digest = createHash('sha1').update(digest).digest('hex');
    }
  }

  #peer(service: string): { readonly address: string; readonly port: number } {
    const peers = this.#peers.value.services[service] ?? [];
    const turn = this.#turns.get(service) ?? 0;
    this.#turns.set(service, turn + 1);
    const peer = peers[turn % Math.max(peers.length, 1)];
    if (peer === undefined) throw new StepError(503, `no instance of ${service}`);
    return peer;
  }

  async #call(step: CallStep, values: Readonly<Record<string, string>>): Promise<void> {
    try {
      const { address, port } = this.#peer(step.call);
      const status = await this.#http(step.method ?? 'GET', address, port, this.#fill(step.path, values));
      if (status >= 500) throw new StepError(502, `${step.call} answered ${status}`);
    } catch (error) {
      if (step.optional !== true) throw error;
    }
  }

  #http(method: string, host: string, port: number, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = method === 'GET' ? {} : { 'content-length': '0' };
      const call = request({ method, host, port, path, headers, agent: this.#agent }, (response) => {
        response.resume();
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          resolve(response.statusCode ?? 0);
        });
      });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(error instanceof StepError ? error : new StepError(502, `${host}:${port}: ${error.message}`));
      };
      const timer = setTimeout(
        () => call.destroy(new StepError(504, `${host}:${port}: no answer in ${this.#config.callTimeoutMs} ms`)),
        this.#config.callTimeoutMs,
      );
      call.on('error', fail);
      call.end();
    });
  }

  async #sql(step: SqlStep, values: Readonly<Record<string, string>>): Promise<void> {
    let pool = this.#pools.get(step.sql);
    if (pool === undefined) {
      const store = this.#peers.value.stores[step.sql];
      if (store === undefined) throw new StepError(503, `no store ${step.sql}`);
      pool = new pg.Pool({
        ...{ host: store.address, port: store.port, user: 'shop', database: 'shop', max: POOL_SIZE },
        ...{ idleTimeoutMillis: 0, connectionTimeoutMillis: 2_000, statement_timeout: this.#config.sqlTimeoutMs },
        application_name: this.#config.instance,
      });
      pool.on('error', () => undefined);
      this.#pools.set(step.sql, pool);
    }
    try {
      await pool.query(
        step.text,
        (step.params ?? []).map((text) => this.#fill(text, values)),
      );
    } catch (error) {
      throw new StepError(500, `${step.sql}: ${(error as Error).message}`);
    }
  }

  async #redis(step: RedisStep, values: Readonly<Record<string, string>>): Promise<void> {
    let cache = this.#caches.get(step.redis);
    if (cache === undefined) {
      const store = this.#peers.value.stores[step.redis];
      if (store === undefined) throw new StepError(503, `no store ${step.redis}`);
      cache = new RedisClient(store.address, store.port, REDIS_TIMEOUT_MS);
      this.#caches.set(step.redis, cache);
    }
    let reply: Awaited<ReturnType<RedisClient['command']>>;
    try {
      reply = await cache.command(step.command.map((word) => this.#fill(word, values)));
    } catch (error) {
      throw new StepError(500, `${step.redis}: ${(error as Error).message}`);
    }
    if (reply === null && step.orElse !== undefined) await this.run(step.orElse, values);
  }
}

function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
