/**
 * For benches that wait for what a service does.
 *
 * @module
 */

/** Ends this process with a service that ends with an error: what is waited for would never come. */
export function endWith(service: Deno.ChildProcess): Deno.ChildProcess {
  service.status.then(({ code }) => {
    if (code === 0) return;
    Deno.stderr.writeSync(
      new TextEncoder().encode(`The service has ended with ${code}; run it by hand to see why\n`),
    );
    Deno.exit(1);
  });
  return service;
}
