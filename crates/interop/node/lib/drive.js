'use strict'
// A hyperdrive: on a directory of its own, or in a store (which takes the locks).
const fs = require('fs')
const path = require('path')
const Corestore = require('corestore')
const hyperdrive = require('hyperdrive')
const { Stat } = require('hyperdrive-schemas')
const { at, bytes, call, digest, hex, open, opened } = require('./common')

const TYPES = { 0x4000: 'directory', 0x8000: 'file', 0xa000: 'symlink' }

function state (drive) {
  return {
    key: hex(drive.key),
    version: drive.version,
    writable: drive.writable
  }
}

// What a directory holds, without following any link.
async function walk (drive, folder, visit) {
  const names = await call(cb => drive.readdir(folder, { noMounts: true }, cb))
  for (const name of names.sort()) {
    const file = path.posix.join(folder, name)
    const stat = await call(cb => drive.lstat(file, cb))
    const type = TYPES[stat.mode & 0xf000] || 'other'
    await visit(file, stat, type)
    if (type === 'directory') await walk(drive, file, visit)
  }
}

async function put (drive, args) {
  const options = {}
  for (const name of ['mode', 'mtime']) if (args[name] !== undefined) options[name] = args[name]
  await call(cb => drive.writeFile(args.path, bytes(args), options, cb))
}

async function importFolder (drive, from, to) {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.posix.join(to, entry.name)
    const { mode, mtimeMs } = fs.lstatSync(source)
    if (entry.isSymbolicLink()) {
      await call(cb => drive.symlink(fs.readlinkSync(source), target, cb))
    } else if (entry.isDirectory()) {
      await call(cb => drive.mkdir(target, { mode: mode & 0o777 }, cb))
      await importFolder(drive, source, target)
    } else {
      await new Promise((resolve, reject) => {
        const out = drive.createWriteStream(target, { mode: mode & 0o777, mtime: Math.floor(mtimeMs) })
        fs.createReadStream(source).on('error', reject).pipe(out).on('error', reject).on('finish', resolve)
      })
    }
  }
}

