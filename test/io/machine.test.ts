import { isIP } from 'node:net'
import { describe, expect, it } from 'vitest'
import { parseRegistry, parseResolvConf, readMachine, registryDomains } from '../../src/io/machine.ts'

describe('resolv.conf', () => {
  it.each([
    [
      'a search list',
      'nameserver 192.0.2.1\nsearch corp.example plant.example\n',
      ['corp.example', 'plant.example'],
    ],
    ['a domain', 'domain corp.example\n', ['corp.example']],
    ['the last of several', 'search a.example\ndomain b.example\n', ['b.example']],
    [
      'the last of several, the other way round',
      'domain b.example\nsearch a.example c.example',
      ['a.example', 'c.example'],
    ],
    ['one domain only', 'domain corp.example left.example', ['corp.example']],
    [
      'tabs, indentation and carriage returns',
      '\tsearch\ta.example \t b.example \r\n',
      ['a.example', 'b.example'],
    ],
    ['comments', '# search no.example\n; domain no.example\n', []],
    ['an emptied list', 'search a.example\nsearch\n', ['']],
    ['options that begin alike', 'searching a.example\ndomains b.example\n', []],
    ['nothing', '', []],
  ])('%s', (_what, text, domains) => {
    expect(parseResolvConf(text).filter((domain) => domain !== '')).toEqual(
      domains.filter((domain) => domain !== ''),
    )
  })
})

// As `reg query HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters` prints them.
function registry(...values: readonly string[]): string {
  return [
    '',
    String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`,
    ...values.map((value) => `    ${value}`),
    '',
    String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Adapters`,
    '',
  ].join('\r\n')
}

describe("the registry's answer", () => {
  it.each([
    [
      'a member of a domain',
      registry(
        String.raw`DataBasePath    REG_EXPAND_SZ    %SystemRoot%\System32\drivers\etc`,
        'Domain    REG_SZ    corp.example',
        'Hostname    REG_SZ    EXPORTER1',
        'ICSDomain    REG_SZ    mshome.net',
        'NV Domain    REG_SZ    corp.example',
        'NV Hostname    REG_SZ    EXPORTER1',
        'SyncDomainWithMembership    REG_DWORD    0x1',
        'NameServer    REG_SZ    192.0.2.53',
      ),
      ['corp.example', 'corp.example'],
    ],
    [
      'a search list, commas without blanks, before all else',
      registry('Domain    REG_SZ    corp.example', 'SearchList    REG_SZ    a.example,b.example'),
      ['a.example', 'b.example', 'corp.example'],
    ],
    [
      'a search list with blanks',
      registry('SearchList    REG_SZ    a.example, b.example c.example '),
      ['a.example', 'b.example', 'c.example'],
    ],
    [
      'what DHCP said, last',
      registry('DhcpDomain    REG_SZ    lan.example', 'NV Domain    REG_SZ    corp.example'),
      ['corp.example', 'lan.example'],
    ],
    [
      'a machine of no domain',
      registry('Domain    REG_SZ    ', 'SearchList    REG_SZ    ', 'NV Domain    REG_SZ    '),
      [],
    ],
    [
      'a key that is not there',
      'ERROR: The system was unable to find the specified registry key or value.\r\n',
      [],
    ],
    ['nothing', '', []],
  ])('%s', (_what, text, domains) => {
    expect(parseRegistry(text)).toEqual(domains)
  })
})

describe('the registry', () => {
  const own = registry('Domain    REG_SZ    corp.example', 'SearchList    REG_SZ    own.example')

  it('is asked by the program of Windows, whatever lies in the working directory', async () => {
    const asked: (readonly string[])[] = []
    await registryDomains({ SystemRoot: String.raw`D:\Windows` }, async (program, args) => {
      asked.push([program, ...args])
      return ''
    })
    const program = String.raw`D:\Windows\System32\reg.exe`
    expect(asked).toEqual([
      [program, 'query', String.raw`HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`],
      [program, 'query', String.raw`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient`],
    ])
  })

  it("has group policy's search list before the machine's own, and then the user's domain", async () => {
    const policy = registry('SearchList    REG_SZ    a.example,b.example')
    const ask = async (_program: string, args: readonly string[]): Promise<string> =>
      args[1]?.includes('Policies') === true ? policy : own
    expect(await registryDomains({ USERDNSDOMAIN: 'USERS.EXAMPLE' }, ask)).toEqual([
      'a.example',
      'b.example',
      'corp.example',
      'USERS.EXAMPLE',
    ])
  })

  it('that does not answer about one key, or at all, takes nothing from the rest', async () => {
    const onlyOwn = async (_program: string, args: readonly string[]): Promise<string> => {
      if (args[1]?.includes('Policies') === true) throw new Error('exit code 1')
      return own
    }
    expect(await registryDomains({}, onlyOwn)).toEqual(['own.example', 'corp.example', ''])
    expect(await registryDomains({}, () => Promise.reject(new Error('ENOENT')))).toEqual([''])
  })
})

describe('this machine', () => {
  it('names resolvers by address and domains in lower case, none twice', async () => {
    const { resolvers, searchDomains } = await readMachine()
    for (const { address, port } of resolvers) {
      expect(isIP(address)).toBeGreaterThan(0)
      expect(port).toBeGreaterThan(0)
    }
    expect(new Set(searchDomains).size).toBe(searchDomains.length)
    expect(
      searchDomains.filter((name) => name === '' || name !== name.toLowerCase() || name.endsWith('.')),
    ).toEqual([])
  })
})
