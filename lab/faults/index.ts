/** The faults the lab can inject. A new one is one file and one line here, one in FAULT_NEEDS, one in the schema. */
import type { FaultKind } from '../types.ts';
import { badCanary, badRelease } from './bad-release.ts';
import { connectionLimit } from './connection-limit.ts';
import { connectionReset } from './connection-reset.ts';
import { cpuThrottle } from './cpu-throttle.ts';
import { databaseLock, slowStatement } from './database.ts';
import { errorBurst } from './error-burst.ts';
import type { StartFault } from './fault.ts';
import { firewallDrop } from './firewall-drop.ts';
import { instanceKilled } from './instance-killed.ts';
import { linkRate } from './link-rate.ts';
import { memoryLeak } from './memory-leak.ts';
import { repeatedCalls, slowCode } from './more-work.ts';
import { linkLoss, packetLoss } from './packet-loss.ts';
import { pathDelay } from './path-delay.ts';
import { processHang } from './process-hang.ts';
import { serviceKilled } from './service-killed.ts';
import { storeBlocked } from './store-blocked.ts';
import { trafficSurge } from './traffic-surge.ts';

export const FAULTS: Readonly<Record<FaultKind, StartFault>> = {
  'packet-loss': packetLoss,
  'link-loss': linkLoss,
  'firewall-drop': firewallDrop,
  'service-killed': serviceKilled,
  'cpu-throttle': cpuThrottle,
  'db-lock': databaseLock,
  'slow-statement': slowStatement,
  'error-burst': errorBurst,
  'slow-code': slowCode,
  'repeated-calls': repeatedCalls,
  'process-hang': processHang,
  'instance-killed': instanceKilled,
  'connection-reset': connectionReset,
  'store-blocked': storeBlocked,
  'path-delay': pathDelay,
  'link-rate': linkRate,
  'traffic-surge': trafficSurge,
  'memory-leak': memoryLeak,
  'connection-limit': connectionLimit,
  'bad-release': badRelease,
  'bad-canary': badCanary,
};
