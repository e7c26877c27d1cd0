/**
 * What the settings of the fallback are worth on systems they were not chosen on. For every system left out, each setting
 * goes through its alternatives and takes the one that ranks most roots first on the others, one setting after the other
 * (two rounds; ties keep the default); the result is measured on the system left out.
 */
import { rankNodes } from '../../src/demarcate/fallback.ts';
import type { FallbackSettings } from '../../src/demarcate/fallback-settings.ts';
import { DEFAULT_FALLBACK } from '../../src/demarcate/fallback-settings.ts';
import { FAMILIES } from '../../src/demarcate/families.ts';
import type { System } from './labelled.ts';
import { readSystem } from './labelled.ts';

/** Every setting with what it is tried with, as factors of its default. */
const FACTORS = [0.5, 0.7, 1.4, 2];
const NAMES = Object.keys(DEFAULT_FALLBACK).filter((name) => name !== 'weights') as Exclude<
  keyof FallbackSettings,
  'weights'
>[];
const ROUNDS = 2;

type Change = (settings: FallbackSettings) => FallbackSettings;

function alternatives(): { readonly name: string; readonly changes: readonly Change[] }[] {
  return [
    ...NAMES.map((name) => ({
      name,
      changes: FACTORS.map(
        (factor): Change =>
          (settings) => ({ ...settings, [name]: DEFAULT_FALLBACK[name] * factor }),
      ),
    })),
    ...FAMILIES.map((family) => ({
      name: `weight of ${family}`,
      changes: FACTORS.map(
        (factor): Change =>
          (settings) => ({
            ...settings,
            weights: { ...settings.weights, [family]: DEFAULT_FALLBACK.weights[family] * factor },
          }),
      ),
    })),
  ];
}

export function printLeaveOneOut(packs: readonly string[]): void {
  const systems = packs.map(readSystem).filter(({ cases }) => cases.length > 0);
  const known = new Map<string, number>();
  const firsts = (system: System, settings: FallbackSettings): number => {
    const key = `${system.name} ${JSON.stringify(settings)}`;
    const found = known.get(key) ?? count(system, settings);
    known.set(key, found);
    return found;
  };
  console.log('\nleave one system out: settings chosen on the others, AC@1 on the one left out');
  for (const left of systems) {
    const others = systems.filter((system) => system !== left);
    // Every system counts alike, whatever its number of cases.
    const worth = (settings: FallbackSettings): number =>
      others.reduce((sum, system) => sum + firsts(system, settings) / system.cases.length, 0);
    let chosen = DEFAULT_FALLBACK;
    const moved = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, changes } of alternatives()) {
        for (const settings of changes.map((change) => change(chosen))) {
          if (worth(settings) <= worth(chosen) + 1e-9) continue;
          chosen = settings;
          moved.add(name);
        }
      }
    }
    const share = (settings: FallbackSettings): string => (firsts(left, settings) / left.cases.length).toFixed(3);
    console.log(
      `  ${left.name}: ${share(chosen)} (default ${share(DEFAULT_FALLBACK)}); moved: ${[...moved].join(', ') || 'nothing'}`,
    );
  }
  console.log('\none setting at a time: AC@1 of each system with its alternatives (factors of the default)');
  for (const { name, changes } of alternatives()) {
    const cells = systems.map((system) => {
      const own = firsts(system, DEFAULT_FALLBACK);
      const rows = changes.map((change) => firsts(system, change(DEFAULT_FALLBACK)) - own);
      return `${system.name} ${rows.map((more) => (more > 0 ? `+${more}` : `${more}`)).join(' ')}`;
    });
    console.log(`  ${name} x${FACTORS.join(' x')}: ${cells.join('; ')}`);
  }
}

function count({ cases }: System, settings: FallbackSettings): number {
  return cases.filter(({ evidence, root }) => rankNodes(evidence, settings)[0]?.node === root).length;
}
