/** Resources of instances and machines: gauges derived from the record's fields, rare events, the user's own gauges. */
import { compareNames } from '../model/entity.ts';
import type { Symptom } from '../model/incident.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { ColumnsState } from './columns.ts';
import { Columns } from './columns.ts';
import type { DetectConfig } from './config.ts';
import type { Entities } from './entities.ts';
import type { Family, FamilyState, Moment } from './family.ts';
import type { DriftFamily } from './judge-drift.ts';
import type { GaugeLimits } from './judge-gauge.ts';
import { GaugeFamily } from './judge-gauge.ts';
import { GaugeDrift } from './judge-gauge-drift.ts';
import { LimitDrift } from './judge-limit.ts';
import { CountFamily } from './judge-ratio.ts';

type Kind = 'instance' | 'machine';
type Fields = Readonly<Record<string, number>>;

interface GaugeSpec {
  readonly metric: string;
  readonly symptom: Symptom;
  readonly limits: Partial<GaugeLimits>;
  readonly kinds?: readonly Kind[];
  /** What is taken stays taken until it is given back: it may run full little by little. */
  readonly fills?: boolean;
  /** It goes with traffic: more of it by and by, every morning, is no trouble. */
  readonly isLoad?: boolean;
  /** NaN: unknown. */
  readonly value: (f: Fields, windowUs: number) => number;
}

const known = (value: number | undefined): number => value ?? Number.NaN;
const share = (name: string) => (f: Fields, windowUs: number) => known(f[name]) / windowUs;
/** A tenth of the window's time lost to waiting, or a tenth of the periods throttled, is felt. */
const pressure: Partial<GaugeLimits> = { floor: 0.02, minRise: 0.1 };

function gauges(config: DetectConfig): readonly GaugeSpec[] {
  const nearLimit: Partial<GaugeLimits> = { floor: 0.03, minRise: 0.15, minValue: config.saturationRatio };
  return [
    {
      metric: 'cpu_throttled_ratio',
      symptom: 'throttling',
      limits: { floor: 0.02, minRise: config.minThrottledRatio },
      value: (f, windowUs) =>
        known(f.cpuPeriods) > 0
          ? known(f.cpuThrottledPeriods) / known(f.cpuPeriods)
          : known(f.cpuThrottledUs) / windowUs,
    },
    {
      metric: 'cpu_limit_ratio',
      symptom: 'saturation',
      limits: nearLimit,
      value: (f) => known(f.cpuUsedUs) / known(f.cpuLimitUs),
    },
    {
      metric: 'cpu_used_ratio',
      symptom: 'saturation',
      kinds: ['machine'],
      limits: nearLimit,
      value: (f, windowUs) => known(f.cpuUsedUs) / (known(f.cpuCount) * windowUs),
    },
    {
      metric: 'cpu_used_cores',
      symptom: 'resource_rise',
      limits: { floor: 0.02, floorRatio: 0.15, minRise: 0.1, minRiseRatio: 1 },
      isLoad: true,
      value: share('cpuUsedUs'),
    },
    { metric: 'run_queue_delay_ratio', symptom: 'resource_rise', limits: pressure, value: share('runQueueDelayUs') },
    { metric: 'psi_cpu_some_ratio', symptom: 'resource_rise', limits: pressure, value: share('psiCpuSomeUs') },
    { metric: 'psi_memory_some_ratio', symptom: 'memory_pressure', limits: pressure, value: share('psiMemorySomeUs') },
    { metric: 'psi_io_some_ratio', symptom: 'resource_rise', limits: pressure, value: share('psiIoSomeUs') },
    {
      metric: 'memory_limit_ratio',
      symptom: 'memory_pressure',
      limits: { floor: 0.01, minRise: 0.05, minValue: config.saturationRatio },
      fills: true,
      value: (f) => known(f.memoryUsedBytes) / known(f.memoryLimitBytes),
    },
    {
      metric: 'disk_busy_ratio',
      symptom: 'resource_rise',
      limits: { floor: 0.05, minRise: 0.3 },
      value: share('diskIoTimeUs'),
    },
    {
      metric: 'fd_limit_ratio',
      symptom: 'saturation',
      limits: nearLimit,
      fills: true,
      value: (f) => known(f.fdUsed) / known(f.fdLimit),
    },
    {
      metric: 'conntrack_ratio',
      symptom: 'saturation',
      limits: nearLimit,
      fills: true,
      value: (f) => known(f.conntrackCount) / known(f.conntrackMax),
    },
    { metric: 'steal_ratio', symptom: 'resource_rise', limits: pressure, value: share('stealTimeUs') },
    { metric: 'softirq_ratio', symptom: 'resource_rise', limits: pressure, value: share('softirqTimeUs') },
  ];
}

