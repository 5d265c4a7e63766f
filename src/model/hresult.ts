// How Windows, its documents and people write an error code.

/** `0xC004F06C`, of an unsigned 32-bit number. */
export function hresultText(hresult: number): string {
  return `0x${hresult.toString(16).toUpperCase().padStart(8, '0')}`
}
