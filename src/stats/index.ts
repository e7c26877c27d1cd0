/** Robust statistics, sketches, tail probabilities, change points, seeded randomness. */
export * from './change-point.ts';
export * from './histogram.ts';
export * from './random.ts';
export * from './robust.ts';
export * from './tails.ts';
