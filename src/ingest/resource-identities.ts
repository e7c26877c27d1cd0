/**
 * Whom resources were reported of: numbers of instances and machines, given to others once nobody reports them. Where they
 * belong is as the last closed window said: an instance may come back on another machine under the same name.
 */

import { compareNames } from '../model/entity.ts';
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

  id({ entityKind, entity }: ResourceRecord): number {
    const ids = this.#ids[entityKind];
    const known = ids.get(entity);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.list.length;
    ids.set(entity, id);
    this.list[id] = GONE;
    this.#seen[id] = 0;
    return id;
  }

  /** A closed window had these. @param own  what it said of each of them */
  touch(own: ReadonlyMap<number, ResourceIdentity>, startMs: number): void {
    const at = seenAt(startMs);
    for (const [id, identity] of own) {
      this.list[id] = identity;
      this.#seen[id] = at;
    }
  }

  /** Those that a closed window from `fromMs` on had. */
  seenSince(fromMs: number): ResourceIdentity[] {
    const from = seenAt(fromMs);
    return this.list.filter((_, id) => this.#seen[id]! >= from);
  }

  /**
   * Forgets those that no closed window from `fromMs` on had, and no open one has.
   */
  forget(fromMs: number, isHeld: (id: number) => boolean): void {
    const from = seenAt(fromMs);
    for (const ids of Object.values(this.#ids)) {
      for (const [entity, id] of ids) {
        if (this.#seen[id]! >= from) continue;
        if (isHeld(id)) continue;
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
export function isSame(known: ResourceIdentity, record: ResourceRecord, collector: string): boolean {
  const { entity, service, machine } = record;
  return (
    known.entity === entity && known.service === service && known.machine === machine && known.collector === collector
  );
}

/** Of two that one window has, in whatever order they came. */
export function merged(one: ResourceIdentity, other: ResourceIdentity): ResourceIdentity {
  const service = least(one.service, other.service);
  const machine = least(one.machine, other.machine);
  return {
    entityKind: one.entityKind,
    entity: one.entity,
    collector: least(one.collector, other.collector)!,
    ...(service === undefined ? {} : { service }),
    ...(machine === undefined ? {} : { machine }),
  };
}

function least(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return compareNames(one, other) <= 0 ? one : other;
}
