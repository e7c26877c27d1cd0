/** Runs short commands (ip, iptables, tc, …) and says what failed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { RcaError } from '../src/model/errors.ts';

/** Debian's own Python, before one that somebody put in front of it. */
export function python(): string {
  return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; never throws for its exit code. */
export function tryRun(command: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (piece: Buffer) => {
      stdout += piece.toString();
    });
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    child.stdin.on('error', () => undefined);
    child.on('error', (cause) =>
      reject(
        new RcaError('RCA_ENVIRONMENT', `lab: cannot run ${program}: ${cause.message}. Mend: install it`, {}, cause),
      ),
    );
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

/**
 * @returns standard output
 * @throws {RcaError} RCA_ENVIRONMENT with the command and what it said
 */
export async function run(command: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, input);
  if (code !== 0) {
    throw new RcaError(
      'RCA_ENVIRONMENT',
      `lab: "${command.join(' ')}" failed (exit ${code}): ${stderr.trim() || stdout.trim()}`,
    );
  }
  return stdout;
}
