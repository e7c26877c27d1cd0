/** What healthy systems do besides answering evenly: deploys, scaling, bursts, tides, long tails, pauses, jobs. Seeded. */
import { RcaError } from '../../src/model/errors.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { normal } from '../../src/stats/random.ts';
import type { Fault } from './fault.ts';
import type { Now, SimulatedSystem } from './system.ts';

export const WEATHERS = [
  'calm',
  'deploys',
  'scaling',
  'bursts',
  'tides',
  'tails',
  'pauses',
  'jobs',
  'mixes',
  'kinds',
  'all',
] as const;
export type Weather = (typeof WEATHERS)[number];

/** @throws RCA_BAD_INPUT */
export function weatherOf(text: string): Weather {
  const weather = WEATHERS.find((one) => one === text);
  if (weather === undefined)
    throw new RcaError('RCA_BAD_INPUT', `--weather: expected ${WEATHERS.join(', ')}, found ${text}`);
  return weather;
}

/** Windows from one deploy, or change of scale, to the next: 2.5 minutes. */
const DEPLOY_EVERY = 30;
/** Windows between one instance of a rolling deploy and the next, old and new side by side for one. */
export const ROLL_WINDOWS = 3;
/** A process that just started takes so many times as long, less every window, for so many windows. */
export const COLD = 2.5;
export const COLD_WINDOWS = 4;
/** Instances more than designed that scaling may add. */
const SCALE_MOST = 3;
/** Standard deviation of the logarithm of traffic in bursts, and how much of it the next window still has. */
const BURST_SIGMA = 0.3;
const BURST_STAYS = 0.85;
/** A tide: traffic between 1 - and 1 + this part of the mean, once an hour. */
const TIDE = 0.6;
const TIDE_WINDOWS = 720;
/** How busy everything is at the mean; own times grow as 1 / (1 - busy). */
const BUSY = 0.2;
/** One request of two hundred takes so many times as long, and more (Pareto). */
const TAIL_SHARE = 0.005;
/** Mean time between stops of an instance, s, and their length, µs. */
const PAUSE_EVERY_S = 30;
const PAUSE_US = 150_000;
/** A job calls an inner service for so long, so often, with so many times its usual requests. */
const JOB_EVERY = 60;
const JOB_WINDOWS = 4;
const JOB_TIMES = 4;
/** The mix of requests: shares of calls that are made change by up to this factor, within some minutes. */
const MIX = 0.15;
const MIX_WINDOWS = 60;

/** Shares of light, usual and heavy requests; for some minutes in ten, of another mix. */
const KINDS = [0.7, 0.25, 0.05];
const OTHER_KINDS = [0.55, 0.2, 0.25];
const KINDS_EVERY = 120;
const KINDS_WINDOWS = 24;

/** One system's weather, window by window. */
export class Sky {
  readonly #weather: Weather;
  readonly #random: Random;
  /** Nobody deploys what the fault is at: its truth is named after the instances of its beginning. */
  #fixed: ReadonlySet<number> = new Set();
  #faulty: ReadonlySet<string> = new Set();
  /** Times as long from one event to the next. */
  readonly #pace: number;
  #system: SimulatedSystem;
  readonly #coldSince = new Map<string, number>();
  readonly #versions = new Map<number, number>();
  #rolling: { service: number; k: number; old: readonly string[]; next: number } | undefined;
  #burst = 0;
  #turn = 0;

  constructor(weather: Weather, system: SimulatedSystem, faults: readonly Fault[], random: Random, pace = 1) {
    this.#weather = weather;
    this.#system = system;
    this.#random = random;
    this.#pace = pace;
    this.hold(faults);
  }

  /** From now on these are what breaks. */
  hold(faults: readonly Fault[]): void {
    this.#fixed = new Set(faults.map(({ service }) => service));
    this.#faulty = new Set(faults.flatMap(({ machine }) => (machine === undefined ? [] : [machine])));
    if (this.#rolling !== undefined && this.#fixed.has(this.#rolling.service)) this.#rolling = undefined;
  }

  /** Where `w` lies within every so many windows. */
  #within(w: number, windows: number): number {
    return w % (windows * this.#pace);
  }

  #has(weather: Weather): boolean {
    return this.#weather === weather || this.#weather === 'all';
  }

