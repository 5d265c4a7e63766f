// What a test starts ends with it.
import { onTestFinished } from 'vitest'

/** What has been started, stopped when the test has ended. */
export async function during<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const started = await starting
  onTestFinished(() => started.stop())
  return started
}