/** Rare events: one OOM kill is enough; overflows and disk errors must come more than once. */
const COUNTS = [
  { field: 'oomKills', metric: 'oom_kills', symptom: 'oom_kill', floor: 1e-4, minNumerator: 1, open: 1, of: 1 },
  {
    field: 'listenOverflows',
    metric: 'listen_overflows',
    symptom: 'saturation',
    floor: 0.1,
    minNumerator: 3,
    open: 2,
    of: 3,
  },
  {
    field: 'diskErrors',
    metric: 'disk_errors',
    symptom: 'resource_rise',
    floor: 0.01,
    minNumerator: 1,
    open: 1,
    of: 1,
  },
  {
    field: 'majorFaults',
    metric: 'major_faults',
    symptom: 'memory_pressure',
    floor: 5,
    minNumerator: 100,
    open: 2,
    of: 3,
  },
] as const;

/** Gauges we know nothing about: a third of their own level, five spreads of at least 5 %. */
const EXTRA_LIMITS: GaugeLimits = {
  floor: 1e-9,
  floorRatio: 0.05,
  minRise: 0,
  minRiseRatio: 0.33,
  minValue: -Infinity,
  maybeCounts: true,
};
/** Of instances, and of machines: those that were there first, and of one window's by name. */
const MAX_EXTRA = 64;
const EXTRA_PREFIX = 'extra.';

const NO_LIMITS: GaugeLimits = { floor: 0, floorRatio: 0, minRise: 0, minRiseRatio: 0, minValue: -Infinity };

interface KindFamilies {
  readonly gauges: readonly {
    readonly spec: GaugeSpec;
    readonly family: GaugeFamily;
    readonly slow?: DriftFamily;
  }[];
  readonly counts: readonly { readonly field: string; readonly family: CountFamily }[];
  readonly extra: Map<string, GaugeFamily>;
}

export interface ResourceState {
  readonly kinds: readonly {
    readonly families: readonly FamilyState[];
    readonly extra: readonly (readonly [string, FamilyState])[];
    readonly last: ColumnsState;
  }[];
}

