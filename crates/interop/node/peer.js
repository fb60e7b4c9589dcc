'use strict'
// A peer that a test leads: it reads one JSON command a line from standard input and answers each
// with one JSON line on standard output.
//
//   {"id": 1, "do": "drive.open", "dir": "..."}      a command and what it takes
//   {"id": 1, "ok": {"key": "...", ...}}             its answer, or
//   {"id": 1, "error": "..."}                        why there is none
//   {"event": "disconnected"}                        something that happened by itself
//
// Commands run as they come, so that one can wait while others make happen what it waits for. The
// process ends when its standard input does.
const readline = require('readline')
const { emit, sockets } = require('./lib/common')

const commands = {
  ...require('./lib/net'),
  ...require('./lib/wire'),
  ...require('./lib/log'),
  ...require('./lib/store'),
  ...require('./lib/swarm'),
  ...require('./lib/trie'),
  ...require('./lib/mounts'),
  ...require('./lib/drive'),
  ...require('./lib/dht')
}

async function answer ({ id, do: name, ...args }) {
  try {
    if (!commands[name]) throw new Error('there is no command ' + name)
    emit({ id, ok: (await commands[name](args)) || {} })
  } catch (err) {
    emit({ id, error: err.message || String(err), code: err.code })
  }
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  answer(JSON.parse(line))
}).on('close', () => {
  for (const socket of sockets) socket.destroy()
  process.exit(0)
})

process.on('uncaughtException', err => {
  emit({ event: 'crash', error: err.stack || String(err) })
  process.exit(1)
})
