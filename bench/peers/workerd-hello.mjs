// The same work as `examples/hello`: a JSON string in, a JSON string out.
export default {
  async fetch(request) {
    const name = await request.json();
    return Response.json(`Hello, ${name}!`);
  },
};
