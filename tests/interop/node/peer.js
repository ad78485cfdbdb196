// Node's TLS as client or server for the tests. One JSON object in argv[2] says what to be;
// answers are lines of JSON on stdout: {"port"} from a server, then one report a connection.
// A server echoes what it gets; a client sends `size` bytes, half-closes and compares the echo, and
// does so again, resuming its session, where it is told to make several `connections`.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const tls = require('node:tls');

const OPENSSL_NAMES = { x25519: 'X25519', secp256r1: 'P-256', secp384r1: 'P-384' };

function say(report) {
  fs.writeSync(1, JSON.stringify(report) + '\n');
}

function common(options) {
  return {
    minVersion: 'TLSv1.3',
    ecdhCurve: options.groups.map((name) => OPENSSL_NAMES[name] ?? name).join(':'),
    ALPNProtocols: options.alpn,
    cert: options.certificate && fs.readFileSync(options.certificate),
    key: options.key && fs.readFileSync(options.key),
    ca: options.ca && fs.readFileSync(options.ca),
  };
}

function report(socket, more) {
  const peer = socket.getPeerX509Certificate();
  return {
    authorized: socket.authorized,
    alpn: socket.alpnProtocol || null,
    cipher: socket.getCipher().standardName,
    protocol: socket.getProtocol(),
    serverName: socket.servername || null,
    resumed: socket.isSessionReused(),
    peer: peer ? peer.raw.toString('hex') : null,
    ...more,
  };
}

function serve(options) {
  const server = tls.createServer({
    ...common(options),
    allowHalfOpen: true,
    requestCert: Boolean(options.ca),
    rejectUnauthorized: Boolean(options.ca),
  });
  server.on('secureConnection', (socket) => {
    say(report(socket, {}));
    socket.on('error', (error) => say({ error: error.code ?? error.message }));
    socket.pipe(socket); // ends our direction when the client ended its own
  });
  server.on('tlsClientError', (error) => say({ error: error.code ?? error.message }));
  server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
}

function connect(options, session) {
  let ticket;
  const sent = crypto.randomBytes(options.size);
  const echoed = [];
  const socket = tls.connect({
    ...common(options),
    host: '127.0.0.1',
    port: options.port,
    servername: options.serverName,
    allowHalfOpen: true,
    session,
  });
  socket.on('session', (given) => (ticket = given));
  socket.on('secureConnect', () => socket.end(sent));
  socket.on('data', (chunk) => echoed.push(chunk));
  socket.on('error', (error) => say({ error: error.code ?? error.message }));
  socket.on('end', () => {
    say(report(socket, { intact: Buffer.concat(echoed).equals(sent) }));
    socket.destroy();
    options.connections -= 1;
    if (options.connections > 0) connect(options, ticket);
  });
}

const options = JSON.parse(process.argv[2]);
process.stdin.resume().on('end', () => process.exit()); // the test that started us is gone
if (options.role === 'server') serve(options);
else connect(options);
