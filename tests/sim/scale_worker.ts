/**
 * A worker of `deno task scale`: takes one measurement after the other, as the task asks for it.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { measure } from "./scale_measure.ts";

self.onmessage = ({ data }) => {
  self.postMessage({ outcome: measure(data, (ms) => self.postMessage({ ms })) });
};
