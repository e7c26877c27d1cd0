/** The one table of protocols. The order is the order of inference: the strictest first. */
import { fastcgi } from './fastcgi/index.ts';
import { http1 } from './http1/index.ts';
import { http2 } from './http2/index.ts';
import { mysql } from './mysql/index.ts';
import { postgresql } from './postgresql/index.ts';
import type { Flow, Protocol } from './protocol.ts';
import { redis } from './redis/index.ts';

export const PROTOCOLS: readonly Protocol[] = [http1, http2, redis, fastcgi, postgresql, mysql];

export interface Inference {
  readonly protocol: Protocol;
  readonly flow: Flow;
}

/** Which protocol the first bytes of one direction of a connection speak, and which side sent them. */
export function inferProtocol(bytes: Buffer, start: number, end: number): Inference | undefined {
  for (const protocol of PROTOCOLS) {
    const flow = protocol.infer(bytes, start, end);
    if (flow !== undefined) return { protocol, flow };
  }
  return undefined;
}
