// The licences of the packages that are in a bundle, each in full: most of them ask for that wherever a copy goes. esbuild
// keeps only the comments that say so in the source, which few have.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Folders of the packages of which something is in the output, as in package-lock.json: `node_modules/ms`. */
export function packagesIn({ outputs }) {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs))
  const folders = files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [])
  return [...new Set(folders)].sort()
}

/** For packages that name this licence, and leave its text out. */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS
BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF
OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`

/** Throws for a package whose licence nobody could read. */
export function licencesOf(root, folders) {
  const texts = folders.map((folder) => {
    const { name, version, license, author } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    )
    const files = readdirSync(join(root, folder)).filter((file) =>
      /^(?:licen[cs]e|copying|notice)\b/i.test(file),
    )
    if (files.length === 0 && license !== 'MIT')
      throw new Error(`${name}@${version} comes without the text of its licence`)
    const own = files.sort().map((file) => readFileSync(join(root, folder, file), 'utf8').trim())
    const texts = own.length > 0 ? own : [`Copyright (c) ${author?.name ?? author}`, MIT]
    return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
