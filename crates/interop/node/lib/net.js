'use strict'
// Sockets: a TCP connection carries the bare protocol stream and nothing around it.
const net = require('net')
const { at, emit, sockets } = require('./common')

function join (socket, stream, on) {
  sockets.add(socket)
  socket.on('error', () => {})
  stream.on('error', err => emit({ event: 'stream-error', on, error: err.message }))
  stream.on('ack', ack => emit({ event: 'acknowledged', index: ack.start }))
  socket.on('close', () => {
    sockets.delete(socket)
    emit({ event: 'disconnected', on })
  })
  socket.pipe(stream).pipe(socket)
}

// Everything that can replicate: a log, a store, a drive. `options` are those of the stream.
const replicate = (it, initiator, options) => it.replicate(initiator, { live: true, ...options })

let server = null

module.exports = {
  // Serves what is open. -> port
  async listen (args) {
    const it = at(args)
    server = net.createServer({ noDelay: true }, socket => join(socket, replicate(it, false, args.options), args.on))
    await new Promise((resolve, reject) => server.on('error', reject).listen(args.port || 0, '127.0.0.1', resolve))
    return { port: server.address().port }
  },

  // Dials a peer for what is open, and returns once the socket is connected.
  async dial (args) {
    const it = at(args)
    const socket = net.connect({ port: args.port, host: '127.0.0.1', noDelay: true })
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject))
    join(socket, replicate(it, true, args.options), args.on)
  },

  async hangup () {
    if (server) server.close()
    server = null
    for (const socket of sockets) socket.destroy()
  },

  // What has been received and sent since the connections were made.
  async traffic () {
    let received = 0
    let sent = 0
    for (const socket of sockets) {
      received += socket.bytesRead
      sent += socket.bytesWritten
    }
    return { received, sent }
  }
}
