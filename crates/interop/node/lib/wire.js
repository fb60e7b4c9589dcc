'use strict'
// The protocol without a log behind it: channels that send back whatever arrives on them.
const Protocol = require('hypercore-protocol')
const { emit, hex, open } = require('./common')

const MESSAGES = ['status', 'have', 'unhave', 'want', 'unwant', 'request', 'cancel', 'data']

function echo (stream, key) {
  const handlers = {
    onopen: () => emit({ event: 'opened', key: hex(key) }),
    onclose: () => emit({ event: 'closed', key: hex(key) }),
    onoptions: message => {
      emit({ event: 'options', ...message })
      channel.options(message)
    },
    onextension: (id, payload) => channel.extension(id, payload)
  }
  for (const name of MESSAGES) {
    handlers['on' + name] = message => {
      emit({ event: 'message', name })
      channel[name](message)
    }
  }
  const channel = stream.open(key, handlers)
  return channel
}

module.exports = {
  // keys: the cores whose channels echo. `listen` and `dial` carry it.
  async 'wire.open' (args) {
    const keys = args.keys.map(key => Buffer.from(key, 'hex'))
    const replicate = initiator => {
      const stream = new Protocol(initiator, {
        live: true,
        onhandshake: () => emit({
          event: 'handshake',
          publicKey: hex(stream.publicKey),
          remotePublicKey: hex(stream.remotePublicKey)
        }),
        ondiscoverykey: key => {
          emit({ event: 'offered', discoveryKey: hex(key) })
          if (args.refuse) stream.close(key)
        }
      })
      const extension = stream.registerExtension('echo', { onmessage: payload => extension.send(payload) })
      it.channels = keys.map(key => echo(stream, key))
      return stream
    }
    const it = open(args, { replicate })
  }
}
