// What @grafana/ui has no component for, or none that stands alone: drawn by hand, with the texts and colours that
// Grafana's own display processors give.
import React from 'react'

const FONT = 12

function shown(field, value, textOf) {
  const display = field.display(value)
  return { text: textOf(display), color: display.color }
}

export function Table({ panel, frames: [frame], width, height, theme, nameOf, textOf }) {
  const sort = panel.options.sortBy ?? []
  const rows = Array.from({ length: frame.length }, (_, index) => index)
  const byName = (name) => frame.fields.find((field) => nameOf(field, frame) === name)
  rows.sort((a, b) => {
    for (const { displayName, desc } of sort) {
      const values = byName(displayName)?.values
      if (!values || values[a] === values[b]) continue
      const less = values[a] == null ? false : values[b] == null ? true : values[a] < values[b]
      return less === (desc ?? false) ? 1 : -1
    }
    return 0
  })
  const cell = {
    padding: '0 6px',
    overflow: 'hidden',
    whiteSpace: 'nowrap',
    textOverflow: 'ellipsis',
    height: 36,
  }
  return (
    <div style={{ width, height, overflow: 'hidden' }}>
      <table style={{ width: '100%', tableLayout: 'fixed', borderCollapse: 'collapse', fontSize: 14 }}>
        <colgroup>
          {frame.fields.map((field, index) => (
            <col key={index} style={{ width: field.config.custom?.width }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {frame.fields.map((field, index) => (
              <th
                key={index}
                style={{ ...cell, textAlign: 'left', fontWeight: 500, color: theme.colors.text.secondary }}
              >
                {nameOf(field, frame)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row} style={{ borderTop: `1px solid ${theme.colors.border.weak}` }}>
              {frame.fields.map((field, index) => {
                const { text, color } = shown(field, field.values[row], textOf)
                const type = field.config.custom?.cellOptions?.type ?? 'auto'
                const linked = (field.config.links ?? []).length > 0 && text !== ''
                const style = {
                  ...cell,
                  ...(type === 'color-background' ? { background: color, color: '#fff' } : {}),
                  ...(type === 'color-text' ? { color } : {}),
                  ...(linked ? { textDecoration: 'underline' } : {}),
                }
                return (
                  <td key={index} style={style}>
                    {text}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The words of the panel's mappings. */
function Words({ panel, theme }) {
  const words = panel.fieldConfig.defaults.mappings
    .filter(({ type }) => type === 'value')
    .flatMap(({ options }) => Object.values(options))
  return (
    <div
      style={{ display: 'flex', gap: 14, paddingTop: 4, fontSize: FONT, color: theme.colors.text.primary }}
    >
      {words.map(({ text, color }) => (
        <span key={text}>
          <span
            style={{
              display: 'inline-block',
              width: 14,
              height: 4,
              borderRadius: 2,
              marginRight: 6,
              verticalAlign: 'middle',
              background: theme.visualization.getColorByName(color),
            }}
          />
          {text}
        </span>
      ))}
    </div>
  )
}

function TimeAxis({ range, left, width, theme }) {
  const hours = (range.to - range.from) / 3_600_000
  const step = hours > 12 ? 4 : hours > 3 ? 1 : 0.25
  const marks = []
  for (
    let at = Math.ceil(range.from / (step * 3_600_000)) * step * 3_600_000;
    at < range.to;
    at += step * 3_600_000
  )
    marks.push(at)
  return (
    <div style={{ position: 'relative', marginLeft: left, height: 18 }}>
      {marks.map((at) => (
        <span
          key={at}
          style={{
            position: 'absolute',
            left: ((at - range.from) / (range.to - range.from)) * width - 16,
            fontSize: FONT,
            color: theme.colors.text.secondary,
          }}
        >
          {new Date(at).toISOString().slice(11, 16)}
        </span>
      ))}
    </div>
  )
}

/** Runs of equal values. A gap ends a run. */
function runsOf({ fields: [time, value] }, range) {
  const runs = []
  time.values.forEach((at, index) => {
    const own = value.values[index]
    const last = runs.at(-1)
    if (last) last.to = at
    if (last?.value !== own) runs.push({ value: own, from: at, to: range.to })
  })
  return runs.filter(({ value: own }) => own != null)
}

export function StateTimeline({ panel, frames, width, height, range, theme, nameOf, textOf }) {
  const hasLegend = panel.options.legend.showLegend
  const named = frames
    .filter(({ length }) => length > 0)
    .map((frame) => ({ frame, name: nameOf(frame.fields[1], frame, frames) }))
  const left = Math.min(320, 24 + Math.max(...named.map(({ name }) => name.length), 0) * 6.8)
  const inner = width - left
  const row = (height - (hasLegend ? 42 : 20)) / Math.max(1, named.length)
  const position = (at) => ((at - range.from) / (range.to - range.from)) * inner
  return (
    <div style={{ width, height }}>
      {named.map(({ frame, name }) => (
        <div key={name} style={{ display: 'flex', height: row, alignItems: 'center' }}>
          <div
            style={{
              width: left - 10,
              marginRight: 10,
              textAlign: 'right',
              fontSize: FONT,
              whiteSpace: 'nowrap',
              overflow: 'hidden',
              textOverflow: 'ellipsis',
            }}
          >
            {name}
          </div>
          <div style={{ position: 'relative', height: row * 0.85, width: inner }}>
            {runsOf(frame, range).map(({ value, from, to }) => {
              const { text, color } = shown(frame.fields[1], value, textOf)
              const wide = position(to) - position(from)
              return (
                <div
                  key={from}
                  style={{
                    position: 'absolute',
                    left: position(from),
                    width: wide,
                    top: 0,
                    bottom: 0,
                    background: color,
                    opacity: 0.8,
                    color: '#111',
                    fontSize: FONT,
                    paddingLeft: wide > 20 ? 4 : 0,
                    overflow: 'hidden',
                    whiteSpace: 'nowrap',
                    display: 'flex',
                    alignItems: 'center',
                  }}
                >
                  {wide > text.length * 7 + 8 ? text : ''}
                </div>
              )
            })}
          </div>
        </div>
      ))}
      <TimeAxis range={range} left={left} width={inner} theme={theme} />
      {hasLegend ? <Words panel={panel} theme={theme} /> : null}
    </div>
  )
}

export function Heatmap({ frames, width, height, range, theme, nameOf, panel }) {
  const buckets = frames
    .filter(({ length }) => length > 0)
    .map((frame) => ({ frame, name: nameOf(frame.fields[1], frame) }))
    .map((each) => ({ ...each, bound: each.name === '+Inf' ? Infinity : Number(each.name) }))
    .sort((a, b) => b.bound - a.bound)
  if (buckets.length === 0) return <div>{panel.fieldConfig.defaults.noValue}</div>
  const counts = buckets.map(({ frame }, index) =>
    frame.fields[1].values.map((value, at) =>
      Math.max(0, (value ?? 0) - (buckets[index + 1]?.frame.fields[1].values[at] ?? 0)),
    ),
  )
  const most = Math.max(...counts.flat(), 1e-9)
  const left = 64
  const inner = width - left
  const row = (height - 20) / buckets.length
  const columns = buckets[0].frame.length
  return (
    <div>
      {buckets.map(({ name, bound }, index) => (
        <div key={name} style={{ display: 'flex', height: row, alignItems: 'center' }}>
          <div style={{ width: left - 8, marginRight: 8, textAlign: 'right', fontSize: FONT }}>
            {bound === Infinity ? '+Inf' : `${bound} s`}
          </div>
          <div style={{ display: 'flex', width: inner, height: row - 1 }}>
            {counts[index].map((count, at) => (
              <div
                key={at}
                style={{
                  width: inner / columns,
                  background:
                    count > 0 ? `rgba(107, 174, 255, ${0.2 + (0.8 * count) / most})` : 'transparent',
                }}
              />
            ))}
          </div>
        </div>
      ))}
      <TimeAxis range={range} left={left} width={inner} theme={theme} />
    </div>
  )
}
