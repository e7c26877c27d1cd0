/** Rate, errors, duration of services, edges and instances. */
import type { ClosedWindow } from '../model/window.ts';
import type { CallFamilies, Kind, View } from './call-families.ts';
import { callFamilies, cover, P99_VOLUME } from './call-families.ts';
import { CallSums } from './call-sums.ts';
import type { DetectConfig } from './config.ts';
import type { Entities } from './entities.ts';
import type { Family, FamilyState, Moment } from './family.ts';
import type { MixState } from './operation-mix.ts';
import { OperationMix } from './operation-mix.ts';
import type { PresenceState } from './presence.ts';
import type { Restarts } from './restarts.ts';
import type { RhythmRows } from './rhythm.ts';

/** A mix of operations that explains so much of a mean, against that of two hours, explains any rise of a tail. */
const P99_MOST_MIX = 1.25;
/** Spread of request durations where no sketch says it: twice the mean, typical of web services. */
const DEFAULT_CV2 = 4;
/** Instances that were stopped on purpose. */
type Stops = Pick<Restarts, 'stopped' | 'answered'>;

export interface CallSeriesState {
  readonly mix: MixState;
  readonly families: readonly FamilyState[];
  readonly sides: readonly (readonly number[])[];
  readonly reporters: readonly PresenceState[];
  /** Services whose blocks wait for them, with the side. */
  readonly waiting: Readonly<Record<string, number>>;
  /** Length of the windows these are of, and of those that were seen; null: of none. */
  readonly pastWindowMs: number | null;
  readonly windowMs: number | null;
}

/** By metric and name of service: what is remembered for longer than the log that is read again. */
export interface Past {
  readonly rhythms: Readonly<Record<string, RhythmRows>>;
  readonly drifts: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What the blocks of `drifts` were made of: windows of this length, seen from this side of each service. */
  readonly windowMs: number;
  readonly sides: Readonly<Record<string, number>>;
}

