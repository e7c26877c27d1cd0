/** The file that tells a service process who it is and what its routes do; written by the lab, read by every runtime. */
import type { Route } from '../types.ts';

export interface ServiceConfig {
  readonly service: string;
  readonly instance: string;
  readonly address: string;
  readonly port: number;
  readonly seed: number;
  readonly callTimeoutMs: number;
  readonly sqlTimeoutMs: number;
  readonly routes: readonly Route[];
  /** Who is where: {@link Peers}, read again when it changes. */
  readonly peersFile: string;
  /** Failures to inject: {@link Control}, read again when it changes. A file, so that no request carries it. */
  readonly controlFile: string;
}

export interface Peer {
  readonly instance: string;
  readonly address: string;
  readonly port: number;
}

export interface Peers {
  readonly services: Readonly<Record<string, readonly Peer[]>>;
  readonly stores: Readonly<Record<string, Peer>>;
}

export interface Control {
  readonly failures: readonly {
    /** `GET /products/:id` */
    readonly route: string;
    readonly status: number;
    /** Share of the requests that fail, 0..1. */
    readonly ratio: number;
  }[];
  /** Routes that do more than before. Node services only. */
  readonly work?: readonly Work[];
  /** Memory kept of each request, in KiB. Node services only. */
  readonly leakKbPerRequest?: number;
}

export interface Work {
  readonly route: string;
  /** CPU time more for each request. */
  readonly cpuMs: number;
  /** How often every call and statement is made, one after the other. */
  readonly times: number;
}

/** What a service writes to its standard output, one JSON object a line. */
export type ServiceLine =
  | { readonly ready: true; readonly port: number }
  /** Each time the control file changed. */
  | { readonly failuresInjected: number; readonly workInjected?: number }
  | { readonly stopped: true; readonly requests: number; readonly failuresInjected: number };
