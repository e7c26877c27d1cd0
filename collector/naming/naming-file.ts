/**
 * The naming file: who listens where and which process is what, written by whoever deploys (the lab, an operator).
 *
 *   { "version": 1,
 *     "machines":  [{ "name": "m1", "netns": "rw-m1", "netnsInode": 4026532300, "addresses": ["10.9.0.1"] }],
 *     "endpoints": [{ "address": "10.9.0.1", "port": 8080, "service": "cart", "instance": "cart-1", "machine": "m1" }],
 *     "processes": [{ "pid": 1234, "service": "cart", "instance": "cart-1", "machine": "m1" }] }
 *
 * A process entry speaks for its children too. The file is read again when it changes; a broken new version is
 * reported and the old one stays in force.
 */
import { readFileSync, statSync } from 'node:fs';
import { RcaError } from '../../src/model/errors.ts';

export interface NamedMachine {
  readonly name: string;
  readonly netns?: string;
  readonly netnsInode?: number;
  readonly addresses?: readonly string[];
}

export interface NamedEndpoint {
  readonly address: string;
  readonly port: number;
  readonly service: string;
  readonly instance?: string;
  readonly machine?: string;
}

export interface NamedProcess {
  readonly pid: number;
  readonly service: string;
  readonly instance?: string;
  readonly machine?: string;
}

export interface Naming {
  readonly machines: readonly NamedMachine[];
  readonly endpoints: readonly NamedEndpoint[];
  readonly processes: readonly NamedProcess[];
}

export const EMPTY_NAMING: Naming = { machines: [], endpoints: [], processes: [] };

type Row = Readonly<Record<string, unknown>>;

function rows(value: unknown, name: string, required: Readonly<Record<string, string>>, problems: string[]): Row[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.push(`${name}: expected a list`);
    return [];
  }
  return value.filter((row: unknown, index): row is Row => {
    if (typeof row !== 'object' || row === null) {
      problems.push(`${name}[${index}]: expected an object`);
      return false;
    }
    const bad = Object.entries(required).filter(([key, type]) => typeof (row as Row)[key] !== type);
    for (const [key, type] of bad) problems.push(`${name}[${index}].${key}: expected a ${type}`);
    return bad.length === 0;
  });
}

/**
 * @throws {RcaError} RCA_BAD_CONFIG naming every wrong entry at once
 */
export function parseNaming(text: string, path: string): Naming {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `naming file ${path}: expected JSON, found ${(cause as Error).message}`,
      {},
      cause,
    );
  }
  const problems: string[] = [];
  const file = (typeof value === 'object' && value !== null ? value : {}) as Row;
  if (file.version !== 1) problems.push(`version: expected 1, found ${JSON.stringify(file.version)}`);
  const naming = {
    machines: rows(file.machines, 'machines', { name: 'string' }, problems),
    endpoints: rows(file.endpoints, 'endpoints', { address: 'string', port: 'number', service: 'string' }, problems),
    processes: rows(file.processes, 'processes', { pid: 'number', service: 'string' }, problems),
  };
  if (problems.length > 0) {
    throw new RcaError('RCA_BAD_CONFIG', `naming file ${path}: ${problems.join('; ')}`, { path, problems });
  }
  return naming as unknown as Naming;
}

/**
 * Reads a naming file that must be there: at the start nothing else is in force.
 *
 * @throws {RcaError} RCA_BAD_CONFIG when it cannot be read, or naming every wrong entry at once
 */
export function readNaming(path: string): Naming {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `naming file ${path} cannot be read: ${(cause as Error).message}. Mend: write it first ({ "version": 1 } names nothing yet), or leave collector.namingFile (--naming-file) out`,
      { path },
      cause,
    );
  }
  return parseNaming(text, path);
}

/** Reads the file and notices changes by size and modification time. */
export class NamingFile {
  readonly path: string | undefined;
  /** The reason the last new version was refused; empty when all is well. */
  problem = '';
  #naming: Naming = EMPTY_NAMING;
  #stamp = '';

  constructor(path: string | undefined) {
    this.path = path;
  }

  get naming(): Naming {
    return this.#naming;
  }

  /** Looks whether the file changed; true when a new version is in force. Absent files are an empty naming. */
  refresh(): boolean {
    if (this.path === undefined) return false;
    let stamp: string;
    try {
      const stat = statSync(this.path);
      stamp = `${stat.size}:${stat.mtimeMs}:${stat.ino}`;
    } catch {
      this.problem = `naming file ${this.path}: not there (yet)`;
      return false;
    }
    if (stamp === this.#stamp) return false;
    this.#stamp = stamp;
    try {
      this.#naming = parseNaming(readFileSync(this.path, 'utf8'), this.path);
      this.problem = '';
      return true;
    } catch (error) {
      this.problem = (error as Error).message;
      return false;
    }
  }
}
