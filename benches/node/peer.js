'use strict'
// The Node side: hypercore 9, hypertrie 5, corestore 5, hyperdrive 10 under the command line of README.md.
const fs = require('fs')
const net = require('net')
const path = require('path')
const hypercore = require('hypercore')
const lib = require('./lib')
const { p, meter, emit, block } = lib

const PEER = process.env.PEER || 'node'
const opts = lib.args(process.argv.slice(2))
const ram = () => require('random-access-memory')
const done = metrics => emit({ peer: PEER, workload: opts.workload, params: params(), metrics })

function params () {
  const { workload, dir, port, key, src, ...rest } = opts
  return rest
}

function storage (dir) {
  return opts.storage === 'ram' ? ram() : dir
}

async function fill (core, count, size, batch) {
  for (let i = 0; i < count;) {
    const n = Math.min(batch, count - i)
    const list = new Array(n)
    for (let j = 0; j < n; j++) list[j] = block(i + j, size)
    await p(cb => core.append(n === 1 ? list[0] : list, cb))
    i += n
  }
}

function server (makeStream) {
  const socks = []
  const srv = net.createServer({ noDelay: opts.nodelay !== 0 }, sock => {
    socks.push(sock)
    const s = makeStream(false)
    sock.on('error', () => {})
    s.on('error', () => {})
    sock.pipe(s).pipe(sock)
  })
  return new Promise(resolve => srv.listen(0, '127.0.0.1', () => resolve({ port: srv.address().port, socks })))
}

function connect (stream) {
  const sock = net.connect({ port: opts.port, host: '127.0.0.1', noDelay: opts.nodelay !== 0 })
  sock.on('error', () => {})
  stream.on('error', () => {})
  sock.pipe(stream).pipe(sock)
  return sock
}

const wire = () => opts.encrypted === 0 ? { encrypted: false, noise: false } : {}

async function serve (info, makeStream) {
  const { port, socks } = await server(makeStream)
  emit({ ready: true, port, ...info })
  const m = meter()
  await lib.untilStdinEnds()
  const r = m.stop()
  done({
    server_cpu_s: r.cpu_s,
    server_peak_rss_mib: lib.peakMiB(),
    server_bytes_out: socks.reduce((n, s) => n + s.bytesWritten, 0)
  })
  process.exit(0)
}

function net_ (sock, payload) {
  return {
    bytes_in: sock.bytesRead,
    bytes_out: sock.bytesWritten,
    ...(payload ? { wire_overhead_pct: ((sock.bytesRead + sock.bytesWritten) / payload - 1) * 100 } : {})
  }
}

