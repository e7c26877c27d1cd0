/**
 * The two ends of a call on two hosts. A collector sees the other end as an address: `web -> 10.0.0.7:8080` on the
 * caller's host, `10.0.0.5 -> cart` on the callee's. Of a few of these connections both tell the client's end (address and
 * port, which a destination NAT such as that of a Kubernetes service leaves as they are): where both tell the same one, the
 * address is given the name the other side knows.
 *
 * What was learnt in a window holds for it and those after it, whatever the order in which its batches came. Where several
 * services of one host call the same callee, they share an address there: src/ingest/shared-callers.ts.
 */
import type { LeafDirectory, Names } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_SIDE,
} from '../model/window.ts';

/** Ids of names; 0: not known, or several. */
export interface Named {
  readonly service: number;
  readonly instance: number;
  readonly machine: number;
}

interface Candidate extends Named {
  lastMs: number;
}

/** Who was seen behind an address in the last minutes, and who that makes it: one, or callers of several services. */
interface Address {
  candidates: Candidate[];
  behind: readonly Named[];
}

/** Where a key has the names of an end. */
interface End {
  readonly service: number;
  readonly instance: number;
  readonly machine: number;
}
const CALLER: End = { service: KEY_CALLER, instance: KEY_CALLER_INSTANCE, machine: KEY_CALLER_MACHINE };
const CALLEE: End = { service: KEY_CALLEE, instance: KEY_CALLEE_INSTANCE, machine: KEY_CALLEE_MACHINE };

/** A connection's client end, and the TCP leaf of the side that told it. */
export interface ToldEndpoint {
  readonly text: string;
  readonly leaf: number;
}

/** Who has not been seen behind an address for so long, while others were, is no longer there. */
const REMEMBERED_MS = 5 * 60_000;

export class Joins {
  /** Rises when a name was learnt or changed. */
  version = 0;
  readonly #names: Names;
  /** Callee's name in its callers' records -> who that is. */
  readonly #callees = new Map<number, Address>();
  /** Callee's service -> caller's name in its records -> who that is. */
  readonly #callers = new Map<number, Map<number, Address>>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** Nothing was joined yet. */
  get isEmpty(): boolean {
    return this.version === 0;
  }

