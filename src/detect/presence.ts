/**
 * Which collectors report an entity, so that a missing row can be read: all of them reported this window -> the count
 * is zero; one of them did not -> unknown.
 */
import { incompleteCollectors } from '../model/window.ts';

/** Windows after which a collector that fell silent is no longer waited for. */
const FORGET_WINDOWS = 12;

/** Reporters kept beside each other; most entities have no more. */
const BESIDE = 2;

export interface PresenceState {
  /** By entity. */
  readonly reporters: readonly (readonly string[])[];
  readonly lost: readonly number[];
}

export class Presence {
  /** Collectors by number. */
  readonly #collectors: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Numbers of collectors that were forgotten: others get them. */
  readonly #free: number[] = [];
  /** Entity by entity the numbers of its first reporters, + 1; 0: none. */
  #beside = new Uint32Array(64 * BESIDE);
  /** Entity -> the rest. */
  readonly #more = new Map<number, number[]>();
  /** Entities all of whose reporters were forgotten: nobody counts them. */
  readonly #lost = new Set<number>();
  #size = 0;

  /** @returns true: nobody counted it any more; what was learned meanwhile is no traffic */
  add(entity: number, collector: string): boolean {
    this.#put(entity, collector);
    return this.#lost.delete(entity);
  }

  #put(entity: number, collector: string): void {
    this.#cover(entity + 1);
    const number = this.#number(collector);
    for (let at = entity * BESIDE; at < (entity + 1) * BESIDE; at++) {
      if (this.#beside[at] === number + 1) return;
      if (this.#beside[at] === 0) {
        this.#beside[at] = number + 1;
        return;
      }
    }
    const more = this.#more.get(entity);
    if (more === undefined) this.#more.set(entity, [number]);
    else if (!more.includes(number)) more.push(number);
  }

  #number(collector: string): number {
    const known = this.#numbers.get(collector);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#collectors.length;
    this.#numbers.set(collector, number);
    this.#collectors[number] = collector;
    return number;
  }

  #cover(size: number): void {
    if (size > this.#size) this.#size = size;
    if (size * BESIDE <= this.#beside.length) return;
    const beside = new Uint32Array(Math.max(size * BESIDE, (this.#beside.length * 3) >> 1));
    beside.set(this.#beside);
    this.#beside = beside;
  }

  #of(entity: number): string[] {
    if (entity >= this.#size) return [];
    const out: string[] = [];
    for (let at = entity * BESIDE; at < (entity + 1) * BESIDE; at++) {
      if (this.#beside[at]! > 0) out.push(this.#collectors[this.#beside[at]! - 1]!);
    }
    for (const number of this.#more.get(entity) ?? []) out.push(this.#collectors[number]!);
    return out;
  }

  clear(entity: number): void {
    this.#beside.fill(0, entity * BESIDE, (entity + 1) * BESIDE);
    this.#more.delete(entity);
    this.#lost.delete(entity);
  }

  /** True when nothing of the entity can be missing from the window. */
  isComplete(entity: number, missing: ReadonlySet<string>): boolean {
    if (missing.size === 0) return true;
    return !this.#of(entity).some((collector) => missing.has(collector));
  }

  /** Drops collectors that are gone; returns the entities that lost one. */
  forget(gone: ReadonlySet<string>): number[] {
    if (gone.size === 0) return [];
    const hit: number[] = [];
    for (let entity = 0; entity < this.#size; entity++) {
      const list = this.#of(entity);
      if (!list.some((collector) => gone.has(collector))) continue;
      this.clear(entity);
      const left = list.filter((collector) => !gone.has(collector));
      for (const collector of left) this.#put(entity, collector);
      if (left.length === 0) this.#lost.add(entity);
      hit.push(entity);
    }
    for (const collector of gone) this.#release(collector);
    return hit;
  }

  /** No entity names it any more. */
  #release(collector: string): void {
    const number = this.#numbers.get(collector);
    if (number === undefined) return;
    this.#numbers.delete(collector);
    this.#collectors[number] = '';
    this.#free.push(number);
  }

  /** Collectors that are kept by name. */
  get collectors(): number {
    return this.#numbers.size;
  }

  save(): PresenceState {
    const reporters = Array.from({ length: this.#size }, (_, entity) => this.#of(entity));
    return { reporters, lost: [...this.#lost].sort((a, b) => a - b) };
  }

  load({ reporters, lost }: PresenceState): void {
    this.#cover(reporters.length);
    reporters.forEach((list, entity) => {
      this.clear(entity);
      for (const collector of list) this.#put(entity, collector);
    });
    for (const entity of lost) this.#lost.add(entity);
  }
}

/** Takes out collectors that have been silent for too long; they are as new when they report again. */
export function takeGone(lastSeen: Map<string, number>, turn: number): Set<string> {
  const gone = [...lastSeen].filter(([, seen]) => turn - seen >= FORGET_WINDOWS).map(([name]) => name);
  for (const name of gone) lastSeen.delete(name);
  return new Set(gone);
}

/** Collectors that are known but did not report this window, or reported with a gap in this type. */
export function missingCollectors(
  lastSeen: ReadonlyMap<string, number>,
  present: ReadonlySet<string>,
  incomplete: readonly string[],
  type: string,
): Set<string> {
  const missing = new Set<string>();
  for (const collector of lastSeen.keys()) if (!present.has(collector)) missing.add(collector);
  for (const collector of incompleteCollectors(incomplete, type)) missing.add(collector);
  return missing;
}
