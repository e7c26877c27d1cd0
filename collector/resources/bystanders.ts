/**
 * Processes that belong to no service and take much CPU: a backup, a build, a log shipper, a thread of the kernel. They have
 * no calls, and are told as instances without a service, so that who suffers beside them can be told from whom.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceRecord } from '../../src/model/records.ts';
import { readKeys } from './files.ts';
import type { ProcessCounters } from './process.ts';

/** Cores from which on a program is told, and samples for which it is told after it used so much. */
const MIN_CORES = 0.1;
const TOLD_SAMPLES = 120;
/** Programs told at once; of more, those with the most CPU. */
const MAX_TOLD = 32;

interface Program {
  cpuUsedUs: number;
  residentBytes: number;
  readonly pids: number[];
}

interface Disk {
  readonly readBytes: number;
  readonly writeBytes: number;
}

export interface BystanderOptions {
  readonly procRoot: string;
  readonly hostName: string;
  /** Name of the machine that a network namespace is. */
  readonly machineOf: (netns: number) => string;
}

export class Bystanders {
  readonly #options: BystanderOptions;
  #before = new Map<number, ProcessCounters>();
  #now = new Map<number, ProcessCounters>();
  #programs = new Map<string, Program>();
  /** Program and machine -> samples for which it is still told. */
  readonly #told = new Map<string, number>();
  #disk = new Map<number, Disk>();

  constructor(options: BystanderOptions) {
    this.#options = options;
  }

  /** A process of no service in this sample. */
  add(process: ProcessCounters): void {
    this.#now.set(process.pid, process);
    const before = this.#before.get(process.pid);
    // Who began since the last sample used all it has since then; at the first sample nothing is known.
    const known =
      before?.startTicks === process.startTicks ? before.cpuUsedUs : this.#before.size === 0 ? Number.NaN : 0;
    if (Number.isNaN(known)) return;
    const name = programOf(process.command);
    let program = this.#programs.get(name);
    if (program === undefined) {
      program = { cpuUsedUs: 0, residentBytes: 0, pids: [] };
      this.#programs.set(name, program);
    }
    program.cpuUsedUs += Math.max(0, process.cpuUsedUs - known);
    program.residentBytes += process.residentBytes;
    program.pids.push(process.pid);
  }

  /** Ends the sample. Cost: two small files for each process that is told. */
  records(elapsedMs: number): ResourceRecord[] {
    const least = MIN_CORES * elapsedMs * 1000;
    const found = [...this.#programs]
      .filter(([name, { cpuUsedUs }]) => cpuUsedUs >= least || this.#told.has(name))
      .sort(([a, x], [b, y]) => y.cpuUsedUs - x.cpuUsedUs || (a < b ? -1 : 1))
      .slice(0, MAX_TOLD);
    for (const [name, left] of this.#told) {
      if (left <= 1) this.#told.delete(name);
      else this.#told.set(name, left - 1);
    }
    const disk = new Map<number, Disk>();
    const records = found.map(([name, program]): ResourceRecord => {
      if (program.cpuUsedUs >= least) this.#told.set(name, TOLD_SAMPLES);
      const machine = this.#machineOf(program);
      return {
        entityKind: 'instance',
        entity: `${name}@${machine}`,
        machine,
        cpuUsedUs: Math.round(program.cpuUsedUs),
        memoryUsedBytes: program.residentBytes,
        processCount: program.pids.length,
        ...this.#diskOf(program, disk),
      };
    });
    this.#disk = disk;
    this.#before = this.#now;
    this.#now = new Map();
    this.#programs = new Map();
    return records;
  }

  /** Of its first process: programs of one name on several machines are told on one of them. */
  #machineOf({ pids }: Program): string {
    const { procRoot, machineOf, hostName } = this.#options;
    try {
      return machineOf(statSync(join(procRoot, String(pids[0]), 'ns', 'net')).ino);
    } catch {
      return hostName;
    }
  }

  #diskOf({ pids }: Program, now: Map<number, Disk>): Pick<ResourceRecord, 'diskReadBytes' | 'diskWriteBytes'> {
    let readBytes = 0;
    let writeBytes = 0;
    let isKnown = false;
    for (const pid of pids) {
      const io = readKeys(join(this.#options.procRoot, String(pid), 'io'));
      const disk = { readBytes: io?.get('read_bytes') ?? Number.NaN, writeBytes: io?.get('write_bytes') ?? Number.NaN };
      now.set(pid, disk);
      const before = this.#disk.get(pid) ?? (this.#before.has(pid) ? undefined : { readBytes: 0, writeBytes: 0 });
      if (before === undefined || !(disk.readBytes >= before.readBytes && disk.writeBytes >= before.writeBytes))
        continue;
      isKnown = true;
      readBytes += disk.readBytes - before.readBytes;
      writeBytes += disk.writeBytes - before.writeBytes;
    }
    return isKnown ? { diskReadBytes: readBytes, diskWriteBytes: writeBytes } : {};
  }
}

/** Threads of the kernel have the work in their names: `kworker/1:2-events`. */
function programOf(command: string): string {
  return command.replace(/[/:].*$/, '') || command;
}