export class ResourceSeries {
  readonly #entities: Entities;
  readonly #config: DetectConfig;
  readonly #kinds: Readonly<Record<Kind, KindFamilies>>;
  /** Window in which an entity last had a record. */
  readonly #last = {
    instance: new Columns({ turn: { type: Uint32Array } }),
    machine: new Columns({ turn: { type: Uint32Array } }),
  };

  constructor(entities: Entities, config: DetectConfig) {
    this.#entities = entities;
    this.#config = config;
    const make = (entity: Kind): KindFamilies => ({
      gauges: gauges(config)
        .filter((spec) => spec.kinds === undefined || spec.kinds.includes(entity))
        .map((spec) => {
          const about = { entity, metric: spec.metric, symptoms: [spec.symptom] } as const;
          const limits = { ...NO_LIMITS, ...spec.limits };
          const family = new GaugeFamily(about, config, limits);
          if (spec.fills) return { spec, family, slow: new LimitDrift(about, config, family) };
          // Machines are few.
          return {
            spec,
            family,
            ...(entity === 'machine' && !spec.isLoad ? { slow: new GaugeDrift(about, config, limits, family) } : {}),
          };
        }),
      counts: COUNTS.map(({ field, metric, symptom, floor, minNumerator, open, of }) => ({
        field,
        family: new CountFamily(
          { entity, metric, symptoms: [symptom] },
          config,
          { floor, minNumerator, minFactor: 3 },
          { open, of },
        ),
      })),
      extra: new Map(),
    });
    this.#kinds = { instance: make('instance'), machine: make('machine') };
  }

  get families(): readonly Family[] {
    return Object.values(this.#kinds).flatMap(allOf);
  }

  step(window: ClosedWindow, moment: Moment, muted: ReadonlySet<string>): void {
    const fields = this.#gather(window);
    const windowUs = window.windowMs * 1000;
    for (const kind of ['instance', 'machine'] as const) {
      const { gauges: specs, counts, extra } = this.#kinds[kind];
      const table = this.#entities.table(kind);
      this.#meet(kind, fields[kind].values());
      for (const family of allOf(this.#kinds[kind])) {
        family.ensure(table.size);
        for (const i of [...family.tracks.live]) if (!fields[kind].has(i)) family.unknown(i);
      }
      for (const [name, family] of extra)
        for (const i of [...family.tracks.live])
          if (fields[kind].has(i) && fields[kind].get(i)![name] === undefined) family.unknown(i);
      this.#last[kind].ensure(table.size);
      for (const [i, values] of fields[kind]) {
        this.#last[kind].array.turn[i] = moment.turn;
        const mute = muted.size > 0 && muted.has(`${kind}:${table.names[i]}`);
        for (const { spec, family, slow } of specs) {
          const value = mute ? Number.NaN : spec.value(values, windowUs);
          family.step(i, moment, value);
          slow?.step(i, moment, value, Number.isFinite(value) ? 1 : Number.NaN);
        }
        for (const { field, family } of counts) family.step(i, moment, known(values[field]));
        for (const name of Object.keys(values)) {
          if (name.startsWith(EXTRA_PREFIX)) extra.get(name)?.step(i, moment, values[name]!);
        }
      }
    }
  }

  /** The user's gauges that are new: those there is room for, by name, as rows come in any order. */
  #meet(kind: Kind, rows: Iterable<Fields>): void {
    const { extra } = this.#kinds[kind];
    if (extra.size >= MAX_EXTRA) return;
    const found = new Set<string>();
    for (const values of rows)
      for (const name of Object.keys(values)) if (name.startsWith(EXTRA_PREFIX) && !extra.has(name)) found.add(name);
    for (const name of [...found].sort(compareNames).slice(0, MAX_EXTRA - extra.size)) this.#extra(kind, name);
  }

  #extra(kind: Kind, name: string): GaugeFamily {
    const family = new GaugeFamily(
      { entity: kind, metric: name.slice(EXTRA_PREFIX.length), symptoms: ['resource_rise', 'resource_drop'] },
      this.#config,
      EXTRA_LIMITS,
    );
    this.#kinds[kind].extra.set(name, family);
    return family;
  }

  #gather({ resources, names }: ClosedWindow): Record<Kind, Map<number, Record<string, number>>> {
    const out = { instance: new Map<number, Record<string, number>>(), machine: new Map() };
    let values: Record<string, number> = {};
    this.#entities.beginPlaces();
    for (let r = 0; r < resources.rows; r++) {
      // Rows of one entity follow one another: it is looked up once.
      if (r === 0 || resources.entity[r] !== resources.entity[r - 1]) {
        const identity = resources.entities[resources.entity[r]!]!;
        const kind = identity.entityKind;
        const i = this.#entities.table(kind).id(identity.entity);
        const known = out[kind].get(i) as Record<string, number> | undefined;
        values = known ?? {};
        if (known === undefined) {
          out[kind].set(i, values);
          if (kind === 'instance') this.#entities.place(identity.entity, identity.service, identity.machine);
        }
      }
      values[names.name(resources.metric[r]!)] = resources.value[r]!;
    }
    return out;
  }

  isSeenSince(kind: Kind, i: number, turn: number): boolean {
    const { size, array } = this.#last[kind];
    return i < size && array.turn[i]! > turn && array.turn[i]! > 0;
  }

  /** Instance or machine i is gone for good. */
  vacate(kind: Kind, i: number): void {
    for (const family of allOf(this.#kinds[kind])) family.vacate(i);
    this.#last[kind].clear(i);
  }

  save(): ResourceState {
    return {
      kinds: (['instance', 'machine'] as const)
        .map((name) => [this.#kinds[name], this.#last[name]] as const)
        .map(([kind, last]) => ({
          last: last.save(),
          families: ownOf(kind).map((family) => family.save()),
          extra: [...kind.extra].map(([name, family]) => [name, family.save()] as const),
        })),
    };
  }

  restore(state: ResourceState): void {
    (['instance', 'machine'] as const).forEach((name, k) => {
      const kind = this.#kinds[name];
      this.#last[name].load(state.kinds[k]!.last);
      ownOf(kind).forEach((family, f) => {
        family.restore(state.kinds[k]!.families[f]!);
      });
      for (const [extra, saved] of state.kinds[k]!.extra) this.#extra(name, extra).restore(saved);
    });
  }
}

/** Those that are always there. */
function ownOf({ gauges: own, counts }: KindFamilies): Family[] {
  return [...own, ...counts].flatMap(familiesOf);
}

function allOf(kind: KindFamilies): Family[] {
  return [...ownOf(kind), ...kind.extra.values()];
}

function familiesOf({ family, slow }: { readonly family: Family; readonly slow?: Family }): Family[] {
  return slow === undefined ? [family] : [family, slow];
}
