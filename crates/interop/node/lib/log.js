'use strict'
// One hypercore, in a directory of its own or in a store.
const hypercore = require('hypercore')
const Protocol = require('hypercore-protocol')
const { at, bytes, call, digest, emit, hex, open, opened, pattern } = require('./common')

const state = core => ({
  key: hex(core.key),
  discoveryKey: hex(core.discoveryKey),
  length: core.length,
  byteLength: core.byteLength,
  writable: core.writable,
  downloaded: core.downloaded(0, core.length)
})

module.exports = {
  async 'log.open' (args) {
    const options = { sparse: !!args.sparse }
    if (args.secretKey) options.secretKey = Buffer.from(args.secretKey, 'hex')
    const core = hypercore(args.dir, args.key && Buffer.from(args.key, 'hex'), options)
    // What goes wrong is told to the caller of `ready` too; without a listener it ends the process.
    core.on('error', () => {})
    await call(cb => core.ready(cb))
    return state(open(args, core))
  },

  async 'log.state' (args) {
    return state(at(args))
  },

  // blocks: bytes as in `common.bytes`; one append each unless `batch`.
  async 'log.append' (args) {
    const core = at(args)
    const blocks = args.blocks.map(bytes)
    if (args.batch) await call(cb => core.append(blocks, cb))
    else for (const block of blocks) await call(cb => core.append(block, cb))
    return state(core)
  },

  // `count` blocks of `size` bytes in one append; the first has the pattern of `seed`, the next
  // that of the seed after it.
  async 'log.fill' (args) {
    const core = at(args)
    const blocks = Array.from({ length: args.count }, (_, i) => pattern(args.size, args.seed + i))
    await call(cb => core.append(blocks, cb))
    return state(core)
  },

  async 'log.get' (args) {
    return { hex: hex(await call(cb => at(args).get(args.index, { wait: args.wait !== false }, cb))) }
  },

  // Waits for the log to be at least so long.
  async 'log.update' (args) {
    const core = at(args)
    await call(cb => core.update({ minLength: args.length }, cb))
    return state(core)
  },

  async 'log.download' (args) {
    const core = at(args)
    await call(cb => core.download({ start: args.start || 0, end: args.end }, cb))
    return state(core)
  },

  async 'log.seek' (args) {
    return new Promise((resolve, reject) => at(args).seek(args.at, (err, index, offset) => {
      err ? reject(err) : resolve({ index, offset })
    }))
  },

  async 'log.clear' (args) {
    await call(cb => at(args).clear(args.start, args.end, cb))
  },

  // Rehashes what is stored. -> {valid, invalid}
  async 'log.audit' (args) {
    return call(cb => at(args).audit(cb))
  },

  // Whether the signature of the whole log is one that Node believes.
  async 'log.verify' (args) {
    const core = at(args)
    const { index, signature } = await call(cb => core.signature(core.length - 1, cb))
    return { index, verified: await call(cb => core.verify(index, signature, cb)) }
  },

  // Hash over all blocks, each of which has to be here.
  async 'log.digest' (args) {
    const core = at(args)
    const blocks = []
    for (let i = 0; i < core.length; i++) blocks.push(await call(cb => core.get(i, { wait: false }, cb)))
    return { digest: digest(Buffer.concat(blocks)), sizes: blocks.map(block => block.length) }
  },

  // A peer that serves one log as it is and lies about another, on one stream: it says to have
  // `length` blocks of `key`, answers the first `lies` requests for them with bytes of its own, and
  // the others never.
  async 'log.liar' (args) {
    const core = at(args)
    const key = Buffer.from(args.key, 'hex')
    const replicate = initiator => {
      const stream = new Protocol(initiator, { live: true })
      core.replicate(stream, { live: true })
      let lies = args.lies
      const channel = stream.open(key, {
        onwant: () => channel.have({ start: 0, length: args.length }),
        onrequest: ({ index, hash }) => {
          if (lies-- <= 0) return
          emit({ event: 'lie', index })
          channel.data({ index, value: hash ? null : Buffer.from('forged'), nodes: [] })
        }
      })
      return stream
    }
    open(args, { replicate })
  },

  // Also asks for another log on each connection of this one, and tells when it is refused.
  async 'log.also' (args) {
    const core = at(args)
    const key = Buffer.from(args.key, 'hex')
    const replicate = core.replicate.bind(core)
    core.replicate = (initiator, options) => {
      const stream = replicate(initiator, options)
      stream.open(key, { onclose: () => emit({ event: 'refused', key: args.key }) })
      return stream
    }
  },

  // Messages of the extension come as events.
  async 'log.extension' (args) {
    const core = at(args)
    core.mail = core.mail || {}
    core.mail[args.name] = core.registerExtension(args.name, {
      onmessage: message => emit({ event: 'mail', name: args.name, digest: digest(message) })
    })
  },

  async 'log.mail' (args) {
    at(args).mail[args.name].broadcast(bytes(args.message))
  },

  async 'log.close' (args) {
    await call(cb => at(args).close(cb))
    opened.delete(args.on || 'it')
  }
}
