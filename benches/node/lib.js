'use strict'
// Shared helpers: argument parsing, deterministic data, clocks and JSON output.
const fs = require('fs')
const path = require('path')

const POOL = 16 * 1024 * 1024
let pool = null

// xorshift32 stream, little-endian words, state starts at 0x9e3779b9.
exports.pool = function () {
  if (pool) return pool
  const words = new Uint32Array(POOL / 4)
  let x = 0x9e3779b9
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  pool = Buffer.from(words.buffer)
  return pool
}

// Block i of a given size is a window of the pool.
exports.block = function (i, size) {
  const off = (i * 4099) % (POOL - size)
  return exports.pool().subarray(off, off + size)
}

exports.smallSize = i => 1024 + (Math.imul(i, 2654435761) >>> 0) % 7169
exports.smallName = (i, layout) => layout === 'flat'
  ? '/flat/f' + String(i).padStart(6, '0')
  : '/tree/d' + String(Math.floor(i / 100)).padStart(3, '0') + '/f' + String(i % 100).padStart(3, '0')
exports.trieKey = (i, layout) => layout === 'flat'
  ? 'dir/f' + String(i).padStart(7, '0')
  : 'a' + String(i % 100).padStart(2, '0') + '/b' + String(Math.floor(i / 100) % 100).padStart(2, '0') + '/f' + String(i).padStart(7, '0')

// 32-bit linear congruential generator for random positions.
exports.lcg = function (seed) {
  let s = seed >>> 0
  return n => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0
    return Math.floor(s / 4294967296 * n)
  }
}

exports.args = function (argv) {
  const out = { workload: argv[0] }
  for (const a of argv.slice(1)) {
    const i = a.indexOf('=')
    const v = a.slice(i + 1)
    out[a.slice(0, i)] = /^-?\d+(\.\d+)?$/.test(v) ? Number(v) : v
  }
  return out
}

exports.p = fn => new Promise((resolve, reject) => fn((err, v) => err ? reject(err) : resolve(v)))

exports.meter = function () {
  const cpu = process.cpuUsage()
  const t = process.hrtime.bigint()
  return {
    stop () {
      const wall = Number(process.hrtime.bigint() - t) / 1e9
      const c = process.cpuUsage(cpu)
      return { wall_s: wall, cpu_s: (c.user + c.system) / 1e6, user_s: c.user / 1e6, sys_s: c.system / 1e6 }
    }
  }
}

exports.rssMiB = () => process.memoryUsage().rss / 1048576
// What the process itself reached; what `getrusage` tells begins with the peak of who started it.
exports.peakMiB = function () {
  try {
    return /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1] / 1024
  } catch (_) {
    return process.resourceUsage().maxRSS / 1024
  }
}

exports.emit = obj => fs.writeSync(1, JSON.stringify(obj) + '\n')

exports.fresh = function (dir) {
  fs.rmSync(dir, { recursive: true, force: true })
  fs.mkdirSync(dir, { recursive: true })
  return dir
}

exports.diskBytes = function du (dir) {
  let n = 0
  for (const e of fs.readdirSync(dir, { withFileTypes: true })) {
    const f = path.join(dir, e.name)
    if (e.isDirectory()) n += du(f)
    else n += fs.statSync(f).blocks * 512
  }
  return n
}

// A server process ends when its standard input ends.
exports.untilStdinEnds = () => new Promise(resolve => {
  process.stdin.on('end', resolve).on('error', resolve).resume()
})

exports.quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
