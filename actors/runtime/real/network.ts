/**
 * TCP.
 *
 * @module
 */

import {
  type Connection,
  type Endpoint,
  type Listener,
  type Network,
  NetworkError,
  type NetworkErrorCode,
} from "../environment.ts";

const CODES: Readonly<Record<string, NetworkErrorCode>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  EADDRINUSE: "in-use",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  ENOBUFS: "exhausted",
  ENOMEM: "exhausted",
};

/** The {@link NetworkError} that tells of `error`, whatever the system threw. */
function asNetworkError(error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  if (!(error instanceof Error)) return new NetworkError("failed", String(error));
  // A closed socket or listener has a name and no code.
  if (error.name === "BadResource") return new NetworkError("closed", error.message);
  const code = "code" in error ? String(error.code) : "";
  return new NetworkError(CODES[code] ?? "failed", error.message);
}

/** For `catch`: reject with the {@link NetworkError}. */
function rethrow(error: unknown): never {
  throw asNetworkError(error);
}

/** The network part of an address that Deno reports. */
function endpointOf(address: Deno.NetAddr): Endpoint {
  return { host: address.hostname, port: address.port };
}

class RealConnection implements Connection {
  readonly remote: Endpoint;
  readonly #socket: Deno.TcpConn;
  #open = true;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    this.remote = endpointOf(socket.remoteAddr);
    socket.setNoDelay(true); // a flush is a whole batch already; waiting for more only adds latency
    socket.setKeepAlive(true);
  }

  read(into: Uint8Array): Promise<number | null> {
    if (!this.#open) return Promise.resolve(null);
    return this.#socket.read(into).catch((error) => this.#open ? rethrow(error) : null);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (!this.#open) return Promise.reject(new NetworkError("closed", "the connection is closed"));
    return this.#socket.write(bytes).catch((error) => {
      if (!this.#open) throw new NetworkError("closed", "the connection is closed");
      return rethrow(error);
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }
}

class RealListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #listener: Deno.TcpListener;
  #open = true;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    this.endpoint = endpointOf(listener.addr);
  }

  async accept(): Promise<Connection> {
    for (;;) {
      if (!this.#open) throw new NetworkError("closed", "the listener is closed");
      const socket = await this.#listener.accept().catch((error) => {
        if (!this.#open) throw new NetworkError("closed", "the listener is closed");
        return rethrow(error);
      });
      const connection = adopt(socket);
      if (connection) return connection;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener.close();
  }
}

/** The connection over a fresh socket; null when the other side has already gone away. */
function adopt(socket: Deno.TcpConn): RealConnection | null {
  try {
    return new RealConnection(socket);
  } catch {
    socket.close();
    return null;
  }
}

/** The real {@link Network}. */
export class RealNetwork implements Network {
  /** See {@link Network.listen}. */
  listen(endpoint: Endpoint): Promise<Listener> {
    return new Promise((resolve) => {
      resolve(new RealListener(Deno.listen({ hostname: endpoint.host, port: endpoint.port })));
    }).catch(rethrow) as Promise<Listener>;
  }

  /** See {@link Network.connect}. */
  async connect(endpoint: Endpoint, timeoutMs: number): Promise<Connection> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    const where = `${endpoint.host}:${endpoint.port}`;
    try {
      const socket = await Deno.connect({
        hostname: endpoint.host,
        port: endpoint.port,
        signal: abort.signal,
      });
      const connection = adopt(socket);
      if (!connection) throw new NetworkError("reset", `${where} hung up at once`);
      return connection;
    } catch (error) {
      if (abort.signal.aborted) {
        throw new NetworkError("timeout", `${where} did not answer in ${timeoutMs} ms`);
      }
      throw asNetworkError(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
