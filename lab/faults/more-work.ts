/**
 * One route of one instance does more for each request: `slow-code` burns `cpuMs` (default 25), `repeated-calls` makes each
 * of its calls and statements `times` times (default 10), one after the other.
 */
import type { Lab } from '../lab.ts';
import type { Work } from '../services/service-config.ts';
import type { Target } from '../types.ts';
import { endControl } from './control.ts';
import type { ActiveFault, StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

export const slowCode: StartFault = async (lab, target, args) =>
  start(lab, target, { cpuMs: numberArgument(args, 'cpuMs', 25), times: 1 });

export const repeatedCalls: StartFault = async (lab, target, args) =>
  start(lab, target, { cpuMs: 0, times: numberArgument(args, 'times', 10) });

function start(lab: Lab, target: Target, more: Omit<Work, 'route'>): ActiveFault {
  const instance = target.instance ?? '';
  lab.control(instance, { failures: [], work: [{ route: target.route ?? '', ...more }] });
  return { stop: async () => ({ workInjected: await endControl(lab, instance, 'workInjected') }) };
}
