// How V8 keeps house in the daemon. What a run makes is garbage at once, and what an estate keeps hardly changes. V8 left to
// itself lets its young generation grow to 32 MB (Node.js 20) or 128 (24), which stops everything for long when it is full,
// and collects the old one only when it is several times what lives in it.
import { setFlagsFromString } from 'node:v8'

/**
 * Before anything grows, so before the configuration is read. After the compiled code is loaded (scripts/loader.js): V8 takes
 * none that was made with other flags. What it brings is measured in docs/performance.md.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=40')
}
