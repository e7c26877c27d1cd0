/** Whom resources were reported of: numbers of instances and machines, given to others once nobody reports them. */
import type { ResourceRecord } from '../model/records.ts';
import type { ResourceIdentity } from '../model/window.ts';
import { seenAt } from './directory.ts';

const GONE: ResourceIdentity = { entityKind: 'instance', entity: '', collector: '' };

export class ResourceIdentities {
  readonly list: ResourceIdentity[] = [];
  /** Kind of entity -> name -> number. */
  readonly #ids = { instance: new Map<string, number>(), machine: new Map<string, number>() };
  /** Number -> last closed window that had it, as of `seenAt`; 0: none yet, or it is gone. */
  readonly #seen: number[] = [];
  #free: number[] = [];

  id(record: ResourceRecord, collector: string): number {
    const ids = this.#ids[record.entityKind];
    const known = ids.get(record.entity);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.list.length;
    ids.set(record.entity, id);
    this.list[id] = identityOf(record, collector);
    this.#seen[id] = 0;
    return id;
  }

  /** A closed window had these. */
  touch(entities: Uint32Array, rows: number, startMs: number): void {
    const at = seenAt(startMs);
    for (let r = 0; r < rows; r++) this.#seen[entities[r]!] = at;
  }

  /** Those that a closed window from `fromMs` on had. */
  seenSince(fromMs: number): ResourceIdentity[] {
    const from = seenAt(fromMs);
    return this.list.filter((_, id) => this.#seen[id]! >= from);
  }

  /**
   * Forgets those that no closed window from `fromMs` on had, and no open one has.
   * @param asHeld  what an open window knows of it; undefined: none has it
   */
  forget(fromMs: number, asHeld: (id: number) => ResourceIdentity | undefined): void {
    const from = seenAt(fromMs);
    for (const ids of Object.values(this.#ids)) {
      for (const [entity, id] of ids) {
        if (this.#seen[id]! >= from) continue;
        const held = asHeld(id);
        if (held !== undefined) {
          this.list[id] = held;
          continue;
        }
        ids.delete(entity);
        this.list[id] = GONE;
        this.#seen[id] = 0;
        this.#free.push(id);
      }
    }
  }
}

export function identityOf(
  { entityKind, entity, service, machine }: ResourceRecord,
  collector: string,
): ResourceIdentity {
  return {
    entityKind,
    entity,
    collector,
    ...(service === undefined ? {} : { service }),
    ...(machine === undefined ? {} : { machine }),
  };
}

/** The record says nothing else of whom it is about. */
export function isSame(known: ResourceIdentity, { service, machine }: ResourceRecord, collector: string): boolean {
  return known.service === service && known.machine === machine && known.collector === collector;
}
