/** Detection of all environments: closed windows in, incident events out. */
import type { Entity } from '../model/entity.ts';
import { compareNames } from '../model/entity.ts';
import { RcaError } from '../model/errors.ts';
import type { Anomaly, Incident, IncidentEvent } from '../model/incident.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { CallSeriesState, Past } from './call-series.ts';
import { CallSeries } from './call-series.ts';
import type { DetectConfig } from './config.ts';
import { DEFAULT_DETECT_CONFIG } from './config.ts';
import type { StatedCalls } from './connect.ts';
import { CallGraph, OUTSIDE } from './connect.ts';
import type { EntitiesState } from './entities.ts';
import { Entities } from './entities.ts';
import type { Family, FamilyState, Moment } from './family.ts';
import type { Active, IncidentsState } from './incidents.ts';
import { Incidents, keyOf } from './incidents.ts';
import { missingCollectors, takeGone } from './presence.ts';
import type { ResourceState } from './resource-series.ts';
import { ResourceSeries } from './resource-series.ts';
import type { RestartsState } from './restarts.ts';
import { Restarts } from './restarts.ts';
import { TcpSeries } from './tcp-series.ts';
import type { Detector } from './types.ts';
import { Vanished } from './vanished.ts';

/** @param config what differs from DEFAULT_DETECT_CONFIG */
export function createDetector(config: Partial<DetectConfig> = {}): Detector {
  return new WindowDetector({ ...DEFAULT_DETECT_CONFIG, ...config });
}

const SNAPSHOT_VERSION = 14;
const PAST_VERSION = 3;
/** Two minutes of 5 s windows: longer than any rolling restart keeps one edge busy. */
const ABSORBED_WINDOWS = 24;

interface EnvironmentState {
  readonly turn: number;
  readonly lastMs: number;
  readonly lastSeen: readonly (readonly [string, number])[];
  readonly entities: EntitiesState;
  readonly stated: StatedCalls;
  readonly calls: CallSeriesState;
  readonly tcp: readonly FamilyState[];
  readonly resources: ResourceState;
  readonly restarts: RestartsState;
  readonly sweptTurn: number;
  readonly incidents: IncidentsState;
  readonly active: readonly Active[];
}

interface PastState {
  readonly version: number;
  readonly environments: readonly (readonly [string, Past])[];
}

interface SnapshotState {
  readonly version: number;
  readonly environments: readonly (readonly [string, EnvironmentState])[];
}

class WindowDetector implements Detector {
  readonly config: DetectConfig;
  readonly #environments = new Map<string, EnvironmentDetector>();

  constructor(config: DetectConfig) {
    this.config = config;
  }

  step(window: ClosedWindow): readonly IncidentEvent[] {
    return this.#of(window.environment).step(window);
  }

