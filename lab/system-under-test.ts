/**
 * The seam between the lab and what it measures. The lab brings machines, load, faults, a broker and a webhook
 * receiver; a system under test watches and delivers reports. Ours is in rootwalk-system.ts; another can be measured by
 * implementing this interface.
 */
import type { MessageType } from '../src/model/outbox.ts';
import type { Report } from '../src/model/report.ts';
import type { SystemPart } from './types.ts';
import type { ReceivedWebhook } from './webhook-receiver.ts';

export const BUS_KINDS = ['kafka', 'embedded'] as const;
export type BusKind = (typeof BUS_KINDS)[number];

export interface SystemContext {
  /** `deployment.environment.name` of the lab's telemetry. */
  readonly environment: string;
  readonly bus: BusKind;
  /** host:port; empty for the embedded bus. */
  readonly brokers: readonly string[];
  /** Where reports are to be sent, signed with this secret (Standard Webhooks). */
  readonly webhook: { readonly url: string; readonly secret: string };
  /** What each collector watches. */
  readonly hosts: readonly {
    readonly name: string;
    /** Who listens where and which process is what there; rewritten when a process starts or ends. */
    readonly namingFile: string;
    /** Inodes of the network namespaces that stand for its machines. */
    readonly netns: readonly number[];
  }[];
  /** For everything the system writes. */
  readonly outDir: string;
  /** Everything the webhook receiver has accepted so far: right signature, answered 2xx. */
  readonly accepted: () => readonly ReceivedWebhook[];
  readonly log: (line: string) => void;
}

/** A report as it reached its receiver. */
export interface DeliveredReport {
  readonly receivedMs: number;
  readonly type: MessageType;
  readonly report: Report;
}

export interface SystemUnderTest {
  /** Resolves when it watches: the load starts then. */
  start(context: SystemContext): Promise<void>;
  /** Kills one part (SIGKILL) and starts it again `downMs` later. Resolves when it is back. */
  restart(part: SystemPart, downMs: number): Promise<void>;
  /** Ends it in order; what is on its way is delivered first. Safe to call after a failed start. */
  stop(): Promise<void>;
  /** Every report delivered so far, in the order of arrival. */
  reports(): Promise<readonly DeliveredReport[]>;
  /** Figures of its own for the result, such as CPU seconds; asked before stop. */
  figures(): Promise<Readonly<Record<string, number>>>;
}

export type SystemFactory = () => SystemUnderTest;
