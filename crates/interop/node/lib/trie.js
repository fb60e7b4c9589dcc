'use strict'
// A hypertrie on the default log of a store.
const Corestore = require('corestore')
const hypertrie = require('hypertrie')
const { at, call, open, opened } = require('./common')

module.exports = {
  async 'trie.open' (args) {
    const store = new Corestore(args.dir)
    await store.ready()
    const feed = store.default()
    feed.on('error', () => {})
    const trie = hypertrie(null, { feed })
    await call(cb => trie.ready(cb))
    trie.store = store
    open(args, trie)
    return { version: trie.version }
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
