'use strict'
// Nodes of the DHT, and swarms. Nothing here sends a packet beyond loopback: local discovery is off,
// or held on the loopback interface.
const { EventEmitter } = require('events')
const { open, at, call, emit, hex } = require('./common')

const multicast = require('multicast-dns')
let lan = false
let listening = null
require.cache[require.resolve('multicast-dns')].exports = () => {
  if (lan) {
    const local = multicast({ interface: '127.0.0.1', bind: '0.0.0.0' })
    listening = new Promise(resolve => local.on('ready', resolve))
    return local
  }
  const silent = new EventEmitter()
  return Object.assign(silent, { query () {}, response () {}, destroy () {} })
}

const createDht = require('@hyperswarm/dht')
const hypersign = require('@hyperswarm/hypersign')()
const hyperswarm = require('hyperswarm')
const HypercoreProtocol = require('hypercore-protocol')

const topic = args => Buffer.from(args.topic, 'hex')
const bootstrap = args => (args.bootstrap || []).map(port => '127.0.0.1:' + port)

// Everything that a stream of the DHT yields.
const collect = stream => new Promise((resolve, reject) => {
  const items = []
  stream.on('data', item => items.push(item)).on('end', () => resolve(items)).on('error', reject)
})

function meet (socket, info, args) {
  let error = null
  socket.on('error', it => { error = it.message })
  socket.on('close', () => emit({ event: 'disconnected', on: args.as, error }))
  emit({ event: 'connection', on: args.as, client: info.client, type: info.type })
  if (!info.client) return socket.pipe(socket)
  // What this side dialled over uTP it would otherwise keep open by half.
  socket.on('end', () => socket.end())
  const said = Buffer.alloc(args.say || 5, 'hello')
  const heard = []
  let length = 0
  socket.write(said)
  socket.on('data', bytes => {
    heard.push(bytes)
    length += bytes.length
    if (length === said.length) emit({ event: 'echo', on: args.as, same: Buffer.concat(heard).equals(said) })
  })
}

module.exports = {
  // A node. -> port
  async 'node.open' (args) {
    const node = open(args, createDht({ bootstrap: bootstrap(args), ephemeral: !!args.ephemeral }))
    await call(done => node.listen(0, '127.0.0.1', done))
    await new Promise(resolve => node.ready(resolve))
    return { port: node.address().port }
  },

  async 'node.announce' (args) {
    await collect(at(args).announce(topic(args), { port: args.port || 0 }))
  },

  async 'node.unannounce' (args) {
    await collect(at(args).unannounce(topic(args), { port: args.port || 0 }))
  },

  // -> ports of the peers
  async 'node.lookup' (args) {
    const answers = await collect(at(args).lookup(topic(args)))
    const ports = answers.flatMap(answer => answer.peers.map(peer => peer.port))
    return { ports: [...new Set(ports)].sort() }
  },

  async 'node.put' (args) {
    return { key: hex(await call(done => at(args).immutable.put(Buffer.from(args.text), done))) }
  },

  async 'node.get' (args) {
    return { text: String(await call(done => at(args).immutable.get(Buffer.from(args.key, 'hex'), done))) }
  },

  // -> key
  async 'node.put-mutable' (args) {
    const keypair = args.key ? at({ on: 'keys ' + args.key }) : hypersign.keypair()
    const key = hex(keypair.publicKey)
    open({ as: 'keys ' + key }, keypair)
    const salt = args.salt && Buffer.from(args.salt)
    await call(done => at(args).mutable.put(Buffer.from(args.text), { keypair, seq: args.seq, salt }, done))
    return { key }
  },

  async 'node.get-mutable' (args) {
    const salt = args.salt && Buffer.from(args.salt)
    const options = { seq: args.seq || 0, salt }
    const found = await call(done => at(args).mutable.get(Buffer.from(args.key, 'hex'), options, done))
    return { text: String(found.value), seq: found.seq }
  },

  // A swarm that echoes to whoever dials it, and says something to whom it dials. -> port
  async 'swarm.open' (args) {
    lan = !!args.lan
    const swarm = open(args, hyperswarm({ bootstrap: bootstrap(args) }))
    swarm.on('connection', (socket, info) => meet(socket, info, args))
    await call(done => swarm.listen(0, done))
    if (lan) await listening
    if (args.tcp === false) {
      // Whoever dials has to come over uTP, at the port that TCP would have had.
      swarm.network.announcePort = swarm.network.utp.address().port
      await call(done => swarm.network.tcp.close(done))
    }
    return { port: swarm.network.utp.address().port }
  },

  async 'swarm.join' (args) {
    at(args).join(topic(args), { announce: !!args.announce, lookup: !!args.lookup })
    if (args.flush !== false) await new Promise(resolve => at(args).flush(resolve))
  },

  // Finds peers of what is open, a drive perhaps, by its discovery key, and replicates it with them.
  async 'swarm.replicate' (args) {
    const it = at(args)
    const swarm = open({ as: 'swarm of ' + (args.on || 'it') }, hyperswarm({ bootstrap: bootstrap(args) }))
    swarm.on('connection', (socket, info) => {
      const stream = it.replicate(info.client, { live: true })
      socket.on('error', () => {})
      stream.on('error', () => {})
      socket.pipe(stream).pipe(socket)
      emit({ event: 'connection', client: info.client, type: info.type })
    })
    swarm.join(it.discoveryKey, { announce: !!args.announce, lookup: !!args.lookup })
    await new Promise(resolve => swarm.flush(resolve))
  },

  // As swarm.replicate, for one drive and with one key for all connections: of two to one peer, one is
  // given up. It dials nobody before it is told to with swarm.join on 'once'.
  async 'swarm.replicate-once' (args) {
    const it = at(args)
    const keyPair = HypercoreProtocol.keyPair()
    const swarm = open({ as: 'once' }, hyperswarm({ bootstrap: bootstrap(args), queue: { multiplex: true } }))
    const living = open({ as: 'connections' }, { count: 0, key: hex(keyPair.publicKey) })
    swarm.on('connection', (socket, info) => {
      const stream = new HypercoreProtocol(info.client, { live: true, keyPair })
      let counted = false
      socket.on('error', () => {})
      stream.on('error', () => {})
      stream.on('handshake', () => {
        const duplicate = info.deduplicate(stream.publicKey, stream.remotePublicKey)
        emit({ event: 'met', client: info.client, duplicate, key: hex(stream.remotePublicKey) })
        if (!duplicate) it.replicate(info.client, { live: true, stream })
      })
      socket.on('close', () => counted && living.count--)
      counted = true
      living.count++
      socket.pipe(stream).pipe(socket)
    })
    swarm.join(it.discoveryKey, { announce: true, lookup: false })
    await new Promise(resolve => swarm.flush(resolve))
    return { topic: hex(it.discoveryKey) }
  },

  // -> how many connections there are
  async 'swarm.living' () {
    return { count: at({ on: 'connections' }).count, key: at({ on: 'connections' }).key }
  },

  // What peers of something open look for. -> topic
  async 'swarm.topic' (args) {
    return { topic: hex(at(args).discoveryKey) }
  },

  async 'swarm.leave' (args) {
    await new Promise(resolve => at(args).leave(topic(args), resolve))
  }
}