const workloads = {
  async w1 () {
    if (opts.durable) process.exit(3)
    lib.pool()
    const core = hypercore(storage(lib.fresh(opts.dir)))
    await p(cb => core.ready(cb))
    const rss0 = lib.rssMiB()
    const m = meter()
    await fill(core, opts.count, opts.block, opts.batch)
    const r = m.stop()
    done({
      blocks_per_s: opts.count / r.wall_s,
      mib_per_s: opts.count * opts.block / 1048576 / r.wall_s,
      cpu_us_per_block: r.cpu_s * 1e6 / opts.count,
      ...r,
      base_rss_mib: rss0,
      peak_rss_mib: lib.peakMiB()
    })
  },

  async 'w2-prepare' () {
    const core = hypercore(lib.fresh(opts.dir))
    await fill(core, opts.count, opts.block, 1000)
    await p(cb => core.close(cb))
    emit({ ready: true, disk_bytes: lib.diskBytes(opts.dir) })
  },

  async w2 () {
    const core = hypercore(opts.dir)
    await p(cb => core.ready(cb))
    const rnd = lib.lcg(7)
    const get = () => p(cb => core.get(rnd(opts.count), cb))
    for (let i = 0; i < 200; i++) await get()
    const m = meter()
    let left = opts.gets
    await Promise.all(Array.from({ length: opts.concurrency }, async () => {
      while (left-- > 0) await get()
    }))
    const r = m.stop()
    done({ gets_per_s: opts.gets / r.wall_s, cpu_us_per_get: r.cpu_s * 1e6 / opts.gets, ...r, peak_rss_mib: lib.peakMiB() })
  },

  async 'w3-serve' () {
    let core
    if (opts.storage === 'ram') {
      core = hypercore(ram())
      await fill(core, opts.count, opts.block, 1000)
    } else {
      core = hypercore(opts.dir)
    }
    await p(cb => core.ready(cb))
    await serve({ key: core.key.toString('hex') }, () => core.replicate(false, wire()))
  },

  async 'w3-fetch' () {
    const core = hypercore(storage(lib.fresh(opts.dir)), Buffer.from(opts.key, 'hex'))
    await p(cb => core.ready(cb))
    const total = opts.count * opts.block
    const m = meter()
    const stream = core.replicate(true, { live: true, ...wire() })
    const sock = connect(stream)
    await p(cb => core.update({ minLength: opts.count }, cb))
    await p(cb => core.download({ start: 0, end: opts.count }, cb))
    const r = m.stop()
    if (core.downloaded(0, opts.count) !== opts.count) throw new Error('incomplete')
    done({
      mib_per_s: total / 1048576 / r.wall_s,
      blocks_per_s: opts.count / r.wall_s,
      ...r,
      ...net_(sock, total),
      peak_rss_mib: lib.peakMiB()
    })
    process.exit(0)
  },

  // A sparse reader asks for one byte range of a log.
  async 'w3-range' () {
    const core = hypercore(lib.fresh(opts.dir), Buffer.from(opts.key, 'hex'), { sparse: true })
    await p(cb => core.ready(cb))
    const m = meter()
    const sock = connect(core.replicate(true, { live: true, ...wire() }))
    await p(cb => core.update({ ifAvailable: true }, cb))
    let [index, offset] = await new Promise((resolve, reject) => core.seek(opts.at, (err, ...where) => err ? reject(err) : resolve(where)))
    const parts = []
    for (let left = opts.length; left > 0; index++, offset = 0) {
      const part = (await p(cb => core.get(index, cb))).subarray(offset, offset + left)
      parts.push(part)
      left -= part.length
    }
    const r = m.stop()
    const got = Buffer.concat(parts)
    for (let i = 0; i < got.length;) {
      const at = opts.at + i
      const part = block(Math.floor(at / opts.block), opts.block).subarray(at % opts.block)
      const k = Math.min(part.length, got.length - i)
      if (!got.subarray(i, i + k).equals(part.subarray(0, k))) throw new Error('wrong bytes')
      i += k
    }
    done({ range_ms: r.wall_s * 1e3, ...r, ...net_(sock, opts.length) })
    process.exit(0)
  },

  async 'w4-build' () {
    const hypertrie = require('hypertrie')
    const trie = hypertrie(storage(lib.fresh(opts.dir)))
    await p(cb => trie.ready(cb))
    const m = meter()
    for (let i = 0; i < opts.n;) {
      const k = Math.min(opts.batch, opts.n - i)
      if (k === 1) {
        await p(cb => trie.put(lib.trieKey(i, opts.layout), block(i, 32), cb))
      } else {
        const ops = []
        for (let j = i; j < i + k; j++) ops.push({ type: 'put', key: lib.trieKey(j, opts.layout), value: block(j, 32) })
        await p(cb => trie.batch(ops, cb))
      }
      i += k
    }
    const r = m.stop()
    done({ puts_per_s: opts.n / r.wall_s, cpu_us_per_put: r.cpu_s * 1e6 / opts.n, ...r, bytes_per_entry: trie.feed.byteLength / opts.n, peak_rss_mib: lib.peakMiB() })
  },

  async 'w4-read' () {
    const hypertrie = require('hypertrie')
    const open = async cacheSize => {
      const t = hypertrie(opts.dir, { cacheSize })
      await p(cb => t.ready(cb))
      return t
    }
    const trie = await open()
    const rnd = lib.lcg(11)
    let m = meter()
    for (let i = 0; i < opts.gets; i++) {
      const node = await p(cb => trie.get(lib.trieKey(rnd(opts.n), opts.layout), cb))
      if (!node) throw new Error('missing')
    }
    let r = m.stop()
    const out = { gets_per_s: opts.gets / r.wall_s, cpu_us_per_get: r.cpu_s * 1e6 / opts.gets }

    m = meter()
    const ite = trie.iterator('')
    let count = 0
    while (await p(cb => ite.next(cb))) count++
    r = m.stop()
    if (count !== opts.n) throw new Error('iterated ' + count)
    out.iterate_per_s = count / r.wall_s
    out.iterate_cpu_us = r.cpu_s * 1e6 / count

    if (opts.layout === 'flat') {
      m = meter()
      const dir = trie.iterator('dir', { recursive: false })
      let entries = 0
      while (await p(cb => dir.next(cb))) entries++
      r = m.stop()
      out.readdir_entries = entries
      out.readdir_s = r.wall_s
      out.readdir_per_s = entries / r.wall_s
    }

    // Blocks visited by a get: every node access is counted, cached or not.
    let seen = 0
    const inner = trie.getBySeq
    trie.getBySeq = function (...a) { seen++; return inner.apply(this, a) }
    for (let i = 0; i < 1000; i++) await p(cb => trie.get(lib.trieKey(rnd(opts.n), opts.layout), cb))
    out.blocks_per_get = seen / 1000
    out.peak_rss_mib = lib.peakMiB()
    await p(cb => trie.feed.close(cb))
    done(out)
  },

  async 'w4-serve' () {
    const trie = require('hypertrie')(opts.dir)
    await p(cb => trie.ready(cb))
    await serve({ key: trie.feed.key.toString('hex') }, () => trie.replicate(false, { live: true }))
  },

  async 'w4-fetch' () {
    const trie = require('hypertrie')(storage(lib.fresh(opts.dir)), Buffer.from(opts.key, 'hex'), { sparse: true })
    await p(cb => trie.ready(cb))
    const m = meter()
    const sock = connect(trie.replicate(true, { live: true }))
    await p(cb => trie.feed.update({ ifAvailable: true }, cb))
    const out = {}
    if (opts.op === 'get') {
      const i = Math.floor(opts.n / 2) + 1
      const node = await p(cb => trie.get(lib.trieKey(i, opts.layout), cb))
      if (!node || !node.value.equals(block(i, 32))) throw new Error('wrong value')
      out.get_ms = m.stop().wall_s * 1e3
    } else if (opts.op === 'diff') {
      const ite = trie.diff(trie.version - opts.back)
      let count = 0
      while (await p(cb => ite.next(cb))) count++
      if (count !== opts.back) throw new Error('differences ' + count)
      out.diff_ms = m.stop().wall_s * 1e3
    } else {
      process.exit(3)
    }
    done({ ...out, ...net_(sock), cpu_s: m.stop().cpu_s })
    process.exit(0)
  },

  async 'w5-import-small' () {
    const drive = require('hyperdrive')(lib.fresh(opts.dir))
    await p(cb => drive.ready(cb))
    const m = meter()
    let bytes = 0
    for (let i = 0; i < opts.n; i++) {
      const name = lib.smallName(i, opts.layout)
      const data = fs.readFileSync(path.join(opts.src, name))
      bytes += data.length
      await p(cb => drive.writeFile(name, data, cb))
    }
    const r = m.stop()
    await p(cb => drive.close(cb))
    done({ files_per_s: opts.n / r.wall_s, mib_per_s: bytes / 1048576 / r.wall_s, cpu_us_per_file: r.cpu_s * 1e6 / opts.n, ...r, payload_bytes: bytes, disk_bytes: lib.diskBytes(opts.dir), peak_rss_mib: lib.peakMiB() })
  },

  async 'w5-import-large' () {
    const drive = require('hyperdrive')(lib.fresh(opts.dir))
    await p(cb => drive.ready(cb))
    const m = meter()
    await new Promise((resolve, reject) => {
      const ws = drive.createWriteStream('/big.bin')
      fs.createReadStream(path.join(opts.src, 'big.bin')).on('error', reject).pipe(ws).on('error', reject).on('finish', resolve)
    })
    const r = m.stop()
    const { size } = await p(cb => drive.stat('/big.bin', cb))
    await p(cb => drive.close(cb))
    done({ mib_per_s: size / 1048576 / r.wall_s, cpu_s_per_gib: r.cpu_s / (size / 1073741824), ...r, disk_bytes: lib.diskBytes(opts.dir), peak_rss_mib: lib.peakMiB() })
  },

  async 'w5-read-small' () {
    const drive = require('hyperdrive')(opts.dir)
    await p(cb => drive.ready(cb))
    const m = meter()
    let bytes = 0
    for (let i = 0; i < opts.n; i++) bytes += (await p(cb => drive.readFile(lib.smallName(i, opts.layout), cb))).length
    const r = m.stop()
    done({ files_per_s: opts.n / r.wall_s, mib_per_s: bytes / 1048576 / r.wall_s, cpu_us_per_file: r.cpu_s * 1e6 / opts.n, ...r, peak_rss_mib: lib.peakMiB() })
    process.exit(0)
  },

  async 'w5-read-large' () {
    const drive = require('hyperdrive')(opts.dir)
    await p(cb => drive.ready(cb))
    let m = meter()
    let bytes = 0
    await new Promise((resolve, reject) => drive.createReadStream('/big.bin').on('data', d => { bytes += d.length }).on('end', resolve).on('error', reject))
    let r = m.stop()
    const out = { mib_per_s: bytes / 1048576 / r.wall_s, cpu_s_per_gib: r.cpu_s / (bytes / 1073741824) }
    const rnd = lib.lcg(3)
    const lat = []
    m = meter()
    for (let i = 0; i < opts.ranges; i++) {
      const start = rnd(bytes - 65536)
      const t = process.hrtime.bigint()
      let got = 0
      await new Promise((resolve, reject) => drive.createReadStream('/big.bin', { start, length: 65536 }).on('data', d => { got += d.length }).on('end', resolve).on('error', reject))
      if (got !== 65536) throw new Error('short range ' + got)
      lat.push(Number(process.hrtime.bigint() - t) / 1e3)
    }
    r = m.stop()
    lat.sort((a, b) => a - b)
    out.ranges_per_s = opts.ranges / r.wall_s
    out.range_cpu_us = r.cpu_s * 1e6 / opts.ranges
    out.range_p50_us = lib.quantile(lat, 0.5)
    out.range_p99_us = lib.quantile(lat, 0.99)
    out.peak_rss_mib = lib.peakMiB()
    done(out)
    process.exit(0)
  },

  async 'w6-serve' () {
    const drive = require('hyperdrive')(opts.dir)
    await p(cb => drive.ready(cb))
    await serve({ key: drive.key.toString('hex') }, () => drive.replicate(false, { live: true, ...wire() }))
  },

  async 'w6-fetch' () {
    const drive = require('hyperdrive')(storage(lib.fresh(opts.dir)), Buffer.from(opts.key, 'hex'))
    await p(cb => drive.ready(cb))
    const m = meter()
    const sock = connect(drive.replicate(true, { live: true, ...wire() }))
    await p(cb => drive.metadata.update({ ifAvailable: true }, cb))
    const out = {}
    if (opts.op === 'ttfb') {
      let first = 0
      let got = 0
      await new Promise((resolve, reject) => drive.createReadStream('/big.bin', { start: opts.at, length: 65536 })
        .on('data', d => {
          if (!got) first = m.stop().wall_s * 1e3
          got += d.length
        }).on('end', resolve).on('error', reject))
      if (got !== 65536) throw new Error('short read ' + got)
      out.ttfb_ms = first
      out.done_ms = m.stop().wall_s * 1e3
      Object.assign(out, net_(sock, 65536))
    } else if (opts.op === 'list') {
      const names = await p(cb => drive.readdir('/flat', cb))
      if (names.length !== opts.n) throw new Error('listed ' + names.length)
      out.list_ms = m.stop().wall_s * 1e3
      out.entries_per_s = names.length / out.list_ms * 1e3
      Object.assign(out, net_(sock))
      out.bytes_per_entry = (sock.bytesRead + sock.bytesWritten) / names.length
    } else if (opts.op === 'sync') {
      await p(cb => drive.metadata.download({ start: 0, end: drive.metadata.length }, cb))
      const content = await p(cb => drive.getContent(cb))
      await p(cb => content.update({ ifAvailable: true }, cb))
      await p(cb => content.download({ start: 0, end: content.length }, cb))
      const payload = content.byteLength
      out.sync_s = m.stop().wall_s
      out.mib_per_s = payload / 1048576 / out.sync_s
      out.blocks_per_s = (content.length + drive.metadata.length) / out.sync_s
      Object.assign(out, net_(sock, payload))
    }
    const r = m.stop()
    done({ ...out, cpu_s: r.cpu_s, peak_rss_mib: lib.peakMiB() })
    process.exit(0)
  },

  async 'w7-prepare-store' () {
    const Corestore = require('corestore')
    const store = new Corestore(lib.fresh(opts.dir), { cacheSize: opts.cores + 1 })
    await store.ready()
    const keys = []
    for (let i = 0; i < opts.cores; i++) {
      const core = store.get({ name: 'core-' + i })
      await p(cb => core.append(block(i, 64), cb))
      keys.push(core.key.toString('hex'))
    }
    fs.writeFileSync(opts.dir + '.keys.json', JSON.stringify(keys))
    await p(cb => store.close(cb))
    emit({ ready: true, disk_bytes: lib.diskBytes(opts.dir) })
    process.exit(0)
  },

  async 'w7-open-store' () {
    const Corestore = require('corestore')
    const keys = JSON.parse(fs.readFileSync(opts.dir + '.keys.json'))
    const rss0 = lib.rssMiB()
    const m = meter()
    const store = new Corestore(opts.dir, { cacheSize: keys.length + 1 })
    await store.ready()
    const storeMs = m.stop().wall_s * 1e3
    const cores = keys.map(k => store.get({ key: Buffer.from(k, 'hex') }))
    await Promise.all(cores.map(c => p(cb => c.ready(cb))))
    const r = m.stop()
    if (cores.some(c => c.length !== 1)) throw new Error('bad core')
    if (global.gc) global.gc()
    done({ store_open_ms: storeMs, open_all_ms: r.wall_s * 1e3, cpu_s: r.cpu_s, kib_per_core: (lib.rssMiB() - rss0) * 1024 / keys.length, rss_mib: lib.rssMiB(), open_fds: fs.readdirSync('/proc/self/fd').length })
    process.exit(0)
  },

  async 'w7-prepare-big' () {
    const core = hypercore(lib.fresh(opts.dir))
    await fill(core, opts.count, opts.block, 10000)
    await p(cb => core.close(cb))
    emit({ ready: true, disk_bytes: lib.diskBytes(opts.dir) })
  },

  async 'w7-open-big' () {
    const rss0 = lib.rssMiB()
    const m = meter()
    const core = hypercore(opts.dir)
    await p(cb => core.ready(cb))
    const ready = m.stop()
    await p(cb => core.get(Math.floor(opts.count / 2), cb))
    const first = m.stop()
    if (core.length !== opts.count) throw new Error('length ' + core.length)
    if (global.gc) global.gc()
    done({ open_ms: ready.wall_s * 1e3, open_to_first_get_ms: first.wall_s * 1e3, cpu_s: first.cpu_s, rss_delta_mib: lib.rssMiB() - rss0, rss_mib: lib.rssMiB() })
    process.exit(0)
  }
}

