/** Settings of the ranking without call records; docs/walk.md has what they were chosen by. */
import type { Family } from './families.ts';

export interface FallbackSettings {
  /** A resource or a node's own time is nearer to a cause than what it does to others. */
  readonly weights: Readonly<Record<Family, number>>;
  /** A machine has many counters and many tenants: alone it is seldom the cause. */
  readonly machine: number;
  /** A far end that nobody observes: when an observed node shows as much, it is that one seen from outside. */
  readonly unobserved: number;
  /** A node that no service in trouble calls, directly or not. */
  readonly beside: number;
  /** What an entry without measures of its own passes on to whom it calls. */
  readonly passedOn: number;
  /** Of a slow edge's network time, what the end whose edges are worse is blamed for beyond its mean. */
  readonly blamed: number;
  /** What the families beside the leading one count. */
  readonly rest: number;
  /** Of a symptom, what a callee with as much of the same explains. */
  readonly explains: number;
  /** Scatter below this share of the level is the resolution of most sources. */
  readonly minScatter: number;
  /** A smaller rise of a ratio of errors counts less, in proportion. */
  readonly minErrorRatio: number;
  /** Of a metric's usual level over the nodes: moves below it are the noise of idle nodes. */
  readonly idle: number;
  /** A counter that mostly stands still has its scatter in its rare spikes: range over this. */
  readonly spikeRange: number;
  /** Deviations count from here on, in robust standard deviations. */
  readonly quietZ: number;
  /** Beyond this many, more says nothing: the series had hardly moved before. */
  readonly maxZ: number;
}

export const DEFAULT_FALLBACK: FallbackSettings = {
  weights: {
    cpu: 1,
    memory: 1,
    disk: 0.7,
    self_time: 1,
    errors: 1,
    latency: 0.9,
    network: 0.7,
    loss: 0.7,
    traffic: 0.4,
    other: 0.3,
  },
  machine: 0.6,
  unobserved: 0.8,
  beside: 0.5,
  passedOn: 0.9,
  blamed: 0.75,
  rest: 0.3,
  explains: 0.7,
  minScatter: 0.05,
  minErrorRatio: 0.01,
  idle: 0.002,
  spikeRange: 4,
  quietZ: 3,
  maxZ: 100,
};
