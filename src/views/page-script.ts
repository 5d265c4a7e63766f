// The pages' one script, as the browser gets it. It fetches the page that is shown again and again, and carries what has
// changed over into it, so that scroll, focus, what is folded open and what is being typed all stay. Without it a page
// reloads itself; with it nothing else is asked of the exporter than the same page.

const MORPH = `
// What the reader has done to an element is the reader's.
const KEPT = new Set(['open', 'value', 'checked', 'selected'])
const keyOf = (node) => node.nodeType === 1 ? node.id || node.getAttribute('data-key') || '' : ''
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b)

function morph(from, to) {
  if (from.nodeType === 3 && from.data !== to.data) from.data = to.data
  if (from.nodeType !== 1) return
  for (const { name, value } of to.attributes)
    if (!KEPT.has(name) && from.getAttribute(name) !== value) from.setAttribute(name, value)
  for (const { name } of [...from.attributes])
    if (!KEPT.has(name) && !to.hasAttribute(name)) from.removeAttribute(name)
  const keyed = new Map()
  for (const child of from.children) if (keyOf(child) !== '') keyed.set(keyOf(child), child)
  let at = from.firstChild
  for (const child of [...to.childNodes]) {
    const known = keyOf(child) === '' ? at : keyed.get(keyOf(child))
    if (!known || !alike(known, child)) {
      from.insertBefore(document.importNode(child, true), at)
      continue
    }
    if (known === at) at = at.nextSibling
    else from.insertBefore(known, at)
    keyed.delete(keyOf(child))
    morph(known, child)
  }
  while (at) {
    const next = at.nextSibling
    at.remove()
    at = next
  }
}
`

const SHOW = `
const statesIn = (root) =>
  new Map([...root.querySelectorAll('tr[data-state]')].map((row) => [row.getAttribute('data-key'), row]))

// What a screen reader is told: the headline if it is another, and whose state is. Not each new number.
function newsOf(before, headline) {
  const changed = []
  for (const [key, row] of statesIn(main)) {
    const was = before.get(key)
    row.classList.toggle('changed', was !== undefined && was !== row.dataset.state)
    if (was !== undefined && was !== row.dataset.state)
      changed.push(row.querySelector('.name').textContent + ': ' + row.querySelector('.badge').textContent)
  }
  const now = main.querySelector('h1').textContent
  const news = now === headline ? [] : [now]
  return [...news, ...changed.slice(0, 3), ...(changed.length > 3 ? [changed.length - 3 + ' more hosts changed'] : [])].join('. ')
}

const filesOf = (page) =>
  [...page.querySelectorAll('script[src], link[rel=stylesheet]')].map((each) => each.getAttribute('src') || each.getAttribute('href')).join(' ')
const files = filesOf(document)

function show(next) {
  const fresh = next.getElementById('main')
  if (!fresh || !fresh.dataset.every) throw new Error('the exporter answers with something else')
  // Another version answers: its page goes with its own script and style.
  if (filesOf(next) !== files) return location.reload()
  const before = new Map([...statesIn(main)].map(([key, row]) => [key, row.dataset.state]))
  const headline = main.querySelector('h1').textContent
  const focused = document.activeElement
  morph(main, fresh)
  for (const id of ['as-of']) morph(document.getElementById(id), next.getElementById(id))
  document.title = next.title
  if (focused && focused !== document.body && document.activeElement !== focused)
    (focused.isConnected ? focused : main).focus({ preventScroll: true })
  const said = newsOf(before, headline)
  if (said !== '') news.textContent = said
}
`

const UPDATE = `
function tell() {
  const seconds = Math.round((performance.now() - updatedAt) / 1000)
  const ago = seconds < 60 ? seconds + ' s' : Math.round(seconds / 60) + ' min'
  says.textContent = failures > 0 ? 'not live: ' + ago + ' old' : paused ? 'paused: ' + ago + ' old' : 'live, updated ' + ago + ' ago'
  live.classList.toggle('off', failures > 0 || paused)
}

function isLost(why) {
  failures += 1
  if (failures > 1) return
  lost.textContent = why + ' since ' + new Date().toISOString().slice(11, 19) + ' UTC. What you see is as of ' + main.dataset.asOf + '. Trying again.'
  lost.hidden = false
}

function isBack() {
  updatedAt = performance.now()
  if (failures > 0) {
    lost.hidden = true
    news.textContent = 'The connection is back.'
  }
  failures = 0
}

async function refresh() {
  clearTimeout(timer)
  if (asking) asking.abort()
  const mine = (asking = new AbortController())
  const patience = setTimeout(() => mine.abort(), 20000)
  const began = performance.now()
  try {
    const response = await fetch(location.pathname + location.search, { signal: mine.signal, headers: { accept: 'text/html' } })
    if (mine !== asking) return
    if (!response.ok) {
      isLost(response.status === 404 ? 'This is no longer watched' : 'The exporter answers ' + response.status)
    } else {
      const text = await response.text()
      if (mine !== asking) return
      show(new DOMParser().parseFromString(text, 'text/html'))
      isBack()
    }
  } catch (error) {
    if (mine !== asking) return
    isLost(error.name === 'Error' ? error.message : 'The connection to the exporter is lost')
  } finally {
    clearTimeout(patience)
  }
  asking = undefined
  tell()
  plan(Math.max(every * Math.min(6, 2 ** Math.max(0, failures - 1)), (performance.now() - began) * 10))
}

function plan(milliseconds) {
  clearTimeout(timer)
  if (!paused && !document.hidden) timer = setTimeout(refresh, milliseconds)
}

function stop() {
  clearTimeout(timer)
  if (asking) asking.abort()
  asking = undefined
}
`

const FILTER = `
function applyFilter(form) {
  clearTimeout(typing)
  const query = new URLSearchParams()
  for (const [name, value] of new FormData(form)) if (value !== '') query.append(name, value)
  const path = form.getAttribute('action')
  history.replaceState(null, '', query.size === 0 ? path : path + '?' + query)
  refresh().then(() => {
    const matches = document.getElementById('matches')
    if (matches && failures === 0) news.textContent = matches.textContent
  })
}

main.addEventListener('input', ({ target }) => {
  const form = target.form
  if (!form || form.id !== 'filter') return
  clearTimeout(typing)
  typing = setTimeout(() => applyFilter(form), target.type === 'search' ? 250 : 0)
})
main.addEventListener('submit', (event) => {
  if (event.target.id !== 'filter') return
  event.preventDefault()
  applyFilter(event.target)
})
pause.addEventListener('click', () => {
  paused = !paused
  pause.setAttribute('aria-pressed', String(paused))
  if (paused) stop()
  else refresh()
  tell()
})
document.addEventListener('visibilitychange', () => {
  if (document.hidden) stop()
  else if (!paused) refresh()
})
window.addEventListener('pageshow', (event) => {
  if (event.persisted && !paused) refresh()
})
`

export const SCRIPT = `'use strict'
{
const [main, live, says, pause, lost, news] = ['main', 'live', 'live-says', 'pause', 'lost', 'news'].map((id) => document.getElementById(id))
const every = Number(main.dataset.every) * 1000
let timer, asking, typing
let paused = false
let failures = 0
let updatedAt = performance.now()
${MORPH}${SHOW}${UPDATE}${FILTER}
live.hidden = false
tell()
setInterval(tell, 1000)
plan(every)
}
`
