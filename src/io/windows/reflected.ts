// A peer's words in which it may say back what it was sent: an error page that lists the request, a fault that quotes it.
// What goes wrong is shown on pages and kept in logs; the password, and what proves that we know it, must not be in it.

/** Makes a peer's words fit to be shown. To be asked before they are cut to length: half a proof tells half of it. */
export type Mask = (words: string) => string

const SHOWN = '<secret>'
/** An Authorization, whoever's it is: Basic holds the password, NTLM what a dictionary can be tried on. */
const AUTHORIZATION =
  /\b(Basic|Negotiate|Kerberos|NTLM)(?:\s|[:=,"']|%20)+[A-Za-z0-9+/_-]{8,}(?:=|%3D){0,2}/gi
const BASE64 = /[A-Za-z0-9+/_-]{8,}={0,2}/g
/** A shorter one is in too many words that are none. */
const LEAST_CHARACTERS = 4

/** Of a logon without a password, too. */
export function maskOf(password: string | undefined): Mask {
  const isLong = password !== undefined && password.length >= LEAST_CHARACTERS
  return (words) => {
    const masked = words.replace(AUTHORIZATION, `$1 ${SHOWN}`)
    return isLong ? withoutPassword(masked, password) : masked
  }
}

function withoutPassword(words: string, password: string): string {
  const [utf8, utf16] = [Buffer.from(password, 'utf8'), Buffer.from(password, 'utf16le')]
  const inside = [utf8, utf16].flatMap(base64Inside)
  const form = new URLSearchParams({ p: password }).toString().slice(2)
  const guises = [password, encodeURIComponent(password.toWellFormed()), form]
  const hex = new RegExp(`${utf16.toString('hex')}|${utf8.toString('hex')}`, 'gi')
  return guises
    .reduce((text, guise) => text.replaceAll(guise, SHOWN), words)
    .replace(hex, SHOWN)
    .replace(BASE64, (run) =>
      inside.some((guise) => run.replaceAll('-', '+').replaceAll('_', '/').includes(guise)) ? SHOWN : run,
    )
}

/** What is the same of a text in base64 whatever stands before and after it, for the three ways in which it may begin. */
function base64Inside(text: Buffer): readonly string[] {
  const guises = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), text])
    const sure = whole.subarray(0, whole.length - (whole.length % 3)).toString('base64')
    return sure.slice(before === 0 ? 0 : 4)
  })
  return guises.filter((guise) => guise.length >= LEAST_CHARACTERS)
}
