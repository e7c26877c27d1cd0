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