  /** @param told  of one window, in any order. Cost: O(told). */
  learn(told: readonly ToldEndpoint[], { keys, width }: LeafDirectory, windowStartMs: number): void {
    if (told.length === 0) return;
    const service = (leaf: number, end: End): number => keys[leaf * width + end.service]!;
    const note = (address: Address, leaf: number, end: End, changed: Set<Address>): void => {
      const at = leaf * width;
      const named = {
        service: keys[at + end.service]!,
        instance: keys[at + end.instance]!,
        machine: keys[at + end.machine]!,
      };
      if (renew(address, windowStartMs, named)) changed.add(address);
    };
    const connections = bySide(told, (leaf) => keys[leaf * width + KEY_SIDE] === 0);
    const { texts, client, server } = connections;
    const callees = new Set<Address>();
    const callers = new Set<Address>();
    for (let i = 0; i < texts.length; i++) {
      const [from, to] = [client[i]!, server[i]!];
      if (from < 0 || to < 0) continue;
      const callee = service(to, CALLEE);
      const asked = service(from, CALLEE);
      if (asked !== callee) note(place(this.#callees, asked), to, CALLEE, callees);
      const asking = service(to, CALLER);
      if (asking !== service(from, CALLER)) place(this.#callersOf(callee), asking);
    }
    for (const address of callees) this.#settle(address, windowStartMs, newest);
    // Whoever calls it from such an address, also over connections that only one side told.
    for (let i = 0; i < texts.length; i++) {
      const from = client[i]!;
      if (from < 0) continue;
      const known = this.#callers.get(this.#calleeOf(service(from, CALLEE)));
      const address = known?.get(this.#addressOf(texts[i]!));
      if (address !== undefined) note(address, from, CALLER, callers);
    }
    for (const address of callers) this.#settle(address, windowStartMs, all);
  }

  /**
   * Forgets who was behind addresses that no leaf has any more, and marks the names of the others.
   * @param used  name id -> 1: a leaf has it. Cost: O(addresses).
   */
  forget(used: Uint8Array): void {
    const kept: Address[] = [];
    const sweep = (addresses: Map<number, Address>): void => {
      for (const [name, address] of addresses) {
        if (used[name] === 1) kept.push(address);
        else addresses.delete(name);
      }
    };
    sweep(this.#callees);
    for (const [callee, callers] of this.#callers) {
      if (used[callee] === 1) sweep(callers);
      if (used[callee] !== 1 || callers.size === 0) this.#callers.delete(callee);
    }
    for (const { candidates, behind } of kept) {
      for (const { service, instance, machine } of [...candidates, ...behind]) {
        used[service] = 1;
        used[instance] = 1;
        used[machine] = 1;
      }
    }
  }

  /** Puts names in the place of addresses. @returns false when there is nothing to put */
  rename(key: Uint32Array): boolean {
    const isClient = key[KEY_SIDE] === 0;
    const other = isClient ? CALLEE : CALLER;
    if (key[other.instance] !== 0) return false;
    const named = isClient
      ? theOne(this.#callees.get(key[KEY_CALLEE]!))
      : theOne(this.#callers.get(key[KEY_CALLEE]!)?.get(key[KEY_CALLER]!));
    if (named === undefined) return false;
    key[other.service] = named.service;
    key[other.instance] = named.instance;
    if (named.machine !== 0) key[other.machine] = named.machine;
    return true;
  }

  /** The same of an edge's key (caller, callee, side): each side knows its own end. */
  renameEdge(key: Uint32Array): boolean {
    const [caller = 0, callee = 0, side] = key;
    const [from, to] = this.edge(caller, callee);
    if (side === 0) key[1] = to;
    else key[0] = from;
    return key[0] !== caller || key[1] !== callee;
  }

  /** The callers of several services that the callee's host sees under one address; none where it is one service. */
  sharing(caller: number, callee: number): readonly Named[] {
    const behind = this.#callers.get(callee)?.get(caller)?.behind ?? [];
    return behind.length > 1 ? behind : [];
  }

  /** Callees that see several services under one address. */
  sharedCallees(): number[] {
    return [...this.#callers].flatMap(([callee, callers]) =>
      [...callers.values()].some(({ behind }) => behind.length > 1) ? [callee] : [],
    );
  }

  /** The services of an edge, by the ids that either side's records have. */
  edge(caller: number, callee: number): readonly [caller: number, callee: number] {
    const to = this.#calleeOf(callee);
    return [theOne(this.#callers.get(to)?.get(caller))?.service ?? caller, to];
  }

  /** Id of the address of `address:port`. */
  #addressOf(endpoint: string): number {
    return this.#names.id(endpoint.slice(0, endpoint.lastIndexOf(':')));
  }

  #calleeOf(name: number): number {
    return theOne(this.#callees.get(name))?.service ?? name;
  }

  #callersOf(callee: number): Map<number, Address> {
    let callers = this.#callers.get(callee);
    if (callers === undefined) {
      callers = new Map();
      this.#callers.set(callee, callers);
    }
    return callers;
  }

  #settle(address: Address, nowMs: number, ofWhich: (candidates: readonly Candidate[]) => readonly Candidate[]): void {
    address.candidates = address.candidates.filter(({ lastMs }) => lastMs >= nowMs - REMEMBERED_MS);
    const known = address.candidates;
    const one = only(known, ofWhich);
    const behind = one === undefined ? known.map(({ lastMs: _, ...named }) => named).sort(byIds) : [one];
    if (sameNames(behind, address.behind)) return;
    address.behind = behind;
    this.version++;
  }
}

/** Who is behind an address, if it is one service. */
function theOne(address: Address | undefined): Named | undefined {
  return address?.behind.length === 1 ? address.behind[0] : undefined;
}

function place(map: Map<number, Address>, name: number): Address {
  let address = map.get(name);
  if (address === undefined) {
    address = { candidates: [], behind: [] };
    map.set(name, address);
  }
  return address;
}

/** @returns false where it was known, and alone: then nothing can change. Cost: O(those behind the address) */
function renew({ candidates }: Address, nowMs: number, named: Named): boolean {
  const known = candidates.find((one) => byIds(one, named) === 0);
  if (known === undefined) candidates.push({ ...named, lastMs: nowMs });
  else known.lastMs = nowMs;
  return known === undefined || candidates.length > 1;
}

/** An address that was given away is its new owner's at once; */
function newest(candidates: readonly Candidate[]): readonly Candidate[] {
  const lastMs = Math.max(...candidates.map((one) => one.lastMs));
  return candidates.filter((one) => one.lastMs === lastMs);
}

/** but where several services call from it, none of them is the caller. */
function all(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates;
}

/** The one service of some of the candidates, with the instance and machine that all of its candidates have in common. */
function only(
  candidates: readonly Candidate[],
  ofWhich: (candidates: readonly Candidate[]) => readonly Candidate[],
): Named | undefined {
  const services = new Set(ofWhich(candidates).map(({ service }) => service));
  const [service] = services;
  if (service === undefined || services.size > 1) return undefined;
  const own = candidates.filter((one) => one.service === service);
  const same = (pick: (one: Named) => number): number => {
    const first = pick(own[0]!);
    return own.every((one) => pick(one) === first) ? first : 0;
  };
  return { service, instance: same(({ instance }) => instance), machine: same(({ machine }) => machine) };
}

function byIds(a: Named, b: Named): number {
  return a.service - b.service || a.instance - b.instance || a.machine - b.machine;
}

function sameNames(a: readonly Named[], b: readonly Named[]): boolean {
  return a.length === b.length && a.every((one, i) => byIds(one, b[i]!) === 0);
}

/** Client ends, and the leaf of either side that told each; negative: none. */
interface Connections {
  readonly texts: readonly string[];
  readonly client: Int32Array;
  readonly server: Int32Array;
}

const NONE = -1;
const SEVERAL = -2;

/** None where a side told two: one is what it was taken for before it was known. Cost: O(told). */
function bySide(told: readonly ToldEndpoint[], isClient: (leaf: number) => boolean): Connections {
  const places = new Map<string, number>();
  const texts: string[] = [];
  const client = new Int32Array(told.length).fill(NONE);
  const server = new Int32Array(told.length).fill(NONE);
  for (const { text, leaf } of told) {
    let i = places.get(text);
    if (i === undefined) {
      i = texts.length;
      places.set(text, i);
      texts.push(text);
    }
    const side = isClient(leaf) ? client : server;
    side[i] = side[i] === NONE || side[i] === leaf ? leaf : SEVERAL;
  }
  return { texts, client, server };
}
