# Two stages: the first installs what the host needs, the second has nothing but Node and that.
# Node runs the TypeScript files as they are, so there is no build.

FROM node:26-slim AS install
WORKDIR /opt/downpour
# The whole checkout, because `npm ci` compares every workspace's manifest with the lock file.
COPY . .
# Development dependencies stay out, with them the `node` package: this image brings its own Node.
RUN npm ci --omit=dev --ignore-scripts \
      --workspace=@downpour/host --workspace=@downpour/kvs --workspace=@downpour/tenants

FROM node:26-slim
COPY --from=install /opt/downpour/node_modules /opt/downpour/node_modules
COPY --from=install /opt/downpour/kvs /opt/downpour/kvs
COPY --from=install /opt/downpour/tenants /opt/downpour/tenants
COPY --from=install /opt/downpour/host /opt/downpour/host
COPY --from=install /opt/downpour/package.json /opt/downpour/LICENSE /opt/downpour/
RUN mkdir -p /var/lib/downpour && chown node:node /var/lib/downpour
USER node
WORKDIR /opt/downpour
ENV NODE_ENV=production \
    DOWNPOUR_LISTEN_HOST=0.0.0.0 \
    DOWNPOUR_LISTEN_PORT=8787 \
    DOWNPOUR_DATA_DIRECTORY=/var/lib/downpour
VOLUME /var/lib/downpour
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The host handles SIGTERM itself (it drains), and starts no processes whose end somebody would have to collect.
STOPSIGNAL SIGTERM
CMD ["node", "host/main.ts"]
