/** The faults the lab can inject. A new one is one file and one line here, one in FAULT_NEEDS, one in the schema. */
import type { FaultKind } from '../types.ts';
import { cpuThrottle } from './cpu-throttle.ts';
import { databaseLock, slowStatement } from './database.ts';
import { errorBurst } from './error-burst.ts';
import type { StartFault } from './fault.ts';
import { firewallDrop } from './firewall-drop.ts';
import { repeatedCalls, slowCode } from './more-work.ts';
import { linkLoss, packetLoss } from './packet-loss.ts';
import { serviceKilled } from './service-killed.ts';

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
};
