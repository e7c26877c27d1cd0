/** The judges of calls: rate, errors and durations of services, edges and instances, and what each of them opens. */
import type { DetectConfig } from './config.ts';
import { DurationDrift, ErrorDrift, RateDrift } from './judge-drift.ts';
import { DurationFamily } from './judge-duration.ts';
import { GaugeFamily } from './judge-gauge.ts';
import { OperationFamily } from './judge-operation.ts';
import { RateFamily } from './judge-rate.ts';
import { RatioFamily } from './judge-ratio.ts';
import type { OperationMix } from './operation-mix.ts';
import { Presence } from './presence.ts';

/** Requests a 99th percentile needs: two above it. */
export const P99_VOLUME = 200;
const P99_MIN_RATIO = 2;
const P99_MIN_US = 10_000;
/** Of a minute's quantiles the spread is a guess. */
const P99_WARMUP = 36;
const P99_SPREAD_FLOOR = 0.2;
/**
 * Tails answer load harder than means: an M/M/1 server's 99th percentile grows by (1 - u) / (1 - r u), which r^3 covers
 * up to twice the traffic of a server 47 % busy. What overload does beyond that shows in the mean.
 */
const P99_LOAD_EXPONENT = 3;
/** Requests in a block of windows of few: 2 % failed are 6 then, and 5 matter. */
const BLOCK_REQUESTS = 300;
/** Network time of an edge: smallest spread, and smallest rise, in µs and relative. */
const GAP_FLOOR_US = 500;
const GAP_FLOOR_RATIO = 0.25;
const GAP_MIN_RATIO = 0.5;

/** An instance that has lost its traffic, or got more, for two minutes is one of another number of siblings now. */
const BALANCED_WINDOWS = 24;

/** Errors are nobody's new normal for twelve times as long as another level: six hours. */
const ERRORS_RELEASE = 12;

export type Kind = 'service' | 'edge' | 'instance';

export interface View {
  readonly rate: RateFamily;
  readonly errors: RatioFamily;
  readonly duration: DurationFamily;
  readonly presence: Presence;
  /** Side the entity is seen from, by number: 1 server, 0 client, 2 not seen yet. */
  side: Uint8Array;
}

export interface CallFamilies {
  readonly views: Readonly<Record<Kind, View>>;
  readonly p99: DurationFamily;
  /** Services with so few requests that only blocks of windows tell: their rates, errors and mean durations. */
  readonly sparse: { readonly rate: RateFamily; readonly errors: RatioFamily; readonly duration: DurationFamily };
  /** Services that change too slowly for either. */
  readonly drift: { readonly rate: RateDrift; readonly errors: ErrorDrift; readonly duration: DurationDrift };
  /** One operation among several of a service, by number of the operation. */
  readonly operation: OperationFamily;
  /** Network time of edges. */
  readonly gap: GaugeFamily;
}

export function callFamilies(config: DetectConfig, mix: OperationMix): CallFamilies {
  const errorLimits = {
    floor: 0.001,
    minRise: config.minErrorRatio,
    minNumerator: config.minErrors,
    minFactor: 2,
    minVolume: config.minVolume,
  };
  const view = (entity: Kind, preferred: 'client' | 'server'): View => {
    const side = { entity, side: preferred } as const;
    const opens = entity !== 'instance';
    return {
      rate: new RateFamily(
        {
          ...side,
          metric: 'request_rate_per_s',
          symptoms: ['traffic_rise', 'traffic_drop'],
          ...(entity === 'service' ? { opens: [1] } : {}),
          ...(entity === 'instance' ? { releaseWindows: BALANCED_WINDOWS } : {}),
        },
        config,
      ),
      errors: new RatioFamily(
        {
          ...side,
          metric: 'error_ratio',
          symptoms: ['error_rise'],
          ...(opens ? { opens: [0] } : {}),
          releaseWindows: ERRORS_RELEASE * config.releaseWindows,
        },
        config,
        errorLimits,
      ),
      duration: new DurationFamily(
        { ...side, metric: 'duration_mean_us', symptoms: ['latency_rise'], ...(opens ? { opens: [0] } : {}) },
        config,
      ),
      presence: new Presence(),
      side: new Uint8Array(64).fill(2),
    };
  };
  const views = {
    service: view('service', 'server'),
    edge: view('edge', 'client'),
    instance: view('instance', 'server'),
  };
  const p99 = new DurationFamily(
    {
      entity: 'service',
      side: 'server',
      metric: 'duration_p99_us',
      symptoms: ['latency_rise'],
      opens: [0],
      warmupWindows: Math.max(config.warmupWindows, P99_WARMUP),
    },
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
  const { rate, errors, duration } = views.service;
  const sparse = {
    rate: new RateFamily(rate.spec, config, rate),
    errors: new RatioFamily(errors.spec, config, { ...errorLimits, blockVolume: BLOCK_REQUESTS }, {}, errors),
    duration: new DurationFamily(duration.spec, config, {}, {}, duration),
  };
  const drift = {
    rate: new RateDrift(rate.spec, config, [rate, sparse.rate]),
    errors: new ErrorDrift(errors.spec, config, [errors, sparse.errors]),
    duration: new DurationDrift(duration.spec, config, [duration, sparse.duration]),
  };
  const gap = new GaugeFamily(
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
  const operation = new OperationFamily(config, mix, duration);
  return { views, p99, sparse, drift, operation, gap };
}

/** Room for so many entities. */
export function cover(view: View, size: number): void {
  if (size <= view.side.length) return;
  const next = new Uint8Array(Math.max(size, view.side.length * 2)).fill(2);
  next.set(view.side);
  view.side = next;
}
