/** One struct, three readers: clang -target bpf, the host's compiler and layout.ts must see the same offsets. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CAPTURE_MAX_BYTES,
  DATAGRAM_MAX_BYTES,
  FRAME_TYPE,
  LAYOUT,
  UNKNOWN_U32,
  WIRE_VERSION,
} from '../../../collector/frames/layout.ts';
import { findCommand } from '../../../collector/toolchain.ts';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const include = join(root, 'bpf', 'include');
const header = readFileSync(join(include, 'wire.h'), 'utf8');

type Layout = Record<string, Record<string, number>>;

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'rootwalk-layout-'));
});
afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

const structs = [...header.matchAll(/^struct (rw_\w+) \{/gm)].map((match) => match[1] ?? '');

/** Multi-arch include folders: clang -target bpf does not look there by itself. */
function archIncludes(): readonly string[] {
  return readdirSync('/usr/include')
    .filter((name) => name.endsWith('-linux-gnu'))
    .flatMap((name) => ['-I', `/usr/include/${name}`]);
}

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
}

/** As clang -target bpf lays it out, from the BTF it writes. */
function bpfLayout(): Layout {
  const source = join(work, 'bpf.c');
  const object = join(work, 'bpf.o');
  const uses = structs.map((name) => `struct ${name} use_${name};`).join('\n');
  writeFileSync(source, `#include <linux/types.h>\n#include "wire.h"\n${uses}\n`);
  execFileSync(findCommand('clang') ?? 'clang', [
    ...['-target', 'bpf', '-g', '-Wpadded', '-Werror', ...archIncludes(), '-I', include, '-c', source, '-o', object],
  ]);
  const json = execFileSync(findCommand('bpftool') ?? 'bpftool', ['-j', 'btf', 'dump', 'file', object]);
  const { types } = JSON.parse(json.toString()) as { types: readonly BtfType[] };
  return Object.fromEntries(
    types
      .filter((type) => type.kind === 'STRUCT' && type.name.startsWith('rw_'))
      .map((type) => [
        type.name,
        {
          size: type.size ?? -1,
          ...Object.fromEntries((type.members ?? []).map((member) => [member.name, member.bits_offset / 8])),
        },
      ]),
  );
}

/** As the host's compiler lays it out, printed by a program. */
function hostLayout(fields: Layout): Layout {
  const source = join(work, 'host.c');
  const program = join(work, 'host');
  const lines = Object.entries(fields).flatMap(([name, members]) =>
    Object.keys(members).map((member) =>
      member === 'size'
        ? `printf("${name} size %zu\\n", sizeof(struct ${name}));`
        : `printf("${name} ${member} %zu\\n", offsetof(struct ${name}, ${member}));`,
    ),
  );
  writeFileSync(
    source,
    `#include <linux/types.h>\n#include <stddef.h>\n#include <stdio.h>\n#include "wire.h"\nint main(void)\n{\n${lines.join('\n')}\nreturn 0;\n}\n`,
  );
  execFileSync('cc', ['-std=gnu11', '-Wall', '-Wpadded', '-Werror', '-I', include, '-o', program, source]);
  const layout: Layout = {};
  for (const line of execFileSync(program).toString().trim().split('\n')) {
    const [name = '', member = '', value = ''] = line.split(' ');
    layout[name] = { ...layout[name], [member]: Number(value) };
  }
  return layout;
}

describe('wire layout', () => {
  it('is the same for BPF, the host and TypeScript, without hidden padding', () => {
    const bpf = bpfLayout();
    expect(Object.keys(bpf).sort()).toEqual([...structs].sort());
    expect(hostLayout(bpf)).toEqual(bpf);
    expect(LAYOUT).toEqual(bpf);
  });

  it('has the same constants', () => {
    const define = (name: string): number =>
      Number(new RegExp(`#define ${name} (\\w+?)u?$`, 'm').exec(header)?.[1] ?? Number.NaN);
    expect(define('RW_WIRE_VERSION')).toBe(WIRE_VERSION);
    expect(define('RW_CAPTURE_MAX')).toBe(CAPTURE_MAX_BYTES);
    expect(define('RW_DATAGRAM_MAX')).toBe(DATAGRAM_MAX_BYTES);
    expect(define('RW_UNKNOWN_U32')).toBe(UNKNOWN_U32);
    const types = Object.fromEntries(
      [...header.matchAll(/RW_FRAME_(\w+) = (\d+)/g)].map((match) => [
        (match[1] ?? '').toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
        Number(match[2]),
      ]),
    );
    expect(FRAME_TYPE).toEqual(types);
  });
});
