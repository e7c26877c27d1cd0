import { describe, expect, it } from 'vitest';
import { distributionOf, installCommands, packagesFor, REQUIREMENTS } from '../../collector/toolchain.ts';

describe('toolchain', () => {
  it.each([
    ['ID=debian\nVERSION_ID="12"\n', 'debian'],
    ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', 'ubuntu'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'debian'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
    ['ID=alpine\n', 'alpine'],
    ['ID=arch\n', undefined],
    ['', undefined],
  ])('os-release %j is %s', (text, expected) => {
    expect(distributionOf(text)).toBe(expected);
  });

  it('names the packages of each distribution, each once', () => {
    expect(packagesFor(REQUIREMENTS, 'debian')).toEqual([
      'clang',
      'bpftool',
      'gcc',
      'libc6-dev',
      'linux-libc-dev',
      'libbpf-dev',
      'libelf-dev',
      'zlib1g-dev',
    ]);
    const lines = installCommands(REQUIREMENTS);
    expect(lines.map((line) => line.split(':')[0])).toEqual(['Debian', 'Ubuntu', 'Fedora', 'Alpine']);
    expect(lines[2]).toContain('dnf install clang bpftool gcc glibc-devel');
    expect(lines[3]).toContain('apk add clang bpftool gcc musl-dev linux-headers');
  });
});
