/** What a suspect, an anomaly or a piece of evidence speaks of. */
export const ENTITY_KINDS = ['service', 'instance', 'machine', 'edge'] as const;
export type EntityKind = (typeof ENTITY_KINDS)[number];

export interface Entity {
  readonly kind: EntityKind;
  /** Service, instance or machine name; for an edge `from -> to`. */
  readonly name: string;
  /** Only for edges: the calling and the called entity. */
  readonly from?: string;
  readonly to?: string;
}

export function service(name: string): Entity {
  return { kind: 'service', name };
}

export function instance(name: string): Entity {
  return { kind: 'instance', name };
}

export function machine(name: string): Entity {
  return { kind: 'machine', name };
}

export function edge(from: string, to: string): Entity {
  return { kind: 'edge', name: `${from} -> ${to}`, from, to };
}

/** Stable key of an entity: `kind:name`. */
export function entityKey(entity: Entity): string {
  return `${entity.kind}:${entity.name}`;
}

/** Code-unit order, never the locale's: ties break the same way on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareEntities(a: Entity, b: Entity): number {
  return compareNames(entityKey(a), entityKey(b));
}
