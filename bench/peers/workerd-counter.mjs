import { DurableObject } from "cloudflare:workers";

// The same work as `guests/counter.ts`: a JSON string names a counter, one is added durably, and
// the sum is answered. Durable Objects hold an answer back until its writes are confirmed.
export class Counter extends DurableObject {
  async add() {
    const sum = ((await this.ctx.storage.get("sum")) ?? 0) + 1;
    this.ctx.storage.put("sum", sum);
    return sum;
  }
}

export default {
  async fetch(request, env) {
    const page = await request.json();
    return Response.json(await env.counters.getByName(page).add());
  },
};
