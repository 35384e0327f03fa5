import type { Call, History, Stall } from './call.ts'
import type { LogLine } from './recorder.ts'

/** The calls of one process, from the text of its log. A last line without an end was cut by a kill and is ignored. */
export function readLog(process: string, text: string): History {
  const calls = new Map<string, Call>()
  const stalls: Stall[] = []
  const lines = text.split('\n')
  lines.pop()
  for (const line of lines) {
    const read = JSON.parse(line) as LogLine
    if (read[0] === 'stall') stalls.push({ process, end: read[1], length: read[2] })
    else if (read[0] === 'start') calls.set(read[1], begun(process, read))
    else addTo(calls.get(read[1]) as Call, read)
  }
  return { calls: [...calls.values()], stalls }
}

function begun(process: string, [, id, start, area, request]: LogLine & { readonly 0: 'start' }): Call {
  return {
    id,
    process,
    area,
    request,
    start,
    end: Infinity,
    outcome: 'open',
    result: undefined,
    error: undefined,
    notes: [],
  }
}

function addTo(call: Call, line: Exclude<LogLine, { readonly 0: 'start' | 'stall' }>): void {
  if (line[0] === 'note') {
    call.notes.push({ at: line[2], what: line[3], value: line[4] })
    return
  }
  call.outcome = line[0]
  call.end = line[2]
  if (line[0] === 'done') call.result = line[3]
  else call.error = line[3]
}
