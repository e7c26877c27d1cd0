/**
 * A new version brings the fault: its instances have names of their own, `cart-1-v2` for version `v2` in the place of `cart-1`,
 * drained first. One route of theirs burns `cpuMs` (default 0), makes each of its calls `times` times (default 1), answers
 * `status` (default 500) to `ratio` of its requests (default 0). `bad-release` replaces a service's instances one after the
 * other, `bad-canary` one of them. In the end the new version is mended: it stays, without the fault.
 */
import { whileDrained } from '../drained.ts';
import type { Lab } from '../lab.ts';
import type { Control } from '../services/service-config.ts';
import type { Arguments, Target } from '../types.ts';
import { endControl } from './control.ts';
import type { ActiveFault, StartFault } from './fault.ts';
import { numberArgument, textArgument } from './fault.ts';

export const badRelease: StartFault = async (lab, target, args) =>
  release(
    lab,
    lab.places(target.service ?? '').map(({ instance }) => instance),
    target,
    args,
  );

export const badCanary: StartFault = async (lab, target, args) => release(lab, [target.instance ?? ''], target, args);

async function release(
  lab: Lab,
  instances: readonly string[],
  { route = '' }: Target,
  args: Arguments,
): Promise<ActiveFault> {
  const version = textArgument(args, 'version', 'v2');
  const ratio = numberArgument(args, 'ratio', 0);
  const control: Control = {
    failures: ratio > 0 ? [{ route, status: numberArgument(args, 'status', 500), ratio }] : [],
    work: [{ route, cpuMs: numberArgument(args, 'cpuMs', 0), times: numberArgument(args, 'times', 1) }],
  };
  const fresh: string[] = [];
  for (const instance of instances) {
    fresh.push(await whileDrained(lab, instance, () => lab.replaceInstance(instance, version, control)));
  }
  return {
    stop: async () => {
      const counter = ratio > 0 ? 'failuresInjected' : 'workInjected';
      const counts = await Promise.all(fresh.map((name) => endControl(lab, name, counter)));
      return { replaced: fresh.length, [counter]: counts.reduce((sum, count) => sum + count, 0) };
    },
  };
}
