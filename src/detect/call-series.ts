/** Rate, errors, duration of services, edges and instances. */
import type { ClosedWindow } from '../model/window.ts';
import { denseQuantile, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import { bucketCv2, CallSums } from './call-sums.ts';
import type { DetectConfig } from './config.ts';
import type { Entities } from './entities.ts';
import type { Family, FamilyState, Moment } from './family.ts';
import { DurationFamily } from './judge-duration.ts';
import { GaugeFamily } from './judge-gauge.ts';
import { RateFamily } from './judge-rate.ts';
import { RatioFamily } from './judge-ratio.ts';
import { Presence } from './presence.ts';

/** Spread of request durations where no sketch says it: twice the mean, typical of web services. */
const DEFAULT_CV2 = 4;
/** Requests a 99th percentile needs: two above it. */
const P99_VOLUME = 200;
const P99_MIN_RATIO = 2;
const P99_MIN_US = 10_000;
const P99_SPREAD_FLOOR = 0.2;
/**
 * Tails answer load harder than means: an M/M/1 server's 99th percentile grows by (1 - u) / (1 - r u), which r^3 covers
 * up to twice the traffic of a server 47 % busy. What overload does beyond that shows in the mean.
 */
const P99_LOAD_EXPONENT = 3;
/** Network time of an edge: smallest spread, and smallest rise, in µs and relative. */
const GAP_FLOOR_US = 500;
const GAP_FLOOR_RATIO = 0.25;
const GAP_MIN_RATIO = 0.5;

interface View {
  readonly rate: RateFamily;
  readonly errors: RatioFamily;
  readonly duration: DurationFamily;
  readonly presence: Presence;
  /** Side the entity is seen from, by number: 1 server, 0 client, 2 not seen yet. */
  side: Uint8Array;
}

export interface CallSeriesState {
  readonly families: readonly FamilyState[];
  readonly sides: readonly (readonly number[])[];
  readonly reporters: readonly (readonly (readonly string[])[])[];
}

export class CallSeries {
  readonly #entities: Entities;
  readonly #config: DetectConfig;
  readonly #sums: CallSums;
  readonly #views: Readonly<Record<'service' | 'edge' | 'instance', View>>;
  readonly #p99: DurationFamily;
  readonly #gap: GaugeFamily;

  constructor(entities: Entities, config: DetectConfig, lastSeen: Map<string, number>) {
    this.#entities = entities;
    this.#config = config;
    this.#sums = new CallSums(entities);
    const view = (entity: 'service' | 'edge' | 'instance', preferred: 'client' | 'server'): View => {
      const side = { entity, side: preferred } as const;
      const opens = entity !== 'instance';
      return {
        rate: new RateFamily(
          {
            ...side,
            metric: 'request_rate_per_s',
            symptoms: ['traffic_rise', 'traffic_drop'],
            ...(entity === 'service' ? { opens: [1] } : {}),
          },
          config,
        ),
        errors: new RatioFamily(
          { ...side, metric: 'error_ratio', symptoms: ['error_rise'], ...(opens ? { opens: [0] } : {}) },
          config,
          {
            floor: 0.001,
            minRise: config.minErrorRatio,
            minNumerator: config.minErrors,
            minFactor: 2,
            minVolume: config.minVolume,
          },
        ),
        duration: new DurationFamily(
          { ...side, metric: 'duration_mean_us', symptoms: ['latency_rise'], ...(opens ? { opens: [0] } : {}) },
          config,
        ),
        presence: new Presence(lastSeen),
        side: new Uint8Array(64).fill(2),
      };
    };
    this.#views = {
      service: view('service', 'server'),
      edge: view('edge', 'client'),
      instance: view('instance', 'server'),
    };
    this.#p99 = new DurationFamily(
      { entity: 'service', side: 'server', metric: 'duration_p99_us', symptoms: ['latency_rise'], opens: [0] },
      config,
      {
        minRatio: P99_MIN_RATIO,
        minUs: P99_MIN_US,
        minVolume: P99_VOLUME,
        spreadFloor: P99_SPREAD_FLOOR,
        loadExponent: P99_LOAD_EXPONENT,
      },
      // A quantile of few requests wobbles: one window more than the mean, which tells a real shift first.
      { open: config.openWindows + 1, of: config.openOfWindows + 1 },
    );
    this.#gap = new GaugeFamily(
      { entity: 'edge', side: 'client', metric: 'network_time_us', symptoms: ['latency_rise'] },
      config,
      {
        floor: GAP_FLOOR_US,
        floorRatio: GAP_FLOOR_RATIO,
        minRise: config.minLatencyUs,
        minRiseRatio: GAP_MIN_RATIO,
        minValue: -Infinity,
      },
    );
  }

  get families(): readonly Family[] {
    const views = Object.values(this.#views).flatMap((view) => [view.rate, view.errors, view.duration]);
    return [...views, this.#p99, this.#gap];
  }

  /** The side an entity's numbers were seen from. */
  sideOf(family: Family, i: number): 'client' | 'server' | undefined {
    if (family === this.#gap) return 'client';
    const view = this.#views[family.spec.entity as 'service' | 'edge' | 'instance'];
    return view.side[i] === 0 ? 'client' : view.side[i] === 1 ? 'server' : undefined;
  }

  /**
   * @param missing collectors whose silence makes counts unknown
   * @param muted   instances (by name) and services that just started
   */
  step(window: ClosedWindow, moment: Moment, missing: ReadonlySet<string>, muted: ReadonlySet<string>): void {
    this.#sums.take(window, (kind, entity, side, collector) => {
      const view = this.#views[kind];
      const preferred = kind === 'edge' ? 0 : 1;
      this.#see(view, entity, side, preferred);
      if (view.side[entity] === side) view.presence.add(entity, collector);
    });
    const { services, edges, instances } = this.#entities;
    for (const [kind, size] of [
      ['service', services.size],
      ['edge', edges.size],
      ['instance', instances.size],
    ] as const) {
      const view = this.#views[kind];
      for (const family of [view.rate, view.errors, view.duration]) family.ensure(size);
      for (const entity of view.presence.forget(moment.turn)) view.rate.relearn(entity);
    }
    this.#p99.ensure(services.size);
    this.#gap.ensure(edges.size);
    for (let i = 0; i < services.size; i++) this.#service(i, moment, missing, muted);
    for (let i = 0; i < edges.size; i++) this.#edge(i, moment, missing);
    for (let i = 0; i < instances.size; i++) this.#instance(i, moment, missing, muted);
  }

  /** The preferred side wins for good as soon as it is seen; the baselines of the other do not compare. */
  #see(view: View, entity: number, side: number, preferred: number): void {
    if (entity >= view.side.length) {
      const next = new Uint8Array(Math.max(entity + 1, view.side.length * 2)).fill(2);
      next.set(view.side);
      view.side = next;
    }
    const known = view.side[entity]!;
    if (known === side || known === preferred) return;
    view.side[entity] = side;
    view.presence.clear(entity);
    if (known === 2) return;
    view.rate.ensure(entity + 1);
    view.rate.relearn(entity);
  }

  #service(i: number, moment: Moment, missing: ReadonlySet<string>, muted: ReadonlySet<string>): void {
    const view = this.#views.service;
    const side = view.side[i]!;
    if (side === 2) return;
    const sums = this.#sums.services[side as 0 | 1];
    const load = view.rate.load(i, sums.count[i]!);
    this.#golden(view, i, side as 0 | 1, sums, moment, missing, () => {
      const buckets = this.#sums.buckets[side as 0 | 1];
      const from = i * HISTOGRAM_BUCKETS;
      const cv2 = bucketCv2(buckets, from, from + HISTOGRAM_BUCKETS, 0);
      const mute = muted.size > 0 && muted.has(`service:${this.#entities.services.names[i]}`);
      const n = sums.timed[i]!;
      if (!(n >= P99_VOLUME) || Number.isNaN(cv2)) this.#p99.unknown(i);
      else {
        const p99 = denseQuantile(buckets, from, from + HISTOGRAM_BUCKETS, 0, 0.99);
        this.#p99.step(i, moment, p99, n, 0, load, mute);
      }
      view.duration.step(i, moment, sums.duration[i]! / n, n, Number.isNaN(cv2) ? DEFAULT_CV2 : cv2, load, mute);
    });
  }

  #edge(i: number, moment: Moment, missing: ReadonlySet<string>): void {
    const view = this.#views.edge;
    const side = view.side[i]!;
    if (side === 2) return;
    const [client, server] = this.#sums.edges;
    const sums = side === 0 ? client : server;
    const load = view.rate.load(i, sums.count[i]!);
    this.#golden(view, i, side as 0 | 1, sums, moment, missing, () => {
      view.duration.step(i, moment, sums.duration[i]! / sums.timed[i]!, sums.timed[i]!, DEFAULT_CV2, load, false);
    });
    const enough = client.timed[i]! >= this.#config.minVolume && server.timed[i]! >= this.#config.minVolume;
    this.#gap.step(
      i,
      moment,
      enough ? client.duration[i]! / client.timed[i]! - server.duration[i]! / server.timed[i]! : Number.NaN,
    );
  }

  #instance(i: number, moment: Moment, missing: ReadonlySet<string>, muted: ReadonlySet<string>): void {
    const view = this.#views.instance;
    const side = view.side[i]!;
    if (side === 2) return;
    const sums = this.#sums.instances[side as 0 | 1];
    const load = view.rate.load(i, sums.count[i]!);
    const mute = muted.size > 0 && muted.has(`instance:${this.#entities.instances.names[i]}`);
    this.#golden(view, i, side as 0 | 1, sums, moment, missing, () => {
      view.duration.step(i, moment, sums.duration[i]! / sums.timed[i]!, sums.timed[i]!, DEFAULT_CV2, load, mute);
    });
  }

  #golden(
    view: View,
    i: number,
    _side: 0 | 1,
    sums: CallSums['services'][0],
    moment: Moment,
    missing: ReadonlySet<string>,
    durations: () => void,
  ): void {
    const count = sums.count[i]!;
    if (view.presence.isComplete(i, missing)) view.rate.step(i, moment, count);
    else view.rate.unknown(i);
    if (count > 0) view.errors.step(i, moment, sums.errors[i]!, count);
    else view.errors.unknown(i);
    durations();
  }

  save(): CallSeriesState {
    const views = Object.values(this.#views);
    return {
      families: this.families.map((family) => family.save()),
      sides: views.map((view) => [...view.side]),
      reporters: views.map((view) => view.presence.save()),
    };
  }

  restore(state: CallSeriesState): void {
    this.families.forEach((family, k) => {
      family.restore(state.families[k]!);
    });
    Object.values(this.#views).forEach((view, k) => {
      view.side = Uint8Array.from(state.sides[k]!);
      view.presence.load(state.reporters[k]!);
    });
  }
}
