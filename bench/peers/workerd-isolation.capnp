using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "counter", worker = .counter),
    (name = "attacker", worker = .attacker),
    # The path is given at start: `--directory-path=objects=...`.
    (name = "objects", disk = (writable = true)),
  ],
  sockets = [
    (name = "victim", address = "127.0.0.1:0", http = (), service = "counter"),
    (name = "attacker", address = "127.0.0.1:0", http = (), service = "attacker"),
  ],
);

const counter :Workerd.Worker = (
  modules = [(name = "counter", esModule = embed "workerd-counter.mjs")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Counter", uniqueKey = "downpour-bench-counter", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [(name = "counters", durableObjectNamespace = "Counter")],
);

const attacker :Workerd.Worker = (
  modules = [(name = "attacker", esModule = embed "workerd-attacker.mjs")],
  compatibilityDate = "2026-11-01",
);
