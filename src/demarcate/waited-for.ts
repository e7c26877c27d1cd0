/** Who has a part in the trouble of a service: itself and whoever it calls. */

interface Topology {
  readonly symptoms?: readonly string[];
  readonly calls: readonly (readonly [caller: string, callee: string])[];
  readonly partOf: ReadonlyMap<string, string>;
}

/**
 * The symptoms and all that they call, directly or not, services and instances alike; undefined: no symptom is known to
 * call anybody. Cost: O(calls + instances).
 */
export function waitedFor({ symptoms = [], calls, partOf }: Topology): ReadonlySet<string> | undefined {
  if (symptoms.length === 0) return undefined;
  const callsOf = Map.groupBy(calls, ([caller]) => caller);
  const instancesOf = Map.groupBy(partOf, ([, service]) => service);
  const reached = new Set(symptoms);
  let callsAny = false;
  for (const node of reached) {
    const service = partOf.get(node);
    if (service !== undefined) reached.add(service);
    for (const [instance] of instancesOf.get(node) ?? []) reached.add(instance);
    for (const [, callee] of callsOf.get(node) ?? []) {
      reached.add(callee);
      callsAny = true;
    }
  }
  return callsAny ? reached : undefined;
}
