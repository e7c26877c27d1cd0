/** Accounting from one symptom: its ledgers, their largest entries as suspects, and to what their waiting is moved. */
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, entityKey } from '../model/entity.ts';
import { addShares } from '../model/ledger-shares.ts';
import { firstOnsetMs } from '../model/onset.ts';
import type { Ledger, LedgerKind, Suspect, Walk } from '../model/walk.ts';
import { errorLedger } from './error-ledger.ts';
import { moveInducedWaiting } from './induced.ts';
import { latencyLedger } from './latency-ledger.ts';
import { withMachine } from './machines.ts';
import type { LedgerOf } from './noise.ts';
import { withNoise } from './noise.ts';
import { suspectsOf } from './suspects.ts';
import type { ChosenSymptom } from './symptom.ts';
import { LEDGER_OF } from './symptom.ts';
import type { System } from './system.ts';
import { trafficLedger } from './traffic-ledger.ts';
import { shareBelow } from './unmeasured.ts';

/** Below this score nothing stands out and the walk abstains. */
const ABSTAIN_SCORE = 0.25;
const MAX_SUSPECTS = 10;
/** An onset this much later than the symptom's cannot be its cause; less is within the resolution of windows. */
const LATE_WINDOWS = 2;
/** What a second ledger of the same incident counts for. */
const SECONDARY_WEIGHT = 0.6;

/** Cost: O(edges reached · sweeps of the ledger). */
export function walkFrom(system: System, comparison: Comparison, chosen: ChosenSymptom): Walk {
  const kinds: readonly LedgerKind[] = chosen.kinds.length > 0 ? chosen.kinds : ['latency', 'errors'];
  const ledgers = kinds.flatMap((kind) => ledgerOf(system, kind, chosen.entity.name) ?? []);
  const found = ledgers.flatMap((ledger, index) =>
    suspectsOf(system, comparison, ledger, index === 0 ? 1 : SECONDARY_WEIGHT).filter(
      (suspect) => !tooLate(comparison, chosen.entity, ledger.kind, suspect),
    ),
  );
  const moved = moveInducedWaiting(system, comparison, merge(found));
  const [lead, ...others] = [...withMachine(comparison, moved)].sort(byScore);
  const below = lead === undefined ? { suspects: [], notes: [] } : shareBelow(system, comparison, lead);
  const kind = lead?.term === 'originated' ? 'errors' : 'latency';
  const timely = below.suspects.filter((suspect) => !tooLate(comparison, chosen.entity, kind, suspect));
  const suspects = merge([...timely, ...others])
    .sort(byScore)
    .slice(0, MAX_SUSPECTS);
  const notes = [...notesOf(system, ledgers), ...below.notes];
  return { symptom: chosen.entity, ledgers, suspects, abstained: (suspects[0]?.score ?? 0) < ABSTAIN_SCORE, notes };
}

function byScore(a: Suspect, b: Suspect): number {
  return b.score - a.score || compareNames(entityKey(a.entity), entityKey(b.entity));
}

const LEDGERS_OF: Readonly<Record<LedgerKind, LedgerOf>> = {
  latency: latencyLedger,
  errors: errorLedger,
  traffic: trafficLedger,
};

function ledgerOf(system: System, kind: LedgerKind, entry: string): Ledger | undefined {
  return withNoise(system, entry, LEDGERS_OF[kind]);
}

/** The same entity named by several entries or ledgers: its best entry leads, scores add at a discount. */
function merge(found: readonly Suspect[]): Suspect[] {
  const byKey = new Map<string, Suspect>();
  for (const suspect of [...found].sort((a, b) => b.score - a.score || compareNames(a.term, b.term))) {
    const key = entityKey(suspect.entity);
    const first = byKey.get(key);
    if (first === undefined) byKey.set(key, suspect);
    else {
      const texts = new Set(first.observations.map(({ text }) => text));
      byKey.set(key, {
        ...first,
        shares: addShares(first.shares, suspect.shares),
        score: first.score + suspect.score / 2,
        observations: [...first.observations, ...suspect.observations.filter(({ text }) => !texts.has(text))],
      });
    }
  }
  return [...byKey.values()];
}

/**
 * Began after what it should have caused: the symptom of its ledger's kind, as an incident's latency may have risen a
 * little, for other reasons, before its errors did.
 */
function tooLate(comparison: Comparison, symptom: Entity, kind: LedgerKind, suspect: Suspect): boolean {
  if (suspect.onsetMs === undefined) return false;
  const own = comparison.anomalies.filter(({ entity }) => entityKey(entity) === entityKey(symptom));
  const ofKind = own.filter((anomaly) => LEDGER_OF[anomaly.symptom] === kind);
  // What grew little by little shows at each when it is large enough there, in any order.
  if (ofKind.some(({ grownMs }) => grownMs !== undefined)) return false;
  // The latest it may have begun: what cannot be told is not held against anybody.
  return suspect.onsetMs > firstOnsetMs(ofKind.length > 0 ? ofKind : own) + LATE_WINDOWS * comparison.windowMs;
}

function notesOf(system: System, ledgers: readonly Ledger[]): string[] {
  const notes: string[] = [];
  for (const name of system.services) {
    const node = system.service(name);
    if (node?.client !== undefined && node.client.current.count > 0 && node.server === undefined)
      notes.push(
        `${name} is seen only by its callers: its time is kept whole, network and service cannot be told apart`,
      );
  }
  for (const ledger of ledgers) {
    const rest = ledger.entries.find(({ term }) => term === 'unexplained');
    if (rest !== undefined && Math.abs(rest.share) > 0.2)
      notes.push(`${Math.round(Math.abs(rest.share) * 100)} % of the ${ledger.kind} change is unexplained`);
  }
  return notes;
}
