/**
 * Minimum-cost maximum flow by the primal-dual method (Ford and Fulkerson, "Flows in Networks", 1962, chapter
 * III). Every node has a potential; flow is only sent along arcs that are tight, those whose cost is exactly
 * the difference of their ends' potentials, so that it is always the cheapest for its amount. When nothing
 * more can be sent, the potentials of all that the source cannot reach rise by just enough for one more arc
 * to become tight. Few different costs mean few rises.
 *
 * @module
 */

/** A network whose arcs have capacities and costs, both whole numbers of at least 0. */
export class Flow {
  readonly #nodes: number;
  /** Arc 2i is the i-th arc, 2i + 1 its way back. `#room` is what an arc can still take. */
  readonly #to: Int32Array;
  readonly #room: Int32Array;
  readonly #cost: Int32Array;
  /** The arcs that leave a node are a list: `#first` by node, `#next` by arc, -1 at its end. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;
  /** Where the search of a node's list goes on. */
  readonly #current: Int32Array;
  readonly #potential: Float64Array;
  /** Nodes on the path of the search, or found to lead nowhere. */
  readonly #closed: Uint8Array;
  #arcs = 0;
  #sink = -1;

  /** @param nodes how many nodes, named 0 to `nodes` - 1 @param arcs at most how many arcs */
  constructor(nodes: number, arcs: number) {
    this.#nodes = nodes;
    this.#to = new Int32Array(2 * arcs);
    this.#room = new Int32Array(2 * arcs);
    this.#cost = new Int32Array(2 * arcs);
    this.#next = new Int32Array(2 * arcs);
    this.#first = new Int32Array(nodes).fill(-1);
    this.#current = new Int32Array(nodes);
    this.#potential = new Float64Array(nodes);
    this.#closed = new Uint8Array(nodes);
  }

  /** Add an arc; its number is for {@link Flow.carried}. */
  arc(from: number, to: number, capacity: number, cost: number): number {
    const arc = this.#half(from, to, capacity, cost);
    this.#half(to, from, 0, -cost);
    return arc;
  }

  #half(from: number, to: number, room: number, cost: number): number {
    const half = this.#arcs++;
    this.#to[half] = to;
    this.#room[half] = room;
    this.#cost[half] = cost;
    this.#next[half] = this.#first[from]!;
    this.#first[from] = half;
    return half;
  }

  /** Units that an arc carries. */
  carried(arc: number): number {
    return this.#room[arc + 1]!;
  }

  /** Send as many units as possible, as cheaply as possible; gives how many. To be called once. */
  send(source: number, sink: number): number {
    this.#sink = sink;
    let total = 0;
    do {
      for (let sent = -1; sent !== 0; total += sent) {
        this.#closed.fill(0);
        this.#current.set(this.#first);
        sent = this.#push(source, Number.MAX_SAFE_INTEGER);
      }
    } while (this.#raise());
    return total;
  }

  /** Send up to `most` units from a node to the sink along tight arcs; gives how many. */
  #push(node: number, most: number): number {
    if (node === this.#sink) return most;
    this.#closed[node] = 1;
    let sent = 0;
    for (let arc = this.#current[node]!; arc >= 0; arc = this.#next[arc]!) {
      this.#current[node] = arc;
      const to = this.#to[arc]!;
      if (this.#room[arc]! === 0 || this.#closed[to]! === 1) continue;
      if (this.#cost[arc]! !== this.#potential[to]! - this.#potential[node]!) continue;
      const part = this.#push(to, Math.min(most - sent, this.#room[arc]!));
      this.#room[arc]! -= part;
      this.#room[arc ^ 1]! += part;
      sent += part;
      if (sent === most) {
        this.#closed[node] = 0;
        break;
      }
    }
    return sent;
  }

  /** Make at least one more arc tight that leaves the closed nodes; false when there is none. */
  #raise(): boolean {
    let step = Infinity;
    for (let node = 0; node < this.#nodes; node++) {
      if (this.#closed[node] === 0) continue;
      for (let arc = this.#first[node]!; arc >= 0; arc = this.#next[arc]!) {
        const to = this.#to[arc]!;
        if (this.#room[arc]! === 0 || this.#closed[to]! === 1) continue;
        step = Math.min(step, this.#cost[arc]! + this.#potential[node]! - this.#potential[to]!);
      }
    }
    if (step === Infinity) return false;
    for (let node = 0; node < this.#nodes; node++) {
      if (this.#closed[node] === 0) this.#potential[node]! += step;
    }
    return true;
  }
}