// Verification of what a peer left behind: length, signature of the head, and a sample of the content.
async function checkFeed (feed, length) {
  if (feed.length !== length) throw new Error('length ' + feed.length + ', not ' + length)
  const { signature } = await p(cb => feed.signature(length - 1, cb))
  await p(cb => feed.verify(length - 1, signature, cb))
}

async function sample (n, check) {
  const rnd = lib.lcg(n)
  for (const i of [0, n - 1, ...Array.from({ length: 100 }, () => rnd(n))]) await check(i)
  emit({ metrics: { ok: 1 } })
  process.exit(0)
}

Object.assign(workloads, {
  async 'check-core' () {
    const core = hypercore(opts.dir)
    await p(cb => core.ready(cb))
    await checkFeed(core, opts.count)
    await sample(opts.count, async i => {
      if (!block(i, opts.block).equals(await p(cb => core.get(i, { wait: false }, cb)))) throw new Error('block ' + i)
    })
  },

  async 'check-trie' () {
    const trie = require('hypertrie')(opts.dir)
    await p(cb => trie.ready(cb))
    await checkFeed(trie.feed, opts.n + 1)
    await sample(opts.n, async i => {
      const node = await p(cb => trie.get(lib.trieKey(i, opts.layout), cb))
      if (!node || !block(i, 32).equals(node.value)) throw new Error('key ' + i)
    })
  },

  async 'check-drive' () {
    const drive = require('hyperdrive')(opts.dir)
    await p(cb => drive.ready(cb))
    if (opts.large) {
      const { size } = await p(cb => drive.stat('/big.bin', cb))
      if (size !== opts.large) throw new Error('size ' + size)
      await sample(size / 65536, async i => {
        const parts = []
        await new Promise((resolve, reject) => drive.createReadStream('/big.bin', { start: i * 65536, length: 65536 }).on('data', d => parts.push(d)).on('end', resolve).on('error', reject))
        if (!block(i, 65536).equals(Buffer.concat(parts))) throw new Error('range ' + i)
      })
    } else {
      await sample(opts.n, async i => {
        if (!block(i, lib.smallSize(i)).equals(await p(cb => drive.readFile(lib.smallName(i, opts.layout), cb)))) throw new Error('file ' + i)
      })
    }
  }
})

const run = workloads[opts.workload]
if (!run) process.exit(3)
run().catch(err => {
  console.error(err)
  process.exit(1)
})
