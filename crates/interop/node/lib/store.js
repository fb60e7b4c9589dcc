'use strict'
// A corestore; its logs are used with the commands of `log.js`.
const Corestore = require('corestore')
const { at, call, open, opened } = require('./common')
const log = require('./log')

module.exports = {
  async 'store.open' (args) {
    const store = new Corestore(args.dir, { sparse: !!args.sparse })
    await store.ready()
    open(args, store)
  },

  // `name`, `key` or neither (the default log), opened as `as`.
  async 'store.log' (args) {
    const store = at(args)
    const core = args.name !== undefined
      ? store.get({ name: args.name })
      : args.key !== undefined ? store.get({ key: Buffer.from(args.key, 'hex') }) : store.default()
    core.on('error', () => {})
    await call(cb => core.ready(cb))
    open(args, core)
    return log['log.state']({ on: args.as })
  },

  async 'store.close' (args) {
    await call(cb => at(args).close(cb))
    opened.delete(args.on || 'it')
  }
}
