'use strict'
// Nodes of the DHT, on loopback only.
const dgram = require('dgram')
const crypto = require('crypto')
const createDht = require('@hyperswarm/dht')
const hypersign = require('@hyperswarm/hypersign')()
const { at, bytes, call, emit, hex, open } = require('./common')

const key = text => Buffer.from(text, 'hex')
const text = peer => peer.host + ':' + peer.port
const peer = text => ({ host: text.split(':')[0], port: Number(text.split(':')[1]) })

// What announce and lookup take.
const options = args => ({
  port: args.port,
  localAddress: args.local ? peer(args.local) : undefined
})

// All answers of a walk. One that nobody answered has none.
const collect = stream => new Promise(resolve => {
  const all = []
  let failure = null
  stream.on('data', data => all.push(data))
  stream.on('warning', () => {})
  stream.on('error', err => { failure = err.message })
  stream.on('close', () => resolve({ all, failure }))
})

const found = ({ all, failure }) => ({
  failure,
  peers: [...new Set(all.flatMap(data => (data.peers || []).map(text)))],
  local: [...new Set(all.flatMap(data => (data.localPeers || []).map(text)))],
  referrers: [...new Set(all.map(data => text(data.node)))],
  seen: [...new Set(all.map(data => data.to && text(data.to)))]
})

const pair = args => {
  const keypair = hypersign.keypair()
  if (args.seed) require('sodium-native').crypto_sign_seed_keypair(keypair.publicKey, keypair.secretKey, key(args.seed))
  return keypair
}

module.exports = {
  // Starts nodes that know the given ones. -> ports
  async 'dht.start' (args) {
    const ports = []
    const ids = []
    for (let i = 0; i < (args.count || 1); i++) {
      const socket = dgram.createSocket('udp4')
      await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve))
      const node = createDht({
        socket,
        id: crypto.randomBytes(32),
        bootstrap: (args.bootstrap || []).map(peer),
        ephemeral: !!args.ephemeral
      })
      node.on('warning', () => {})
      node.on('announce', (target, from) => emit({ event: 'announce', target: hex(target), from: text(from) }))
      open({ as: (args.as || 'it') + (i || '') }, node)
      await new Promise(resolve => node.ready(resolve))
      ports.push(socket.address().port)
      ids.push(hex(node.id))
    }
    return { ports, ids }
  },

  async 'dht.known' (args) {
    return { nodes: at(args).bucket.toArray().map(node => ({ id: hex(node.id), port: node.port })) }
  },

  async 'dht.announce' (args) {
    return found(await collect(at(args).announce(key(args.topic), options(args))))
  },

  async 'dht.lookup' (args) {
    return found(await collect(at(args).lookup(key(args.topic), options(args))))
  },

  async 'dht.unannounce' (args) {
    return found(await collect(at(args).unannounce(key(args.topic), options(args))))
  },

  // The nodes nearest to an id that answered.
  async 'dht.closest' (args) {
    const { all } = await collect(at(args).query('_find_node', key(args.target)))
    return { ids: all.map(data => hex(data.node.id)) }
  },

  async 'dht.put' (args) {
    const hash = await call(cb => at(args).immutable.put(bytes(args), cb))
    return { hash: hex(hash) }
  },

  async 'dht.get' (args) {
    const value = await call(cb => at(args).immutable.get(key(args.hash), cb))
    return { value: hex(value) }
  },

  async 'dht.put-signed' (args) {
    const keypair = pair(args)
    const opts = { keypair, seq: args.seq, salt: args.salt ? key(args.salt) : undefined }
    await call(cb => at(args).mutable.put(bytes(args), opts, cb))
    return { key: hex(keypair.publicKey) }
  },

  async 'dht.get-signed' (args) {
    const opts = { seq: args.seq || 0, salt: args.salt ? key(args.salt) : undefined }
    const { value, seq } = await call(cb => at(args).mutable.get(key(args.key), opts, cb))
    return { value: hex(value), seq }
  },

  async 'dht.ping' (args) {
    const seen = await call(cb => at(args).ping(peer(args.peer), cb))
    return { seen: text(seen) }
  },

  async 'dht.holepunch' (args) {
    const target = peer(args.peer)
    target.referrer = peer(args.referrer)
    await call(cb => at(args).holepunch(target, cb))
  }
}
