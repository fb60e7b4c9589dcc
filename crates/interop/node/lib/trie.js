'use strict'
// A hypertrie on the default log of a store.
const Corestore = require('corestore')
const hypertrie = require('hypertrie')
const ram = require('random-access-memory')
const crypto = require('hypercore-crypto')
const { at, call, hex, open, opened } = require('./common')

const drain = async iterator => {
  const items = []
  for (let item; (item = await call(cb => iterator.next(cb)));) items.push(item)
  return items
}
const place = node => node ? [node.seq, node.key] : null
const change = ({ key, left, right }) => [key, left ? left.seq : 0, right ? right.seq : 0]

const bytes = text => text === null || text === undefined ? null : Buffer.from(text)

async function apply (trie, op) {
  const { key, value, hidden, flags } = op
  if (op.op === 'put') await call(cb => trie.put(key, bytes(value), { hidden, flags }, cb))
  else if (op.op === 'del') await call(cb => trie.del(key, { hidden }, cb))
  else await call(cb => trie.batch(op.ops.map(op => ({ ...op, type: op.op, value: bytes(op.value) })), cb))
}

module.exports = {
  // `store` names an open store; without it one is opened in `dir`. `key` or `name` names the log.
  async 'trie.open' (args) {
    const store = args.store ? opened.get(args.store) : new Corestore(args.dir)
    await store.ready()
    const feed = args.key !== undefined
      ? store.get({ key: Buffer.from(args.key, 'hex') })
      : args.name !== undefined ? store.get({ name: args.name }) : store.default()
    feed.on('error', () => {})
    const trie = hypertrie(null, { feed })
    await call(cb => trie.ready(cb))
    trie.store = store
    trie.asked = { get: 0, iterator: 0, hints: 0 }
    trie.on('extension-get', () => trie.asked.get++)
    trie.on('extension-iterator', () => trie.asked.iterator++)
    const oncache = trie._extension.oncache
    trie._extension.oncache = function (message, from) {
      trie.asked.hints += message.blocks.length
      return oncache.call(this, message, from)
    }
    open(args, trie)
    return { version: trie.version, key: hex(feed.key) }
  },

  // Puts `count` keys `<prefix>/<number>`, whose values are their numbers, in one batch.
  async 'trie.fill' (args) {
    const ops = Array.from({ length: args.count }, (_, i) => ({ type: 'put', key: args.prefix + '/' + i, value: Buffer.from(String(i)) }))
    await call(cb => at(args).batch(ops, cb))
    return { version: at(args).version }
  },

  // Waits until the trie has this version.
  async 'trie.update' (args) {
    const trie = at(args)
    while (trie.version < args.version) await call(cb => trie.feed.update(args.version, cb))
  },

  async 'trie.get' (args) {
    const node = await call(cb => at(args).get(args.key, cb))
    return { value: node && node.value.toString() }
  },

  async 'trie.list' (args) {
    const nodes = await call(cb => at(args).list(args.prefix, args.options || {}, cb))
    return { keys: nodes.map(node => node.key) }
  },

  // How often peers asked, and how many hints they gave.
  async 'trie.asked' (args) {
    return at(args).asked
  },

  // Does a sequence of operations to a trie in memory, and tells all that there is to see of it.
  async 'trie.run' (args) {
    const pair = crypto.keyPair(Buffer.alloc(32, 1))
    const trie = hypertrie(ram, pair.publicKey, { secretKey: pair.secretKey, extension: false })
    await call(cb => trie.ready(cb))
    for (const op of args.ops) await apply(trie, op)
    const blocks = []
    for (let i = 0; i < trie.feed.length; i++) blocks.push(hex(await call(cb => trie.feed.get(i, cb))))
    const lists = []
    for (const { version, prefix, options } of args.lists) {
      const view = version ? trie.checkout(version) : trie
      lists.push((await call(cb => view.list(prefix, options, cb))).map(place))
    }
    const diffs = []
    for (const { left, right, prefix, options } of args.diffs) {
      const changes = await drain(trie.checkout(left).diff(right, prefix, options))
      diffs.push(changes.map(change))
    }
    const gets = []
    for (const { key, hidden } of args.gets) gets.push(place(await call(cb => trie.get(key, { hidden }, cb))))
    return { blocks, lists, diffs, gets, history: (await drain(trie.history())).map(place) }
  },

  // What differs between the newest version and each of these, and all that was written.
  async 'trie.compare' (args) {
    const diffs = []
    for (const version of args.versions) diffs.push((await drain(at(args).diff(version, ''))).map(change))
    return { diffs, history: (await drain(at(args).history())).map(place) }
  },

  // puts: {key: text}, dels: [key]; one operation each, in this order
  async 'trie.change' (args) {
    const trie = at(args)
    for (const [key, value] of Object.entries(args.puts)) await call(cb => trie.put(key, Buffer.from(value), cb))
    for (const key of args.dels) await call(cb => trie.del(key, cb))
    return { version: trie.version }
  },

  // Everything in iteration order, and the same by asking for each key.
  async 'trie.entries' (args) {
    const trie = at(args)
    const iterator = trie.iterator('')
    const entries = {}
    for (let node; (node = await call(cb => iterator.next(cb)));) entries[node.key] = node.value.toString()
    for (const key of Object.keys(entries)) {
      const node = await call(cb => trie.get(key, cb))
      if (!node || node.value.toString() !== entries[key]) throw new Error(key + ' is listed and not found')
    }
    return { version: trie.version, entries }
  },

  async 'trie.close' (args) {
    await call(cb => at(args).store.close(cb))
    opened.delete(args.on || 'it')
  }
}
