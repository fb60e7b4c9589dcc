'use strict'
// A mountable hypertrie on the default log of a store, or on another one of it.
const Corestore = require('corestore')
const MountableHypertrie = require('mountable-hypertrie')
const { at, call, hex, open, opened } = require('./common')

// Callbacks with several results.
const callAll = fn => new Promise((resolve, reject) => fn((err, ...values) => err ? reject(err) : resolve(values)))
const entry = node => node && { key: node.key, value: node.value && node.value.toString(), flags: node.flags }

module.exports = {
  // `store` names an open store; without it one is opened in `dir`. `name` names the log.
  async 'mounts.open' (args) {
    const store = args.store ? opened.get(args.store) : new Corestore(args.dir)
    await store.ready()
    const feed = args.key !== undefined
      ? store.get({ key: Buffer.from(args.key, 'hex') })
      : args.name !== undefined ? store.get({ name: args.name }) : store.default()
    const trie = new MountableHypertrie(store, null, { feed, sparse: true })
    await call(cb => trie.ready(cb))
    trie.on('error', () => {})
    open(args, trie)
    return { key: hex(trie.key), version: trie.version }
  },

  async 'mounts.put' (args) {
    await call(cb => at(args).put(args.key, Buffer.from(args.value), cb))
  },

  async 'mounts.del' (args) {
    await call(cb => at(args).del(args.key, cb))
  },

  async 'mounts.mount' (args) {
    const options = { version: args.version, value: Buffer.from(args.value || '') }
    await callAll(cb => at(args).mount(args.path, Buffer.from(args.key, 'hex'), options, cb))
  },

  async 'mounts.unmount' (args) {
    await call(cb => at(args).unmount(args.path, cb))
  },

  // The entry, and the key of the log that it is in.
  async 'mounts.get' (args) {
    const [node, , info, inner] = await callAll(cb => at(args).get(args.key, cb))
    return { entry: entry(node), log: hex(info.key), inner }
  },

  async 'mounts.list' (args) {
    const nodes = await call(cb => at(args).list(args.prefix || '', args.options || {}, cb))
    return { entries: nodes.map(entry) }
  },

  async 'mounts.mounts' (args) {
    const mounts = await call(cb => at(args).listMounts({ recursive: true }, cb))
    return { paths: mounts.map(mount => mount.path) }
  },

  async 'mounts.close' (args) {
    await call(cb => at(args).corestore.close(cb))
    opened.delete(args.on || 'it')
  }
}