export class CallSeries {
  readonly #entities: Entities;
  readonly #config: DetectConfig;
  readonly #sums: CallSums;
  readonly #mix = new OperationMix();
  readonly #views: CallFamilies['views'];
  readonly #p99: CallFamilies['p99'];
  readonly #sparse: CallFamilies['sparse'];
  readonly #drift: CallFamilies['drift'];
  readonly #operation: CallFamilies['operation'];
  readonly #gap: CallFamilies['gap'];
  /** Services that were offered what a restart brought along of their rhythms. */
  #adopted = 0;
  /** Services whose blocks a restart brought along, with the side they were seen from; they wait until it is seen. */
  #waiting = new Map<string, number>();
  #pastWindowMs = Number.NaN;
  #windowMs = Number.NaN;
  /** Traffic of this window as a multiple of its baseline, by entity. */
  readonly #load: Record<Kind, Float64Array> = {
    service: new Float64Array(64),
    edge: new Float64Array(64),
    instance: new Float64Array(64),
  };

  constructor(entities: Entities, config: DetectConfig) {
    this.#entities = entities;
    this.#config = config;
    this.#sums = new CallSums(entities, this.#mix);
    const families = callFamilies(config, this.#mix);
    this.#views = families.views;
    this.#p99 = families.p99;
    this.#sparse = families.sparse;
    this.#drift = families.drift;
    this.#operation = families.operation;
    this.#gap = families.gap;
  }

  get families(): readonly Family[] {
    const views = Object.values(this.#views).flatMap((view) => [view.rate, view.errors, view.duration]);
    return [
      ...views,
      this.#p99,
      this.#gap,
      ...Object.values(this.#sparse),
      ...Object.values(this.#drift),
      this.#operation,
    ];
  }

  /** The side an entity's numbers were seen from. */
  sideOf(family: Family, i: number): 'client' | 'server' | undefined {
    if (family === this.#gap) return 'client';
    const view = this.#views[family.spec.entity as Kind];
    return view.side[i] === 0 ? 'client' : view.side[i] === 1 ? 'server' : undefined;
  }

  /** Do we see the requests a service serves? Then what its callees do to it shows in its own numbers. */
  isServed(service: string): boolean {
    const i = this.#entities.services.find(service);
    return i !== undefined && this.#views.service.side[i] === 1;
  }

  /**
   * @param missing collectors whose silence makes counts unknown; gone those that are no longer waited for
   * @param muted instances and services (`kind:name`) that just started
   */
  step(
    window: ClosedWindow,
    moment: Moment,
    { missing, gone }: { readonly missing: ReadonlySet<string>; readonly gone: ReadonlySet<string> },
    muted: ReadonlySet<string>,
    stops: Stops,
  ): void {
    this.#sums.take(window, (kind, entity, side, collector) => {
      const view = this.#views[kind];
      const preferred = kind === 'edge' ? 0 : 1;
      this.#see(view, entity, side, preferred);
      if (collector !== '' && view.side[entity] === side && view.presence.add(entity, collector))
        this.#relearn(kind, entity);
    });
    this.#sums.forget(gone, window);
    const { services, edges, instances } = this.#entities;
    for (const [kind, size] of [
      ['service', services.size],
      ['edge', edges.size],
      ['instance', instances.size],
    ] as const) {
      const view = this.#views[kind];
      cover(view, size);
      for (const family of [view.rate, view.errors, view.duration]) family.ensure(size);
      for (const entity of view.presence.forget(gone)) this.#relearn(kind, entity);
    }
    for (const family of [this.#p99, ...Object.values(this.#sparse), ...Object.values(this.#drift)])
      family.ensure(services.size);
    this.#gap.ensure(edges.size);
    for (; this.#adopted < services.size; this.#adopted++)
      for (const { rhythm } of this.#daily()) rhythm?.adopt(this.#adopted, services.names[this.#adopted]!);
    this.#adoptBlocks(moment.windowMs);
    // Family by family, not entity by entity: a family's columns stay in the cache.
    for (const kind of ['service', 'edge', 'instance'] as const) this.#golden(kind, moment, missing, muted, stops);
    this.#tails(moment, muted);
    this.#operations(moment, muted);
    const { tracks } = this.#views.service.duration;
    this.#mix.end((service) => !tracks.isSuspect(service));
    this.#gaps(moment);
  }

  /** Who counts an entity's requests changed: what was learned of them no longer compares. */
  #relearn(kind: Kind, entity: number): void {
    const slow = kind === 'service' ? [this.#sparse.rate, this.#drift.rate] : [];
    for (const family of [this.#views[kind].rate, ...slow]) family.relearn(entity);
  }

  /** Blocks go to who is seen from the side they were made of: in the first window after a restart it may be the other. */
  #adoptBlocks(windowMs: number): void {
    this.#windowMs = windowMs;
    if (this.#waiting.size === 0) return;
    const drifts = Object.values(this.#drift);
    if (windowMs !== this.#pastWindowMs) {
      for (const drift of drifts) drift.forsake();
      this.#waiting.clear();
    }
    for (const [name, side] of this.#waiting) {
      const i = this.#entities.services.find(name);
      if (i === undefined || this.#views.service.side[i] !== side) continue;
      for (const drift of drifts) drift.adopt(i, name);
      this.#waiting.delete(name);
    }
  }

  /** The preferred side wins for good as soon as it is seen; the baselines of the other do not compare. */
  #see(view: View, entity: number, side: number, preferred: number): void {
    cover(view, entity + 1);
    const known = view.side[entity]!;
    if (known === side || known === preferred) return;
    view.side[entity] = side;
    view.presence.clear(entity);
    if (known === 2) return;
    const others = view === this.#views.service ? [this.#sparse.rate, ...Object.values(this.#drift)] : [];
    for (const family of [view.rate, ...others]) {
      family.ensure(entity + 1);
      family.relearn(entity);
    }
  }

  /** Rate, errors and mean duration of every entity of a kind, from its side. */
  #golden(kind: Kind, moment: Moment, missing: ReadonlySet<string>, muted: ReadonlySet<string>, stops: Stops): void {
    const { rate, errors, duration, presence, side } = this.#views[kind];
    const sums = kind === 'service' ? this.#sums.services : kind === 'edge' ? this.#sums.edges : this.#sums.instances;
    const { size } = kind === 'edge' ? this.#entities.edges : this.#entities.table(kind);
    const names = kind === 'edge' ? [] : this.#entities.table(kind).names;
    if (this.#load[kind].length < size) this.#load[kind] = new Float64Array(size * 2);
    const load = this.#load[kind];
    for (let i = 0; i < size; i++) {
      if (side[i] === 2) continue;
      const count = sums[side[i] as 0 | 1].count[i]!;
      // Before the rate learns this window.
      load[i] = rate.load(i, count);
      const complete = presence.isComplete(i, missing);
      const isStopped = kind === 'instance' && stops.stopped.size > 0 && stops.stopped.has(names[i]!);
      if (isStopped && count > 0 && side[i] === 1) stops.answered(names[i]!, moment.turn);
      if (isStopped && count === 0) rate.relearn(i);
      else if (complete) rate.step(i, moment, count);
      else rate.unknown(i);
      if (kind !== 'service') continue;
      if (complete && rate.isSparse(i)) this.#sparse.rate.add(i, moment, count);
      else this.#sparse.rate.unknown(i);
      this.#drift.rate.step(i, moment, count, complete ? 1 : Number.NaN);
    }
    for (let i = 0; i < size; i++) {
      if (side[i] === 2) continue;
      const { count, errors: failed } = sums[side[i] as 0 | 1];
      if (count[i]! > 0) errors.step(i, moment, failed[i]!, count[i]!);
      else errors.unknown(i);
      if (kind !== 'service') continue;
      this.#sparse.errors.step(i, moment, failed[i]!, count[i]!);
      this.#drift.errors.step(i, moment, failed[i]!, count[i]!);
    }
    for (let i = 0; i < size; i++) {
      if (side[i] === 2) continue;
      const from = side[i] as 0 | 1;
      const { duration: sum, timed, expected } = sums[from];
      const mute = muted.size > 0 && muted.has(`${kind}:${names[i]}`);
      const cv2 = kind === 'service' ? this.#spread(i, from) : DEFAULT_CV2;
      const mean = sum[i]! / timed[i]!;
      const mix = this.#mix.factor(kind, i, expected[i]!, timed[i]!);
      const failing = errors.tracks.isSuspect(i);
      duration.step(i, moment, mean, timed[i]!, cv2, load[i]!, mute, mix, failing);
      if (!failing && !duration.tracks.isSuspect(i)) this.#mix.learn(kind, i, expected[i]!, timed[i]!);
      if (kind !== 'service') continue;
      this.#sparse.duration.step(i, moment, mean, timed[i]!, cv2, load[i]!, mute, mix, failing);
      this.#drift.duration.step(i, moment, sum[i]! / mix, mute || failing ? Number.NaN : timed[i]!);
    }
  }

  /** Squared coefficient of variation of a service's durations, from its sketch where there is one. */
  #spread(i: number, side: 0 | 1): number {
    const cv2 = this.#sums.buckets[side].cv2(i);
    return Number.isNaN(cv2) ? DEFAULT_CV2 : cv2;
  }

  /** 99th percentiles of services that have sketches. */
  #tails(moment: Moment, muted: ReadonlySet<string>): void {
    const { names, size } = this.#entities.services;
    const { side, errors } = this.#views.service;
    for (let i = 0; i < size; i++) {
      if (side[i] === 2) continue;
      const from = side[i] as 0 | 1;
      const { timed, expected } = this.#sums.services[from];
      const n = timed[i]!;
      const p99 = n >= P99_VOLUME ? this.#sums.buckets[from].quantile(i, 0.99) : Number.NaN;
      if (Number.isNaN(p99)) {
        this.#p99.unknown(i);
        continue;
      }
      const failing = errors.tracks.isSuspect(i);
      const mix = this.#mix.factor('service', i, expected[i]!, n, 'slow');
      const isUsualMix = mix < P99_MOST_MIX && mix > 1 / P99_MOST_MIX;
      const mute = muted.size > 0 && muted.has(`service:${names[i]}`);
      // One that is there may end in windows that have less of what takes long: else it would only see those that have more.
      const mayEnd = mix < 1 && this.#p99.tracks.isActive(i);
      if (isUsualMix || mayEnd) this.#p99.step(i, moment, p99, n, 0, this.#load.service[i]!, mute, 1, failing);
      // Of another mix of operations the tail is another one, until it is the usual one.
      else this.#p99.learn(i, moment, p99, mute || failing);
    }
  }

  /** Each operation of services that have several. */
  #operations(moment: Moment, muted: ReadonlySet<string>): void {
    const { names } = this.#entities.services;
    const { side } = this.#views.service;
    this.#operation.ensure(this.#mix.size);
    for (let i = 0; i < this.#mix.size; i++) {
      const service = this.#mix.serviceOf(i);
      if (!this.#mix.isOneOfSeveral(i, side[service]!)) {
        // Its service is seen from the other side now.
        this.#operation.unknown(i);
        continue;
      }
      const mute = muted.size > 0 && muted.has(`service:${names[service]}`);
      this.#operation.step(i, moment, this.#load.service[service]!, mute);
    }
  }

  /** Network time of edges: the client's mean minus the server's. */
  #gaps(moment: Moment): void {
    const { side } = this.#views.edge;
    const [client, server] = this.#sums.edges;
    const { minVolume } = this.#config;
    for (let i = 0; i < this.#entities.edges.size; i++) {
      if (side[i] === 2) continue;
      const enough = client.timed[i]! >= minVolume && server.timed[i]! >= minVolume;
      this.#gap.step(
        i,
        moment,
        enough ? client.duration[i]! / client.timed[i]! - server.duration[i]! / server.timed[i]! : Number.NaN,
      );
    }
  }

  /** Services' families that know what recurs daily. */
  #daily(): readonly Family[] {
    return [this.#views.service.rate, this.#views.service.duration, this.#p99];
  }

  /** Instance i is gone for good; of machines there are no calls. */
  vacate(kind: 'instance' | 'machine', i: number): void {
    if (kind === 'machine') return;
    const { rate, errors, duration, presence, side } = this.#views.instance;
    for (const family of [rate, errors, duration]) family.vacate(i);
    presence.clear(i);
    this.#mix.vacate(kind, i);
    if (i < side.length) side[i] = 2;
  }

  sweep(window: ClosedWindow): void {
    for (const i of this.#sums.forgetOperations(window)) this.#operation.vacate(i);
  }

  exportPast(): Past {
    const { names } = this.#entities.services;
    return {
      rhythms: Object.fromEntries(
        this.#daily().flatMap(({ spec, rhythm }) =>
          rhythm === undefined ? [] : [[spec.metric, rhythm.export(names)]],
        ),
      ),
      drifts: Object.fromEntries(
        Object.values(this.#drift).map((drift) => [drift.spec.metric, drift.exportBlocks(names)]),
      ),
      windowMs: Number.isNaN(this.#windowMs) ? this.#pastWindowMs : this.#windowMs,
      sides: {
        ...Object.fromEntries(this.#waiting),
        ...Object.fromEntries(names.map((name, i) => [name, this.#views.service.side[i] ?? 2])),
      },
    };
  }

  /** Before the first window. */
  importPast({ rhythms, drifts, windowMs, sides }: Past): void {
    this.#pastWindowMs = windowMs;
    this.#waiting = new Map(Object.entries(sides));
    for (const { spec, rhythm } of this.#daily()) {
      const own = rhythms[spec.metric];
      if (own !== undefined) rhythm?.import(own);
    }
    for (const drift of Object.values(this.#drift)) drift.importBlocks(drifts[drift.spec.metric] ?? {});
  }

  save(): CallSeriesState {
    const views = Object.values(this.#views);
    return {
      mix: this.#mix.save(),
      families: this.families.map((family) => family.save()),
      sides: views.map((view) => [...view.side]),
      reporters: views.map((view) => view.presence.save()),
      waiting: Object.fromEntries(this.#waiting),
      pastWindowMs: orNull(this.#pastWindowMs),
      windowMs: orNull(this.#windowMs),
    };
  }

  restore(state: CallSeriesState): void {
    this.#mix.restore(state.mix);
    this.#waiting = new Map(Object.entries(state.waiting));
    this.#pastWindowMs = state.pastWindowMs ?? Number.NaN;
    this.#windowMs = state.windowMs ?? Number.NaN;
    this.families.forEach((family, k) => {
      family.restore(state.families[k]!);
    });
    Object.values(this.#views).forEach((view, k) => {
      view.side = Uint8Array.from(state.sides[k]!);
      view.presence.load(state.reporters[k]!);
    });
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
