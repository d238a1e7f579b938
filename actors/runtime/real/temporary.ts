/**
 * Directories that go when their user does.
 *
 * @module
 */

/** Make a fresh directory whose name begins with `prefix`, in the system's place for such; returns its path. */
export async function temporaryDirectory(prefix: string): Promise<string> {
  return await Deno.makeTempDir({ prefix });
}

/** Remove a directory and everything in it. */
export async function removeDirectory(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true });
}
