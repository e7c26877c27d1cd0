/**
 * What others reach on these sets, and what is asked of us. F1 and mean CPU seconds per case on a machine of two cores,
 * measured with the methods' public code: MULTIDIM.md section 12. The prototype is the one of its section 11.
 */
export interface Bar {
  readonly riskloc: string;
  readonly risklocSeconds: string;
  readonly autoroot: string;
  readonly squeeze: string;
  readonly prototype: string;
  /** F1 to reach, and hoped for. */
  readonly target: number;
  readonly hope: number;
  /** Share of cases whose `external` is right. */
  readonly externalTarget?: number;
}

/** Section 12 gives one row for the four noisy sets together. */
const NOISY: Bar = {
  riskloc: '.90-.99',
  risklocSeconds: '.3-.4',
  autoroot: '.77-.93',
  squeeze: '.71 (B4n)',
  prototype: '.986-1.0',
  target: 0.99,
  hope: 1,
};

export const BARS: Readonly<Record<string, Bar>> = {
  B0: {
    riskloc: '.961',
    risklocSeconds: '.34',
    autoroot: '.918',
    squeeze: '.956',
    prototype: '.986',
    target: 0.99,
    hope: 1,
  },
  B1n: NOISY,
  B2n: NOISY,
  B3n: NOISY,
  B4n: NOISY,
  S: {
    riskloc: '.588',
    risklocSeconds: '8.1',
    autoroot: '.508',
    squeeze: '0',
    prototype: '.757',
    target: 0.8,
    hope: 0.85,
  },
  L: {
    riskloc: '.700',
    risklocSeconds: '1.0',
    autoroot: '.514',
    squeeze: '.167',
    prototype: '.917',
    target: 0.93,
    hope: 0.95,
  },
  RS: {
    riskloc: '.098',
    risklocSeconds: '.65',
    autoroot: '.326',
    squeeze: '.170',
    prototype: '.672',
    target: 0.75,
    hope: 0.8,
  },
  Aprime: {
    riskloc: '0',
    risklocSeconds: '8.6',
    autoroot: '.065',
    squeeze: '.053',
    prototype: '.513',
    target: 0.65,
    hope: 0.75,
  },
  X: {
    riskloc: '.191',
    risklocSeconds: '1.3',
    autoroot: '.353',
    squeeze: '.217',
    prototype: '.776-.819',
    target: 0.9,
    hope: 0.95,
    externalTarget: 0.95,
  },
};
