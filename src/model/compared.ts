/** The spans that a comparison is of, without their windows. */

export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** All windows of both are compared. */
export interface Compared {
  readonly baseline: TimeSpan;
  readonly current: TimeSpan;
}

export function comparedOf({ baseline, current }: Compared): Compared {
  const span = ({ fromMs, toMs }: TimeSpan): TimeSpan => ({ fromMs, toMs });
  return { baseline: span(baseline), current: span(current) };
}

/** Of what began at `sinceMs` the step that it is told by; the first comparison where it began with the incident. */
export function comparedSince<T extends Compared>(first: T, steps: readonly T[], sinceMs: number | undefined): T {
  return steps.find(({ current }) => current.fromMs === sinceMs) ?? first;
}
