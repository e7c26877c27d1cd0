/** Whether a run lets the engine learn what is normal before its first fault. */
import { DEFAULT_CONFIG } from '../src/config.ts';
import { DEFAULT_WINDOW_MS } from '../src/model/units.ts';
import type { Scenario } from './types.ts';

const WINDOW_S = DEFAULT_WINDOW_MS / 1_000;

/** @returns what to say when the warm-up is too short for any report; undefined when it is not */
export function warmUpWarning(scenario: Scenario, timeScale: number): string | undefined {
  const neededS = DEFAULT_CONFIG.engine.warmupWindows * WINDOW_S;
  if (scenario.warmUpS >= neededS) return undefined;
  const given = Number(scenario.warmUpS.toFixed(1));
  return `a warm-up of ${given} s is shorter than the ${neededS} s after which the engine judges: expect no report. Mend: --warm-up ${Math.ceil(neededS / timeScale)}${timeScale === 1 ? '' : ` (times ${timeScale})`}`;
}
