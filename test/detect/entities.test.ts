import { describe, expect, it } from 'vitest';
import { Entities } from '../../src/detect/entities.ts';
import type { Names } from '../../src/model/window.ts';

const TEXTS = ['', 'main', 'cart', 'web', 'host-1', 'host-2'];
const NAMES = { size: TEXTS.length, name: (id: number) => TEXTS[id] ?? '' } as Names;

/** Leaves of an instance `main`: service and machine, in this order. */
function placed(...windows: readonly (readonly (readonly [service: string, machine: string])[])[]) {
  const entities = new Entities();
  for (const leaves of windows) {
    const resolver = entities.resolver(NAMES);
    for (const [service, machine] of leaves) resolver.instance(1, TEXTS.indexOf(service), TEXTS.indexOf(machine));
  }
  return [entities.instanceService.get('main'), entities.instanceMachine.get('main')];
}

describe('an instance name that occurs in two services', () => {
  it.each([
    [
      ['cart', 'host-1'],
      ['web', 'host-1'],
    ],
    [
      ['cart', 'host-1'],
      ['web', 'host-2'],
    ],
    [
      ['cart', 'host-2'],
      ['web', 'host-1'],
    ],
  ] as const)('%s, %s: is placed alike in whatever order they come', (a, b) => {
    expect(placed([b, a])).toEqual(placed([a, b]));
    expect(placed([a, b, a])).toEqual(placed([a, b]));
    expect(placed([a, b])[0]).toBe('cart');
  });

  it('is placed where it was told of last', () => {
    expect(placed([['cart', 'host-1']], [['web', 'host-2']])).toEqual(['web', 'host-2']);
    expect(placed([['web', 'host-2']], [['cart', 'host-1']])).toEqual(['cart', 'host-1']);
  });
});
