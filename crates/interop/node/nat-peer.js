#!/usr/bin/env node
'use strict'
// A peer on the command line, with the arguments and the words of crates/hyperswarm/examples/peer.rs:
//
//   nat-peer.js announce|lookup TOPIC ADDR:PORT
const { EventEmitter } = require('events')

// Peers behind two NATs share no local network.
require.cache[require.resolve('multicast-dns')] = {
  exports: () => Object.assign(new EventEmitter(), { query () {}, response () {}, destroy () {} })
}
const hyperswarm = require('hyperswarm')

const [role, name, bootstrap] = process.argv.slice(2)
const topic = Buffer.alloc(32)
topic.write(name)
const announce = role === 'announce'
const say = line => process.stdout.write(line + '\n')

const swarm = hyperswarm({ bootstrap: [bootstrap] })
swarm.on('peer', peer => say('found ' + peer.host + ':' + peer.port))
swarm.on('connection', (socket, info) => {
  const carrier = info.type === 'tcp' ? 'Tcp' : 'Utp'
  say((info.client ? 'Dialled ' : 'Accepted ') + carrier)
  socket.on('error', () => {})
  if (!info.client) return socket.pipe(socket)
  socket.once('data', () => {
    say('echoed')
    process.exit(0)
  })
  socket.write('hello')
})
swarm.join(topic, { announce, lookup: !announce })
if (announce) swarm.flush(() => say('announced'))
