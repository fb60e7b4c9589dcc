'use strict'
// Whole folders, as a user would import and download them with the Node packages.
//
//   node folder.js import DIR FOLDER            import a folder into a fresh drive
//   node folder.js serve-drive DIR              serve a drive on TCP
//   node folder.js clone DIR KEY PORT FOLDER    download all of a drive and write its files to FOLDER
//
// Prints one JSON line when done: {"seconds": n, "key": "..."}; a server prints {"port": n, "key": ".."}
// when it listens and ends with its standard input. The clock starts when storage is open.
const fs = require('fs')
const net = require('net')
const path = require('path')
const hyperdrive = require('hyperdrive')

const call = fn => new Promise((resolve, reject) => fn((err, value) => err ? reject(err) : resolve(value)))
const emit = value => fs.writeSync(1, JSON.stringify(value) + '\n')

function clock () {
  const start = process.hrtime.bigint()
  return () => Number(process.hrtime.bigint() - start) / 1e9
}

async function open (it) {
  await call(cb => it.ready(cb))
  return it
}

function join (socket, stream) {
  socket.on('error', () => {})
  stream.on('error', () => {})
  socket.pipe(stream).pipe(socket)
}

async function serve (it) {
  const server = net.createServer({ noDelay: true }, socket => join(socket, it.replicate(false, { live: true })))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  emit({ port: server.address().port, key: it.key.toString('hex') })
  await new Promise(resolve => process.stdin.on('end', resolve).resume())
  process.exit(0)
}

function dial (it, port) {
  join(net.connect({ port: Number(port), host: '127.0.0.1', noDelay: true }), it.replicate(true, { live: true }))
}

const stream = (from, to) => new Promise((resolve, reject) =>
  from.on('error', reject).pipe(to).on('error', reject).on('finish', resolve))

async function importFolder (drive, from, to) {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.posix.join(to, entry.name)
    if (entry.isDirectory()) {
      await call(cb => drive.mkdir(target, cb))
      await importFolder(drive, source, target)
    } else if (entry.isSymbolicLink()) {
      await call(cb => drive.symlink(fs.readlinkSync(source), target, cb))
    } else if (fs.statSync(source).size <= 65536) {
      await call(cb => drive.writeFile(target, fs.readFileSync(source), cb))
    } else {
      await stream(fs.createReadStream(source), drive.createWriteStream(target))
    }
  }
}

async function exportFolder (drive, from, to) {
  fs.mkdirSync(to, { recursive: true })
  for (const name of await call(cb => drive.readdir(from, cb))) {
    const source = path.posix.join(from, name)
    const target = path.join(to, name)
    const stat = await call(cb => drive.lstat(source, cb))
    const type = stat.mode & 0xf000
    if (type === 0x4000) await exportFolder(drive, source, target)
    else if (type === 0xa000) fs.symlinkSync(stat.linkname, target)
    else if (stat.size <= 65536) fs.writeFileSync(target, await call(cb => drive.readFile(source, cb)))
    else await stream(drive.createReadStream(source), fs.createWriteStream(target))
  }
}

const workloads = {
  async import (dir, folder) {
    const drive = await open(hyperdrive(dir))
    const seconds = clock()
    await importFolder(drive, folder, '/')
    emit({ seconds: seconds(), key: drive.key.toString('hex') })
    await call(cb => drive.close(cb))
  },

  async 'serve-drive' (dir) {
    await serve(await open(hyperdrive(dir)))
  },

  async clone (dir, key, port, folder) {
    const drive = await open(hyperdrive(dir, Buffer.from(key, 'hex')))
    const seconds = clock()
    dial(drive, port)
    await call(cb => drive.metadata.update({ minLength: 1 }, cb))
    await call(cb => drive.metadata.download({ start: 0, end: drive.metadata.length }, cb))
    const content = await call(cb => drive.getContent(cb))
    await call(cb => content.update({ ifAvailable: true }, cb))
    await call(cb => content.download({ start: 0, end: content.length }, cb))
    await exportFolder(drive, '/', folder)
    emit({ seconds: seconds() })
    process.exit(0)
  }
}

const [name, ...parameters] = process.argv.slice(2)
workloads[name](...parameters).catch(err => {
  console.error(err)
  process.exit(1)
})
