'use strict'
const crypto = require('crypto')

// What the commands have opened, by the name that the test gave it.
exports.opened = new Map()
exports.sockets = new Set()

exports.open = (args, value) => {
  exports.opened.set(args.as || 'it', value)
  return value
}

exports.at = args => {
  const value = exports.opened.get(args.on || 'it')
  if (!value) throw new Error('nothing is open as ' + (args.on || 'it'))
  return value
}

exports.call = fn => new Promise((resolve, reject) => fn((err, value) => err ? reject(err) : resolve(value)))
exports.emit = message => process.stdout.write(JSON.stringify(message) + '\n')
exports.hex = bytes => bytes && Buffer.from(bytes).toString('hex')
exports.digest = bytes => crypto.createHash('blake2b512').update(bytes).digest('hex')

// Bytes as a test spells them: {"hex": ".."}, {"text": ".."}, or {"size": n, "seed": s}, which
// `interop::pattern` makes too.
exports.bytes = args => {
  if (args.hex !== undefined) return Buffer.from(args.hex, 'hex')
  if (args.text !== undefined) return Buffer.from(args.text)
  return pattern(args.size, args.seed || 0)
}

// xorshift32, one little-endian word a step.
function pattern (size, seed) {
  const words = new Uint32Array(Math.ceil(size / 4))
  let x = (seed ^ 0x9e3779b9) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return Buffer.from(words.buffer).subarray(0, size)
}
exports.pattern = pattern