  #of(name: string): EnvironmentDetector {
    let environment = this.#environments.get(name);
    if (environment === undefined) {
      environment = new EnvironmentDetector(name, this.config);
      this.#environments.set(name, environment);
    }
    return environment;
  }

  #some(environment: string | undefined): EnvironmentDetector[] {
    const names = environment === undefined ? [...this.#environments.keys()].sort(compareNames) : [environment];
    return names.map((name) => this.#environments.get(name)).filter((found) => found !== undefined);
  }

  anomalies(environment?: string): readonly Anomaly[] {
    return this.#some(environment).flatMap((found) => found.active.map((entry) => entry.anomaly));
  }

  incidents(environment?: string): readonly Incident[] {
    return this.#some(environment).flatMap((found) => found.incidents.list());
  }

  unhealthySpans(environment: string, incidentId?: string): readonly { fromMs: number; toMs: number }[] {
    return this.#some(environment).flatMap((found) => found.incidents.spans(incidentId));
  }

  snapshot(): Uint8Array {
    const state: SnapshotState = {
      version: SNAPSHOT_VERSION,
      environments: [...this.#environments]
        .sort(([a], [b]) => compareNames(a, b))
        .map(([name, environment]) => [name, environment.save()] as const),
    };
    return new TextEncoder().encode(JSON.stringify(state));
  }

  exportPast(): string {
    const environments = [...this.#environments].sort(([a], [b]) => compareNames(a, b));
    return JSON.stringify({
      version: PAST_VERSION,
      environments: environments.map(([name, environment]) => [name, environment.exportPast()] as const),
    } satisfies PastState);
  }

  importPast(text: string): void {
    const state = JSON.parse(text) as PastState;
    if (state.version !== PAST_VERSION) return;
    for (const [name, past] of state.environments) this.#of(name).importPast(past);
  }

  restore(bytes: Uint8Array): void {
    const state = JSON.parse(new TextDecoder().decode(bytes)) as SnapshotState;
    if (state.version !== SNAPSHOT_VERSION) {
      throw new RcaError(
        'RCA_BAD_INPUT',
        `detector snapshot: expected version ${SNAPSHOT_VERSION}, found ${state.version}; delete it, baselines are learned again`,
      );
    }
    this.#environments.clear();
    for (const [name, saved] of state.environments) this.#of(name).restore(saved);
  }
}

class EnvironmentDetector {
  readonly incidents: Incidents;
  active: readonly Active[] = [];
  readonly #entities = new Entities();
  readonly #graph = new CallGraph(this.#entities);
  /** Collector -> turn of the last window it reported in. */
  readonly #lastSeen = new Map<string, number>();
  readonly #calls: CallSeries;
  readonly #tcp: TcpSeries;
  readonly #resources: ResourceSeries;
  readonly #restarts: Restarts;
  readonly #vanished: Vanished;
  #turn = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, config: DetectConfig) {
    this.incidents = new Incidents(name, config, this.#graph);
    this.#calls = new CallSeries(this.#entities, config);
    this.#tcp = new TcpSeries(this.#entities, config);
    this.#resources = new ResourceSeries(this.#entities, config);
    this.#restarts = new Restarts(config);
    this.#vanished = new Vanished(this.#entities, [this.#calls, this.#resources]);
  }

  step(window: ClosedWindow): IncidentEvent[] {
    const { startMs, windowMs } = window;
    if (startMs <= this.#lastMs) {
      throw new RcaError(
        'RCA_BAD_INPUT',
        `detect: expected windows in order, found ${startMs} after ${this.#lastMs}; feed each closed window once`,
      );
    }
    // A gap in time counts as so many windows without a judgement.
    this.#turn += this.#turn === 0 ? 1 : Math.min(1000, Math.round((startMs - this.#lastMs) / windowMs));
    this.#lastMs = startMs;
    const moment: Moment = { atMs: startMs, windowMs, turn: this.#turn };

    const present = new Set(window.collectors);
    for (const collector of present) this.#lastSeen.set(collector, this.#turn);
    const missing = missingCollectors(this.#lastSeen, present, window.incomplete, 'call');
    const muted = this.#restarts.step(window.changes, moment);
    const collectors = { missing, gone: takeGone(this.#lastSeen, this.#turn) };
    this.#calls.step(window, moment, collectors, muted, this.#restarts);
    this.#tcp.step(window, moment);
    this.#resources.step(window, moment, muted);
    this.#graph.learn(window);
    this.#vanished.step(window, this.#turn);
    this.active = this.#collect(moment);
    return this.incidents.step(this.active, startMs, windowMs);
  }

  /** Everything abnormal now: opening symptoms first, services first, then by score, then by name. */
  #collect(moment: Moment): Active[] {
    const out: Active[] = this.#restarts.active(moment).map((anomaly) => ({ anomaly, opens: false }));
    for (const family of [...this.#calls.families, ...this.#tcp.families, ...this.#resources.families]) {
      for (const i of family.tracks.live)
        if (!family.isToldByCoarser(i)) out.push(this.#anomaly(family, i, moment.windowMs));
    }
    return strongest(out).sort(
      (a, b) =>
        Number(b.opens) - Number(a.opens) ||
        Number(b.anomaly.entity.kind === 'service') - Number(a.anomaly.entity.kind === 'service') ||
        b.anomaly.score - a.anomaly.score ||
        compareNames(keyOf(a.anomaly), keyOf(b.anomaly)),
    );
  }

  #anomaly(family: Family, i: number, windowMs: number): Active {
    const { direction, baseline, current, ...rest } = family.tracks.read(i);
    const sinceMs = family.grownSinceMs(i);
    const limitAtMs = family.limitAtMs(i);
    const { metric, symptoms, entity, opens } = family.spec;
    const perSecond = metric.endsWith('_per_s') ? 1000 / windowMs : 1;
    const owner = family.ownerOf(i);
    const operation = family.operationOf(i);
    const side = family.spec.side === undefined ? undefined : this.#calls.sideOf(family, owner);
    const about = this.#entities.entity(entity, owner);
    const felt =
      about.kind === 'edge' ? this.#isFelt(about, family.tracks.abnormalWindows(i)) : !OUTSIDE.has(about.name);
    return {
      opens: felt && (opens?.includes(direction as 0 | 1) ?? false),
      anomaly: {
        entity: about,
        metric,
        symptom: symptoms[direction] ?? symptoms[0],
        ...(side === undefined ? {} : { side }),
        ...(operation === undefined ? {} : { operation }),
        baseline: baseline * perSecond,
        current: current * perSecond,
        ...rest,
        // It began at some time of its growth.
        ...(sinceMs < rest.onsetMs
          ? { onsetMs: sinceMs, onsetBlurMs: rest.onsetMs - sinceMs + (rest.onsetBlurMs ?? 0), grownMs: rest.onsetMs }
          : {}),
        ...(Number.isNaN(limitAtMs) ? {} : { limitAtMs }),
      },
    };
  }

  /**
   * A caller that retries, has a spare or does not wait absorbs what happens on an edge: nobody feels it, and a restart
   * with drained connections looks like that. Its own numbers tell when it does not; absorbed trouble opens only by lasting.
   */
  #isFelt(about: Entity, abnormalWindows: number): boolean {
    return abnormalWindows >= ABSORBED_WINDOWS || !this.#calls.isServed(about.from ?? '');
  }

  exportPast(): Past {
    return this.#calls.exportPast();
  }

  importPast(past: Past): void {
    this.#calls.importPast(past);
  }

  save(): EnvironmentState {
    return {
      turn: this.#turn,
      lastMs: this.#lastMs,
      lastSeen: [...this.#lastSeen],
      entities: this.#entities.save(),
      stated: this.#graph.save(),
      calls: this.#calls.save(),
      tcp: this.#tcp.save(),
      resources: this.#resources.save(),
      restarts: this.#restarts.save(),
      sweptTurn: this.#vanished.sweptTurn,
      incidents: this.incidents.save(),
      active: this.active,
    };
  }

  restore(state: EnvironmentState): void {
    this.#turn = state.turn;
    this.#lastMs = state.lastMs;
    for (const [collector, turn] of state.lastSeen) this.#lastSeen.set(collector, turn);
    this.#entities.load(state.entities);
    this.#graph.restore(state.stated);
    this.#calls.restore(state.calls);
    this.#tcp.restore(state.tcp);
    this.#resources.restore(state.resources);
    this.#restarts.restore(state.restarts);
    this.#vanished.restore(state.sweptTurn);
    this.incidents.restore(state.incidents);
    this.active = state.active;
  }
}

/** Of several operations of a service that show the same, the one that shows it most; ties go by name. */
function strongest(active: readonly Active[]): Active[] {
  const best = new Map<string, Active>();
  for (const entry of active) {
    const { operation, score } = entry.anomaly;
    if (operation === undefined) continue;
    const key = keyOf(entry.anomaly);
    const other = best.get(key)?.anomaly;
    const isMore =
      other === undefined ||
      score > other.score ||
      (score === other.score && compareNames(operation, other.operation!) < 0);
    if (isMore) best.set(key, entry);
  }
  return [...active.filter(({ anomaly }) => anomaly.operation === undefined), ...best.values()];
}
