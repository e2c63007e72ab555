// Runs inside a peer: sends one datagram and prints the answer, both as hexadecimal.
//   node ask.ts OWN-ADDRESS OWN-PORT ADDRESS PORT HEX
import { createSocket } from 'node:dgram';

const [ownAddress = '', ownPort, address = '', port, payload = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
const timer = setTimeout(() => socket.close(), 3_000);
socket.on('message', (bytes, peer) => {
  console.log(`${peer.address}:${peer.port} ${bytes.toString('hex')}`);
  clearTimeout(timer);
  socket.close();
});
socket.bind({ address: ownAddress, port: Number(ownPort) }, () => {
  socket.setBroadcast(true);
  socket.send(Buffer.from(payload, 'hex'), Number(port), address);
});
