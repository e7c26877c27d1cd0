/**
 * What the mix of operations explains of a mean duration: a service that is asked for its heavy operations more often than
 * usual has a higher mean, and each of them is as fast as before. Every operation's mean is learned; the mean that this
 * window's requests would have at these, as a multiple of what it usually is, is the factor that durations are divided by.
 * Means are forgotten as 1 / 120 windows; an operation keeps what it had while nobody asks for it. The usual mix is that of a
 * day, and another one counts for a tenth: durations at it are compared with baselines of half an hour and of two, which
 * would call a rise what the usual mix follows sooner.
 *
 * A service with very many operations (names made of what users type) forgets those that no leaf names any more.
 *
 * Memory: 60 bytes an operation of a service and side, 12 an entity. Cost: O(rows) and O(operations) a window.
 */
import type { ColumnsState } from './columns.ts';
import { Columns, withRoom } from './columns.ts';

const SLOW = 1 / 120;
const VERY_SLOW = 1 / 1_440;
const DAILY = 1 / 17_280;
/** A mix that takes so many times as long, or that much less, is another one; told from this many windows on. */
const ANOTHER_MIX = 1.25;
const TELLING_WINDOWS = 120;
/** What a window of another mix counts for. */
const ANOTHER_WEIGHT = 0.1;
/** Requests of the service's mean that an operation is taken to have had: one request tells little of it. */
const PRIOR_REQUESTS = 20;
/** A window's mean of an operation counts for at most so many times what is known of it. */
const MOST_TIMES = 4;
/** Windows of an entity before its usual mix is known. */
const MIN_WINDOWS = 12;
/** With more operations than this a service and side forgets those that nobody asked for in hours; else a nightly report stays known. */
const MOST_KEPT = 1_000;
/** What the mix explains at most, up and down. */
const MOST_FACTOR = 4;

const OPERATION_SPECS = {
  /** Number of the service and side: 2 × service + side. */
  owner: { type: Uint32Array },
  /** Of the windows in which it was asked for. */
  count: { type: Float64Array },
  durationUs: { type: Float64Array },
  /** Requests of all windows: how many are usual lately. */
  share: { type: Float64Array },
  /** Requests of a window, over a day: what the usual mix is. */
  lasting: { type: Float64Array },
} as const;

const OWNER_SPECS = {
  /** Of the usual mix. */
  meanUs: { type: Float64Array },
  operations: { type: Uint32Array },
  windows: { type: Uint32Array },
} as const;
const USUAL_SPECS = {
  usual: { type: Float64Array },
  /** Over two hours: what it has become. */
  slow: { type: Float64Array },
  windows: { type: Uint16Array },
} as const;

type Kind = 'service' | 'edge' | 'instance';
const KINDS = ['service', 'edge', 'instance'] as const;

export interface MixState {
  /** By number `owner\0operation`; '': nobody's. */
  readonly keys: readonly string[];
  readonly operations: ColumnsState;
  readonly owners: ColumnsState;
  readonly usual: readonly ColumnsState[];
}

