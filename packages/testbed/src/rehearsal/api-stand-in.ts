// Entry: stands in for a kube-apiserver behind the load balancer: node api-stand-in.ts NAME ADDRESS KEY CERTIFICATE READY
//   /readyz    200 while the file READY exists, else 500
//   /endless   bytes until nobody takes any more; /written says how many were taken
//   anything   its name
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [name = '', address = '', key = '', certificate = '', ready = ''] = process.argv.slice(2);
const chunk = Buffer.alloc(64 * 1024, 'x');
let written = 0;

createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (asked, answer) => {
  if (asked.url === '/readyz') {
    answer.statusCode = existsSync(ready) ? 200 : 500;
    answer.end();
  } else if (asked.url === '/endless') {
    const write = (): void => {
      while (answer.write(chunk)) written += chunk.length;
      written += chunk.length;
    };
    answer.on('drain', write);
    write();
  } else {
    answer.end(asked.url === '/written' ? String(written) : name);
  }
}).listen(6443, address);
