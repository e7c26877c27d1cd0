#!/usr/bin/env node
// The `rootwalk` command: finds Node 24 and starts src/cli.ts on it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, runOnNode24 } from './node24.mjs';

const compiled = join(root, 'dist', 'src', 'cli.js');
runOnNode24(existsSync(compiled) ? compiled : join(root, 'src', 'cli.ts'), process.argv.slice(2));
