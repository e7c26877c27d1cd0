/**
 * Instances and machines that are gone for good. Deploys give instances new names and nodes come and go, so that an engine
 * that runs for weeks would keep rows for everything it ever saw. Whom no leaf of a call or a flow names any more (ingest
 * frees those that no kept window has) and who has had no resource records for as long gives up its row, once an hour.
 * Cost: O(leaves + instances) an hour.
 */
import type { ClosedWindow, LeafDirectory } from '../model/window.ts';
import { KEY_CALLEE_INSTANCE, KEY_CALLEE_MACHINE, KEY_CALLER_INSTANCE, KEY_CALLER_MACHINE } from '../model/window.ts';
import type { Entities } from './entities.ts';

/** An hour, and three, of windows of 5 s: ingest keeps 2.7 hours. */
const SWEEP_WINDOWS = 720;
const SILENT_WINDOWS = 2_160;

const PLACES = [KEY_CALLER_INSTANCE, KEY_CALLEE_INSTANCE, KEY_CALLER_MACHINE, KEY_CALLEE_MACHINE] as const;

type Kind = 'instance' | 'machine';

/** Who keeps rows of instances and machines. */
export interface Tenant {
  /** Whether entity i had records of its own since a turn. */
  isSeenSince?(kind: Kind, i: number, turn: number): boolean;
  vacate(kind: Kind, i: number): void;
  /** Gives up what no leaf names any more, of kinds of its own. */
  sweep?(window: ClosedWindow): void;
}

export class Vanished {
  readonly #entities: Entities;
  readonly #tenants: readonly Tenant[];
  #sweptTurn = 0;

  constructor(entities: Entities, tenants: readonly Tenant[]) {
    this.#entities = entities;
    this.#tenants = tenants;
  }

  /** @param turn running number of the window */
  step(window: ClosedWindow, turn: number): void {
    if (turn - this.#sweptTurn < SWEEP_WINDOWS) return;
    this.#sweptTurn = turn;
    const named = namesOf(window);
    for (const kind of ['instance', 'machine'] as const) {
      const gone: number[] = [];
      const table = this.#entities.table(kind);
      table.names.forEach((name, i) => {
        if (table.isTaken(i) && !named.has(name) && !this.#isSeen(kind, i, turn - SILENT_WINDOWS)) gone.push(i);
      });
      for (const i of gone) for (const tenant of this.#tenants) tenant.vacate(kind, i);
      this.#entities.forget(kind, gone);
    }
    for (const tenant of this.#tenants) tenant.sweep?.(window);
    this.#entities.forgetPlaces((name) => named.has(name));
  }

  #isSeen(kind: Kind, i: number, turn: number): boolean {
    return this.#tenants.some((tenant) => tenant.isSeenSince?.(kind, i, turn) === true);
  }

  get sweptTurn(): number {
    return this.#sweptTurn;
  }

  restore(sweptTurn: number): void {
    this.#sweptTurn = sweptTurn;
  }
}

/** Instances and machines that leaves of calls and flows name. */
function namesOf({ callDirectory, tcpDirectory, names }: ClosedWindow): Set<string> {
  const isNamed = new Uint8Array(names.size);
  for (const directory of [callDirectory, tcpDirectory]) mark(directory, isNamed);
  const named = new Set<string>();
  for (let id = 1; id < isNamed.length; id++) if (isNamed[id] === 1) named.add(names.name(id));
  return named;
}

/** A leaf that was freed was seen by none; one that only an open window has names nobody yet. */
function mark({ keys, width, size, seen }: LeafDirectory, isNamed: Uint8Array): void {
  for (let id = 0; id < size; id++) {
    if (seen[id] === 0) continue;
    for (const place of PLACES) isNamed[keys[id * width + place]!] = 1;
  }
}
