/** Sums of one window: calls per edge, operation and outcome; TCP counters per edge. */
import type { Histogram } from '../../src/model/histogram.ts';
import { DEFAULT_HISTOGRAM_SCALE } from '../../src/model/histogram.ts';
import type { CallRecord, TcpRecord } from '../../src/model/records.ts';
import { ACTIVE } from '../../src/model/records.ts';
import { fnv1a } from '../../src/stats/fnv1a.ts';
import type { Edge } from '../naming/edges.ts';

/** 1 µs … 2^32 µs (71 minutes); the last bucket takes what is longer. */
const BUCKETS = 32 << DEFAULT_HISTOGRAM_SCALE;

/** Bucket index of a duration: (2^(i/8), 2^((i+1)/8)] µs; -1 for 1 µs and less. */
export function bucketOf(durationUs: number): number {
  if (!(durationUs > 1)) return -1;
  const index = Math.ceil(Math.log2(durationUs) * (1 << DEFAULT_HISTOGRAM_SCALE)) - 1;
  return index < BUCKETS ? index : BUCKETS - 1;
}

export class CallCell {
  readonly status: string;
  readonly errorType: string | undefined;
  count = 0;
  errors = 0;
  durationSumUs = 0;
  requestBytes = 0;
  responseBytes = 0;
  #zeros = 0;
  readonly #buckets = new Uint32Array(BUCKETS);

  constructor(status: string, errorType: string | undefined) {
    this.status = status;
    this.errorType = errorType;
  }

  add(durationUs: number, failed: boolean, requestBytes: number, responseBytes: number): void {
    this.count++;
    if (failed) this.errors++;
    this.durationSumUs += durationUs;
    this.requestBytes += requestBytes;
    // Without a response there are no bytes of it.
    if (responseBytes > 0) this.responseBytes += responseBytes;
    const bucket = bucketOf(durationUs);
    if (bucket < 0) this.#zeros++;
    else this.#buckets[bucket]!++;
  }

  /** Calls that have not ended: a duration without an end is in no bucket. */
  addActive(durationUs: number): void {
    this.count++;
    this.durationSumUs += durationUs;
  }

  histogram(): Histogram {
    let first = 0;
    let last = BUCKETS - 1;
    while (first < BUCKETS && this.#buckets[first] === 0) first++;
    while (last >= first && this.#buckets[last] === 0) last--;
    const counts = last < first ? [] : Array.from(this.#buckets.subarray(first, last + 1));
    return {
      scale: DEFAULT_HISTOGRAM_SCALE,
      offset: counts.length === 0 ? 0 : first,
      counts,
      ...(this.#zeros > 0 ? { zeroCount: this.#zeros } : {}),
    };
  }

  record(edge: Edge, protocol: string, operation: string): CallRecord {
    return {
      ...edgeFields(edge),
      protocol,
      operation,
      status: this.status,
      count: this.count,
      errors: this.errors,
      ...(this.errorType === undefined ? {} : { errorType: this.errorType }),
      durationSumUs: Math.round(this.durationSumUs),
      ...(this.status === ACTIVE
        ? {}
        : { durationHistogram: this.histogram(), requestBytes: this.requestBytes, responseBytes: this.responseBytes }),
    };
  }
}

/** Counters that add up over the window; all of them are observed together, so absent ones are 0. */
export class TcpCell {
  bytesOut = 0;
  bytesIn = 0;
  segmentsOut = 0;
  segmentsIn = 0;
  retransmits = 0;
  resetsSent = 0;
  resetsReceived = 0;
  connects = 0;
  connectTimeSumUs = 0;
  zeroWindows = 0;
  rttSumUs = 0;
  rttCount = 0;
  rttMinUs = Infinity;
  activeConnections = 0;
  acceptQueueOverflows = 0;
  readonly clientEndpoints = new EndpointSample();
  readonly drops = new Map<string, number>();
  readonly connectFailures = new Map<string, number>();

  /** @param knowsOverflows  whether listeners are watched: without that, none counted is not none */
  record(edge: Edge, knowsOverflows: boolean): TcpRecord {
    const endpoints = this.clientEndpoints.texts;
    return {
      ...edgeFields(edge),
      calleePort: edge.calleePort,
      segmentsOut: this.segmentsOut,
      segmentsIn: this.segmentsIn,
      bytesOut: this.bytesOut,
      bytesIn: this.bytesIn,
      retransmits: this.retransmits,
      ...(this.drops.size === 0 ? {} : { drops: sorted(this.drops) }),
      ...(this.rttCount === 0 ? {} : { rttSumUs: this.rttSumUs, rttCount: this.rttCount }),
      ...(this.rttMinUs === Infinity ? {} : { rttMinUs: this.rttMinUs }),
      connects: this.connects,
      ...(this.connectFailures.size === 0 ? {} : { connectFailures: sorted(this.connectFailures) }),
      ...(edge.side === 'client' ? { connectTimeSumUs: Math.round(this.connectTimeSumUs) } : {}),
      resetsSent: this.resetsSent,
      resetsReceived: this.resetsReceived,
      zeroWindows: this.zeroWindows,
      ...(edge.side === 'server' && (knowsOverflows || this.acceptQueueOverflows > 0)
        ? { acceptQueueOverflows: this.acceptQueueOverflows }
        : {}),
      activeConnections: this.activeConnections,
      ...(endpoints.length === 0 ? {} : { clientEndpoints: endpoints }),
    };
  }
}

/** Of an edge's connections whose other end is not known, this many are told. */
const MAX_ENDPOINTS = 6;

/**
 * Those with the smallest hashes: the other end's collector, asked for a few of the same connections, picks the same.
 * Cost: O(1).
 */
export class EndpointSample {
  readonly #kept: { readonly hash: number; readonly text: string }[] = [];

  add(text: string): void {
    const hash = fnv1a(text);
    const kept = this.#kept;
    const last = kept[kept.length - 1];
    if (kept.length === MAX_ENDPOINTS && last !== undefined && hash > last.hash) return;
    if (kept.some((one) => one.text === text)) return;
    kept.push({ hash, text });
    kept.sort((a, b) => a.hash - b.hash || (a.text < b.text ? -1 : 1));
    if (kept.length > MAX_ENDPOINTS) kept.pop();
  }

  get texts(): string[] {
    return this.#kept.map(({ text }) => text);
  }
}

export function increase(map: Map<string, number>, name: string, by: number): void {
  map.set(name, (map.get(name) ?? 0) + by);
}

function sorted(map: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

type EdgeFields = Pick<
  CallRecord,
  'caller' | 'callee' | 'callerInstance' | 'calleeInstance' | 'callerMachine' | 'calleeMachine' | 'side'
>;

export function edgeFields(edge: Edge): EdgeFields {
  return {
    caller: edge.caller,
    callee: edge.callee,
    ...(edge.callerInstance === undefined ? {} : { callerInstance: edge.callerInstance }),
    ...(edge.calleeInstance === undefined ? {} : { calleeInstance: edge.calleeInstance }),
    ...(edge.callerMachine === undefined ? {} : { callerMachine: edge.callerMachine }),
    ...(edge.calleeMachine === undefined ? {} : { calleeMachine: edge.calleeMachine }),
    side: edge.side,
  };
}
