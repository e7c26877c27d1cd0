/**
 * Which collectors report an entity, so that a missing row can be read: all of them reported this window -> the count
 * is zero; one of them did not -> unknown.
 */
export interface PresenceState {
  readonly reporters: readonly (readonly string[])[];
  readonly lastSeen: readonly (readonly [string, number])[];
}

/** Windows after which a collector that fell silent is no longer waited for. */
const FORGET_WINDOWS = 12;

export class Presence {
  /** Entity -> collectors. */
  readonly #reporters: string[][] = [];
  /** Collector -> turn of the last window it reported in. */
  readonly #lastSeen: Map<string, number>;

  constructor(lastSeen: Map<string, number>) {
    this.#lastSeen = lastSeen;
  }

  add(entity: number, collector: string): void {
    while (this.#reporters.length <= entity) this.#reporters.push([]);
    const list = this.#reporters[entity]!;
    if (!list.includes(collector)) list.push(collector);
  }

  clear(entity: number): void {
    if (entity < this.#reporters.length) this.#reporters[entity] = [];
  }

  /** True when nothing of the entity can be missing from the window. */
  isComplete(entity: number, missing: ReadonlySet<string>): boolean {
    if (missing.size === 0) return true;
    return !(this.#reporters[entity] ?? []).some((collector) => missing.has(collector));
  }

  /** Drops collectors silent for too long; returns the entities that lost one. */
  forget(turn: number): number[] {
    const gone = new Set(
      [...this.#lastSeen].filter(([, seen]) => turn - seen === FORGET_WINDOWS).map(([name]) => name),
    );
    if (gone.size === 0) return [];
    const hit: number[] = [];
    this.#reporters.forEach((list, entity) => {
      if (!list.some((collector) => gone.has(collector))) return;
      this.#reporters[entity] = list.filter((collector) => !gone.has(collector));
      hit.push(entity);
    });
    return hit;
  }

  save(): readonly (readonly string[])[] {
    return this.#reporters;
  }

  load(reporters: readonly (readonly string[])[]): void {
    reporters.forEach((list, entity) => {
      this.#reporters[entity] = [...list];
    });
  }
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
  for (const entry of incomplete) if (entry.endsWith(`/${type}`)) missing.add(entry.slice(0, -type.length - 1));
  return missing;
}