export class OperationMix {
  /** `owner\0operation` -> number. */
  readonly #numbers = new Map<string, number>();
  /** The other way round; '': nobody's. */
  readonly #keys: string[] = [];
  /** Numbers of those that are gone, the largest first. */
  readonly #free: number[] = [];
  readonly #operations = new Columns(OPERATION_SPECS);
  readonly #owners = new Columns(OWNER_SPECS);
  readonly #usual: Readonly<Record<Kind, Columns<keyof typeof USUAL_SPECS>>> = {
    service: new Columns(USUAL_SPECS),
    edge: new Columns(USUAL_SPECS),
    instance: new Columns(USUAL_SPECS),
  };
  /** By operation: what a request of it is expected to take, µs; 0: nothing is known of its service. */
  expectedUs = new Float64Array(64);
  /** The same in means of its service's usual mix, so that a service that gets slower as a whole changes nothing; 1: not known. */
  expected = new Float64Array(64);
  /** By operation: requests of this window whose duration is known, and their durations. */
  count = new Float64Array(64);
  durationUs = new Float64Array(64);
  /** By owner, scratch. */
  #sum = new Float64Array(64);
  #weight = new Float64Array(64);
  #asked = new Float64Array(64);
  #rate = new Float64Array(64);

  /** Numbers are below it. */
  get size(): number {
    return this.#keys.length;
  }

  /** Number of an operation of a service on one side: 1 server, 0 client. */
  operation(service: number, side: 0 | 1, name: string): number {
    const owner = 2 * service + side;
    const key = `${owner}\0${name}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.size;
    this.#numbers.set(key, number);
    this.#keys[number] = key;
    this.#ensure(number + 1, owner + 1);
    this.#operations.array.owner[number] = owner;
    this.#owners.array.operations[owner] = this.#owners.array.operations[owner]! + 1;
    this.expectedUs[number] = toParts(this.#owners.array.meanUs[owner]!);
    this.expected[number] = 1;
    return number;
  }

  #ensure(operations: number, owners: number): void {
    this.#operations.ensure(operations);
    this.#owners.ensure(owners);
    this.expectedUs = withRoom(this.expectedUs, operations);
    this.expected = withRoom(this.expected, operations);
    this.count = withRoom(this.count, operations);
    this.durationUs = withRoom(this.durationUs, operations);
    this.#sum = withRoom(this.#sum, owners);
    this.#weight = withRoom(this.#weight, owners);
    this.#asked = withRoom(this.#asked, owners);
    this.#rate = withRoom(this.#rate, owners);
  }

  serviceOf(operation: number): number {
    return this.#operations.array.owner[operation]! >> 1;
  }

  nameOf(operation: number): string {
    const key = this.#keys[operation] ?? '';
    return key.slice(key.indexOf('\0') + 1);
  }

  /** Requests of an operation in a usual window. */
  usualCount(operation: number): number {
    return this.#operations.array.share[operation]! * SLOW;
  }

  /** Whether an operation is one of several that a service is asked for, as seen from a side. */
  isOneOfSeveral(operation: number, side: number): boolean {
    const owner = this.#operations.array.owner[operation]!;
    return (owner & 1) === side && this.#owners.array.operations[owner]! > 1;
  }

  /** Whether a service has so many that some may be forgotten. */
  get hasMany(): boolean {
    return this.#owners.array.operations.some((count) => count > MOST_KEPT);
  }

  /**
   * Forgets operations of services that have very many of them; their numbers go to others.
   * @param isNamed  whether a leaf names one
   * @returns their numbers
   */
  forget(isNamed: (service: number, side: 0 | 1, name: string) => boolean): number[] {
    const { owner } = this.#operations.array;
    const operations = this.#owners.array.operations;
    const gone = Array.from(this.#keys.keys()).filter((number) => {
      const of = owner[number]!;
      if (this.#keys[number] === '' || !(operations[of]! > MOST_KEPT)) return false;
      return !isNamed(of >> 1, (of & 1) as 0 | 1, this.nameOf(number));
    });
    for (const number of gone) {
      operations[owner[number]!] = operations[owner[number]!]! - 1;
      this.#numbers.delete(this.#keys[number]!);
      this.#keys[number] = '';
      this.#operations.clear(number);
      this.#free.push(number);
    }
    this.#free.sort((a, b) => b - a);
    return gone;
  }

  /** Before the rows of a window are summed into `count` and `durationUs`. */
  begin(): void {
    this.count.fill(0, 0, this.size);
    this.durationUs.fill(0, 0, this.size);
  }

  /**
   * @param expected  sum of `expected` over the `n` requests of entity i of a kind in this window, of whichever services
   * @param span  the usual mix, or, where it is another one for good, that of two hours
   * @returns how many times as long as usual these requests would take if each operation took what it usually does; 1
   *   where the usual mix is not known
   */
  factor(kind: Kind, i: number, expected: number, n: number, span: 'usual' | 'slow' = 'usual'): number {
    const { size, array } = this.#usual[kind];
    if (i >= size || array.windows[i]! < MIN_WINDOWS || !(n > 0)) return 1;
    const factor = expected / n / array[span][i]!;
    return Number.isNaN(factor) ? 1 : Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, factor));
  }

  /** Entity i's mix of this window is usual. */
  learn(kind: Kind, i: number, expected: number, n: number): void {
    if (!(n > 0)) return;
    const ratio = expected / n;
    const columns = this.#usual[kind];
    columns.ensure(i + 1);
    const { usual, slow, windows } = columns.array;
    if (windows[i]! < 65535) windows[i] = windows[i]! + 1;
    usual[i] = usual[i]! + (ratio - usual[i]!) * dailyRate(windows[i]!, ratio / usual[i]!);
    slow[i] = slow[i]! + (ratio - slow[i]!) * Math.max(VERY_SLOW, 1 / windows[i]!);
  }

  /** Takes the window's sums. @param isUsual whether a service's durations are as they always are: else nothing is learned */
  end(isUsual: (service: number) => boolean): void {
    const { owner, count, durationUs, share, lasting } = this.#operations.array;
    const { meanUs, windows } = this.#owners.array;
    const owners = this.#owners.size;
    const sum = this.#sum.fill(0, 0, owners);
    const weight = this.#weight.fill(0, 0, owners);
    const asked = this.#asked.fill(0, 0, owners);
    for (let number = 0; number < this.size; number++) {
      const of = owner[number]!;
      asked[of] = asked[of]! + this.count[number]!;
      weight[of] = weight[of]! + this.count[number]! * this.expected[number]!;
    }
    const rate = this.#rate;
    for (let of = 0; of < owners; of++) {
      const learns = asked[of]! > 0 && isUsual(of >> 1);
      if (learns) windows[of] = windows[of]! + 1;
      rate[of] = learns ? dailyRate(windows[of]!, weight[of]! / asked[of]!) : 0;
      weight[of] = 0;
    }
    for (let number = 0; number < this.size; number++) {
      const of = owner[number]!;
      const n = this.count[number]!;
      // A night without requests says nothing of the mix.
      if (rate[of]! > 0) {
        share[number] = share[number]! * (1 - SLOW) + n;
        lasting[number] = lasting[number]! + (n - lasting[number]!) * rate[of]!;
        if (n > 0) {
          const most =
            this.expectedUs[number]! > 0 ? MOST_TIMES * this.expectedUs[number]! * n : Number.POSITIVE_INFINITY;
          count[number] = count[number]! * (1 - SLOW) + n;
          durationUs[number] = durationUs[number]! * (1 - SLOW) + Math.min(this.durationUs[number]!, most);
        }
      }
      if (count[number]! === 0) continue;
      const usual = lasting[number]! / SLOW;
      sum[of] = sum[of]! + Math.round((usual * durationUs[number]!) / count[number]!);
      weight[of] = weight[of]! + toParts(usual);
    }
    for (let of = 0; of < owners; of++) if (weight[of]! > 0) meanUs[of] = sum[of]! / weight[of]!;
    this.#expect();
  }

  #expect(): void {
    const { owner, count, durationUs } = this.#operations.array;
    const { meanUs } = this.#owners.array;
    for (let number = 0; number < this.size; number++) {
      const mean = meanUs[owner[number]!]!;
      const us = (durationUs[number]! + PRIOR_REQUESTS * mean) / (count[number]! + PRIOR_REQUESTS);
      this.expectedUs[number] = toParts(us);
      this.expected[number] = mean > 0 ? toParts(us / mean, 65_536) : 1;
    }
  }

  /** Entity i of a kind is gone for good. */
  vacate(kind: Kind, i: number): void {
    this.#usual[kind].clear(i);
  }

  save(): MixState {
    return {
      keys: [...this.#keys],
      operations: this.#operations.save(),
      owners: this.#owners.save(),
      usual: KINDS.map((kind) => this.#usual[kind].save()),
    };
  }

  restore(state: MixState): void {
    state.keys.forEach((key, number) => {
      this.#keys.push(key);
      if (key === '') this.#free.unshift(number);
      else this.#numbers.set(key, number);
    });
    this.#operations.load(state.operations);
    this.#owners.load(state.owners);
    KINDS.forEach((kind, k) => {
      this.#usual[kind].load(state.usual[k]!);
    });
    this.#ensure(this.size, this.#owners.size);
    this.#expect();
  }
}

/**
 * How much a window counts in a mean of a day, of all windows in the first one.
 * @param windows  so far, with this one
 * @param ratio    what this window's mix takes, of what the usual one does
 */
function dailyRate(windows: number, ratio: number): number {
  const rate = Math.max(DAILY, 1 / windows);
  const isAnother = windows >= TELLING_WINDOWS && (ratio > ANOTHER_MIX || ratio < 1 / ANOTHER_MIX);
  return isAnother ? rate * ANOTHER_WEIGHT : rate;
}

/** To so many parts of 1: sums of such numbers are exact, and so the same in whatever order rows come. */
function toParts(value: number, parts: number = 1_024): number {
  return Math.round(value * parts) / parts;
}
