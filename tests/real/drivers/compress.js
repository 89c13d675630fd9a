// compress.js LOG: node's zlib and brotli on its pool threads, and deflateSync on the main thread.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const util = require('util');
const zlib = require('zlib');

const CHUNK = 256 * 1024;
const log = fs.readFileSync(process.argv[2]);
const chunk = (i) => log.subarray(i * CHUNK, (i + 1) * CHUNK);
const gzip = util.promisify(zlib.gzip);
const brotli = util.promisify(zlib.brotliCompress);
const quality = {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 5}};

async function main() {
  const jobs = [];
  for (let i = 0; i < 60; i++) jobs.push(gzip(chunk(i)));
  for (let i = 0; i < 30; i++) jobs.push(brotli(chunk(i), quality));
  const hash = crypto.createHash('sha256');
  for (let i = 0; i < 20; i++) hash.update(zlib.deflateSync(chunk(i)));
  for (const result of await Promise.all(jobs)) hash.update(result);
  console.log('jobs', jobs.length, hash.digest('hex'));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