module.exports = {
  // In `dir`, in a store opened for it at `store`, or in the open store `in`; there with the default
  // log of `namespace` unless there is a key.
  async 'drive.open' (args) {
    const key = args.key && Buffer.from(args.key, 'hex')
    let storage = args.in ? opened.get(args.in) : args.dir
    if (args.store) {
      storage = new Corestore(args.store, { sparse: true })
      await storage.ready()
    }
    const drive = hyperdrive(storage, key, args.namespace ? { namespace: args.namespace } : {})
    drive.on('error', () => {})
    drive.uploads = { metadata: new Set(), content: new Set() }
    drive.on('metadata-upload', index => drive.uploads.metadata.add(index))
    drive.on('content-upload', index => drive.uploads.content.add(index))
    await call(cb => drive.ready(cb))
    return state(open(args, drive))
  },

  async 'drive.state' (args) {
    return state(at(args))
  },

  async 'drive.write' (args) {
    await put(at(args), args)
    return state(at(args))
  },

  // files: a list of what `drive.write` takes
  async 'drive.write-many' (args) {
    for (const file of args.files) await put(at(args), file)
    return state(at(args))
  },

  async 'drive.mkdir' (args) {
    await call(cb => at(args).mkdir(args.path, cb))
  },

  async 'drive.symlink' (args) {
    await call(cb => at(args).symlink(args.target, args.path, cb))
  },

  // changes: what is to be done one after the other, each `{ change, path, ... }`
  async 'drive.change' (args) {
    const drive = at(args)
    const kinds = {
      write: change => put(drive, change),
      mkdir: change => call(cb => drive.mkdir(change.path, { mode: change.mode }, cb)),
      rmdir: change => call(cb => drive.rmdir(change.path, cb)),
      symlink: change => call(cb => drive.symlink(change.target, change.path, cb)),
      unlink: change => call(cb => drive.unlink(change.path, cb)),
      copy: change => call(cb => drive.copy(change.path, change.to, cb)),
      truncate: change => call(cb => drive.truncate(change.path, change.size, cb)),
      append: async change => {
        const added = bytes(change)
        const fd = await call(cb => drive.open(change.path, 'a', cb))
        await call(cb => drive.write(fd, added, 0, added.length, cb))
        await call(cb => drive.close(fd, cb))
      }
    }
    for (const change of args.changes) {
      try {
        await kinds[change.change](change)
      } catch (err) {
        throw new Error(`${JSON.stringify(change)}: ${err.message}`)
      }
    }
    return state(drive)
  },

  // An entry as the caller wants it, possible or not.
  async 'drive.entry' (args) {
    const value = args.hex ? bytes(args.hex) : Stat.file(args.stat).encode()
    await call(cb => at(args).db.put(args.path, value, cb))
  },

  async 'drive.unlink' (args) {
    await call(cb => at(args).unlink(args.path, cb))
  },

  // Another drive, in a version if there is one, or a single log.
  async 'drive.mount' (args) {
    const options = { version: args.version, hypercore: args.hypercore }
    await call(cb => at(args).mount(args.path, Buffer.from(args.key, 'hex'), options, cb))
  },

  async 'drive.unmount' (args) {
    await call(cb => at(args).unmount(args.path, cb))
  },

  async 'drive.mounts' (args) {
    const mounts = await call(cb => at(args).getAllMounts({ recursive: true }, cb))
    const keys = {}
    for (const [path, { metadata }] of mounts) keys[path] = hex(metadata.key)
    return { keys }
  },

  // The names in a folder, or below it.
  async 'drive.list' (args) {
    const names = await call(cb => at(args).readdir(args.path, args.options || {}, cb))
    return { names: names.sort() }
  },

  async 'drive.import' (args) {
    await importFolder(at(args), args.folder, '/')
    return state(at(args))
  },

  // Everything in the drive, with a hash of every file's bytes unless `names`.
  async 'drive.read-tree' (args) {
    const drive = at(args)
    const entries = {}
    await walk(drive, args.path || '/', async (file, stat, type) => {
      const entry = entries[file] = { type, mode: stat.mode & 0o777 }
      if (type === 'symlink') entry.target = stat.linkname
      if (type !== 'file') return
      Object.assign(entry, { size: stat.size, mtime: stat.mtime.getTime() })
      if (!args.names) entry.digest = digest(await call(cb => drive.readFile(file, cb)))
    })
    return { entries }
  },

  // The bytes of one file, or of `length` from `start` on.
  async 'drive.read' (args) {
    const options = {}
    if (args.start !== undefined) options.start = args.start
    if (args.length !== undefined) options.length = args.length
    const parts = []
    await new Promise((resolve, reject) => at(args).createReadStream(args.path, options)
      .on('data', part => parts.push(part)).on('end', resolve).on('error', reject))
    const all = Buffer.concat(parts)
    return { size: all.length, digest: digest(all), text: all.length <= 4096 ? all.toString() : undefined }
  },

  // Lengths and blocks stored of both logs.
  async 'drive.blocks' (args) {
    const drive = at(args)
    const content = await call(cb => drive.getContent(cb))
    const count = core => ({ length: core.length, stored: core.downloaded(0, core.length) })
    return { metadata: count(drive.metadata), content: count(content) }
  },

  // How many different blocks have been sent to anyone since the drive was opened.
  async 'drive.uploads' (args) {
    const { metadata, content } = at(args).uploads
    return { metadata: metadata.size, content: content.size }
  },

  // Waits for the first block of a drive that is being read, then for the newest version of whoever
  // is connected.
  async 'drive.update' (args) {
    const drive = at(args)
    await call(cb => drive.metadata.update({ minLength: 1 }, cb))
    await call(cb => drive.metadata.update({ ifAvailable: true }, () => cb()))
    return state(drive)
  },

  // Waits until the path exists or, with `gone`, does not.
  async 'drive.wait' (args) {
    const drive = at(args)
    for (;;) {
      const found = await call(cb => drive.lstat(args.path, err => cb(null, !err)))
      if (found !== !!args.gone) return state(drive)
      await call(cb => drive.metadata.update(cb))
    }
  },

  // Waits until all of both logs is here.
  async 'drive.download' (args) {
    const drive = at(args)
    await module.exports['drive.update'](args)
    await call(cb => drive.metadata.download({ start: 0, end: drive.metadata.length }, cb))
    const content = await call(cb => drive.getContent(cb))
    await call(cb => content.update({ ifAvailable: true }, () => cb()))
    await call(cb => content.download({ start: 0, end: content.length }, cb))
    return module.exports['drive.blocks'](args)
  },

  async 'drive.close' (args) {
    await call(cb => at(args).close(cb))
    opened.delete(args.on || 'it')
  }
}
