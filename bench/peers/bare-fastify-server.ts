// The least that Fastify can do for a request of this kind: parse the JSON body, answer JSON.
// What Downpour adds to this (tokens, admission, another thread, a sandbox) is the difference.

import Fastify from "fastify";

const app = Fastify();
app.post("/", (request, reply) => {
  reply.type("application/json").send(JSON.stringify(`Hello, ${String(request.body)}!`));
});
const address = await app.listen({ host: "127.0.0.1", port: 0 });
console.log(`listening on ${address}`);