  /** The system in window `w`; called once for each, in order. */
  next(w: number, startMs: number): SimulatedSystem {
    if (this.#weather === 'calm') return this.#system;
    const changes: ChangeRecord[] = [];
    if (this.#has('deploys')) this.#deploy(w, startMs, changes);
    if (this.#has('scaling')) this.#scale(w, startMs, changes);
    let traffic = 1;
    if (this.#has('bursts')) {
      this.#burst = BURST_STAYS * this.#burst + Math.sqrt(1 - BURST_STAYS ** 2) * normal(this.#random);
      traffic *= Math.exp(BURST_SIGMA * this.#burst - BURST_SIGMA ** 2 / 2);
    }
    if (this.#has('tides')) traffic *= 1 + TIDE * Math.sin((2 * Math.PI * w) / (TIDE_WINDOWS * this.#pace));
    const slow = new Map<string, number>();
    for (const [instance, since] of this.#coldSince) {
      const left = 1 - (w - since) / COLD_WINDOWS;
      if (left <= 0) this.#coldSince.delete(instance);
      else slow.set(instance, 1 + (COLD - 1) * left);
    }
    const now: Now = {
      slow,
      load: (1 - BUSY) / (1 - Math.min(0.9, BUSY * traffic)),
      changes,
      ...(this.#has('tails') ? { tailShare: TAIL_SHARE } : {}),
      ...(this.#has('pauses') ? { pauseEveryS: PAUSE_EVERY_S, pauseUs: PAUSE_US } : {}),
      ...(this.#has('kinds')
        ? { kinds: this.#within(w, KINDS_EVERY) < this.#pace * (KINDS_EVERY - KINDS_WINDOWS) ? KINDS : OTHER_KINDS }
        : {}),
      ...(this.#has('jobs') ? { job: this.#job(w) } : {}),
    };
    const { requestsPerS } = this.#system;
    const system = this.#has('mixes') ? this.#mixed(w) : this.#system;
    return { ...system, requestsPerS: requestsPerS * traffic, now };
  }

  #free(): number[] {
    return [...this.#system.services.keys()].filter((i) => !this.#fixed.has(i));
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  /** A service's instances are replaced one by one by ones of another name, on any machine. */
  #deploy(w: number, startMs: number, changes: ChangeRecord[]): void {
    if (this.#within(w, DEPLOY_EVERY) === DEPLOY_EVERY - 1) {
      const service = this.#pick(this.#free());
      if (service === undefined) return;
      this.#versions.set(service, (this.#versions.get(service) ?? 1) + 1);
      this.#rolling = { service, k: 0, old: this.#system.services[service]!.instances, next: w };
    }
    const rolling = this.#rolling;
    if (rolling === undefined || w < rolling.next) return;
    const { service, k, old } = rolling;
    const { name } = this.#system.services[service]!;
    if (k > 0) this.#stop(service, old[k - 1]!, startMs, changes);
    if (k === old.length) {
      this.#rolling = undefined;
      return;
    }
    const fresh = `${name}-r${this.#versions.get(service)}-${k + 1}`;
    // A machine at fault keeps its tenants, or there is nothing to find.
    const machine = this.#system.machineOf.get(old[k]!)!;
    this.#start(service, fresh, w, startMs, changes, this.#faulty.has(machine) ? machine : undefined);
    this.#rolling = { ...rolling, k: k + 1, next: w + ROLL_WINDOWS };
  }

  #scale(w: number, startMs: number, changes: ChangeRecord[]): void {
    if (this.#within(w, DEPLOY_EVERY) !== (DEPLOY_EVERY >> 1) - 1) return;
    const service = this.#pick(this.#free().filter((i) => i !== this.#rolling?.service));
    if (service === undefined) return;
    const { name, instances } = this.#system.services[service]!;
    const more = instances.length === 1 || (instances.length < SCALE_MOST + 1 && this.#random() < 0.5);
    if (more) this.#start(service, `${name}-s${++this.#turn}-${instances.length + 1}`, w, startMs, changes);
    else this.#stop(service, instances.at(-1)!, startMs, changes);
  }

  #start(service: number, instance: string, w: number, startMs: number, changes: ChangeRecord[], on?: string): void {
    const machine = on ?? this.#pick([...new Set(this.#system.machineOf.values())].sort())!;
    this.#coldSince.set(instance, w);
    this.#place(service, (list) => [...list, instance], new Map([...this.#system.machineOf, [instance, machine]]));
    changes.push(this.#change(service, instance, machine, startMs, { change: 'process_start' }));
  }

  #stop(service: number, instance: string, startMs: number, changes: ChangeRecord[]): void {
    const machine = this.#system.machineOf.get(instance)!;
    const machineOf = new Map(this.#system.machineOf);
    machineOf.delete(instance);
    this.#place(service, (list) => list.filter((one) => one !== instance), machineOf);
    changes.push(this.#change(service, instance, machine, startMs, { change: 'process_exit', signal: 15 }));
  }

  #change(
    service: number,
    entity: string,
    machine: string,
    startMs: number,
    what: Pick<ChangeRecord, 'change' | 'signal'>,
  ): ChangeRecord {
    const { name } = this.#system.services[service]!;
    return { ...what, atMs: startMs + 500, entityKind: 'instance', entity, service: name, machine };
  }

  #place(
    service: number,
    to: (instances: readonly string[]) => readonly string[],
    machineOf: ReadonlyMap<string, string>,
  ): void {
    const services = this.#system.services.map((one, i) =>
      i === service ? { ...one, instances: to(one.instances) } : one,
    );
    this.#system = { ...this.#system, services, machineOf };
  }

  /** The callee of a batch job that runs now, and its requests per second. */
  #job(w: number): Now['job'] {
    const k = Math.floor(w / (JOB_EVERY * this.#pace));
    if (this.#within(w, JOB_EVERY) < this.#pace * (JOB_EVERY - JOB_WINDOWS)) return undefined;
    const { services, visits, requestsPerS } = this.#system;
    const callee = 1 + (k % (services.length - 1));
    return { callee, perS: Math.min(150, Math.max(10, JOB_TIMES * visits[callee]! * requestsPerS)) };
  }

  #mixed(w: number): SimulatedSystem {
    const services = this.#system.services.map((service, i) => ({
      ...service,
      stages: service.stages.map((stage) =>
        stage.map((call) => ({
          ...call,
          probability: Math.min(
            1,
            call.probability * (1 + MIX * Math.sin(i + call.callee + (2 * Math.PI * w) / (MIX_WINDOWS * this.#pace))),
          ),
        })),
      ),
    }));
    return { ...this.#system, services };
  }
}
