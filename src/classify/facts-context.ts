/** Facts of what surrounds the suspect: changes of state, and the state of the telemetry itself. */

import { isCrash, isToldExit } from '../model/crash.ts';
import { compareNames } from '../model/entity.ts';
import type { ChangeRecord } from '../model/records.ts';
import { CHANGE_KINDS } from '../model/records.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { probeAttached } from './facts-edge.ts';
import type { Scope } from './scope.ts';

/** Changes longer ago than this are not called a cause. Two minutes: a deploy's usual warm-up. */
const CHANGE_LOOKBACK_MS = 120_000;

/** Changes of the suspect and of what is part of it, from a little before the symptom on. */
export function changesOf(scope: Scope): ChangeRecord[] {
  const since = scope.symptomMs - CHANGE_LOOKBACK_MS;
  return scope.comparison.changes.filter((change) => belongs(scope, change) && change.atMs >= since);
}

export function changeFacts(scope: Scope, sheet: FactSheet): void {
  const watched = probeAttached(scope, /sched_process_exit|process_exit/) || scope.comparison.changes.length > 0;
  const own = changesOf(scope);
  for (const kind of CHANGE_KINDS) {
    const found = own.filter((change) => change.change === kind);
    const last = found.length === 0 ? null : Math.max(...found.map((change) => change.atMs));
    const first = found.length === 0 ? null : Math.min(...found.map((change) => change.atMs));
    const seen = kind === 'oom_kill' ? found.length > 0 || probeAttached(scope, /mark_victim|oom/) : watched;
    setFact(sheet, `change.count.${kind}`, seen ? found.length : null, first);
    setFact(sheet, `change.before_symptom_s.${kind}`, last === null ? null : (scope.symptomMs - last) / 1000, first);
  }
  // An instance that is gone reports no counters; its kills are events all the same.
  const kills = sheet.get('change.count.oom_kill');
  if (sheet.get('instance.oom_kills')?.value === null && kills !== undefined) sheet.set('instance.oom_kills', kills);
  const exits = own
    .filter((change) => change.change === 'process_exit')
    .sort((a, b) => a.atMs - b.atMs || compareNames(a.entity, b.entity));
  const exit = exits.at(-1);
  const crashes = exits.filter(isCrash);
  const isKnown = crashes.length > 0 || (watched && exits.every(isToldExit));
  setFact(sheet, 'change.crashes', isKnown ? crashes.length : null, crashes[0]?.atMs ?? null);
  setFact(sheet, 'change.process_exit_signal', exit?.signal ?? null, exit?.atMs ?? null);
  const starts = own.filter((change) => change.change === 'process_start');
  const first = starts.length === 0 ? null : Math.min(...starts.map(({ atMs }) => atMs));
  setFact(
    sheet,
    'change.first_start_before_symptom_s',
    first === null ? null : (scope.symptomMs - first) / 1000,
    first,
  );
  setFact(
    sheet,
    'change.process_restarted',
    exit === undefined ? null : starts.some((start) => start.atMs >= exit.atMs && start.entity === exit.entity),
  );
}

function belongs(scope: Scope, change: ChangeRecord): boolean {
  switch (change.entityKind) {
    case 'service':
      return change.entity === scope.service;
    case 'instance':
      return (
        scope.instanceNames.has(change.entity) || (scope.entity.kind !== 'instance' && isOwn(scope, change.service))
      );
    case 'machine':
      return scope.machineNames.has(change.entity);
  }
}

function isOwn(scope: Scope, service: string | undefined): boolean {
  return service !== undefined && service === scope.service;
}

/** A collector whose call records are lost in more than this share of the windows is as good as silent. */
const MOST = 0.5;

export function telemetryFacts(scope: Scope, sheet: FactSheet): void {
  const { health, current, windowMs } = scope.comparison;
  const lost = Object.values(health.lost).reduce((sum, count) => sum + count, 0);
  const all = lost + health.eventsReceived;
  setFact(sheet, 'telemetry.lost_ratio', all > 0 ? lost / all : null);
  setFact(sheet, 'telemetry.silent_collectors', health.silentCollectors.length);
  const silent = new Set(health.silentCollectors);
  for (const { collector, type, windows, ofWindows } of health.lostRecords) {
    if (type === 'call' && windows > ofWindows * MOST) silent.add(collector);
  }
  setFact(
    sheet,
    'telemetry.suspect_silent',
    scope.machineNames.size === 0 ? null : [...scope.machineNames].some((machine) => silent.has(machine)),
  );
  const probes = health.collectors.flatMap((c) => c.record.probes.filter((probe) => probe.state === 'missing'));
  const names = [...new Set(probes.map((probe) => probe.name))].sort(compareNames);
  setFact(sheet, 'telemetry.missing_probes', health.collectors.length === 0 ? null : names);
  const expected = Math.round((current.toMs - current.fromMs) / windowMs);
  setFact(sheet, 'telemetry.coverage_ratio', expected > 0 ? Math.min(1, current.windows / expected) : null);
}
