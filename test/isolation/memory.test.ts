import { expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { HostUnderTest } from "../e2e/testing/host-under-test.ts";
import { coreGuest, EMPTY_ANSWER } from "./testing/core-guest.ts";

const MIB = 1024 * 1024;
const INSTANCE_PAGES = 512;

/** Takes all memory that an instance may have, computes for a while with it, and traps where it got less. */
const HOARD = `
  (local $left i32)
  (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (local.set $left (i32.const 50000000))
  (loop $compute
    (br_if $compute (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (if (i32.lt_u (memory.size) (i32.const ${INSTANCE_PAGES - 16})) (then unreachable))
  i32.const ${EMPTY_ANSWER}`;

test("many instances that take memory get their tenant's part of it, and a neighbour gets its own", async () => {
  await using host = await HostUnderTest.start({
    flags: [
      "--executors=1",
      `--instance-memory-bytes-max=${INSTANCE_PAGES * 64 * 1024}`,
      `--instances-memory-bytes-max=${160 * MIB}`,
    ],
  });
  const attacker = await host.tenant("attacker");
  const neighbour = await host.tenant("neighbour");
  const upload = await attacker.upload("bomb", await coreGuest({ handle: () => HOARD }));
  expect(upload.status).toBe(201);
  await neighbour.deploy("app", await behaviours());

  const bombs = Array.from({ length: 8 }, () => attacker.invoke("bomb/run", null));
  for (let call = 0; call < 10; call += 1) {
    expect((await neighbour.invoke("app/greet", "you")).json()).toBe("Hello, you!");
  }
  const codes = (await Promise.all(bombs)).map(({ status, code }) => code ?? status);
  // Two of 32 MiB are within half of it, and a third is not: it gets less, or is not even made.
  expect(codes).toContain(200);
  const refused = codes.filter((code) => code !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const code of refused) expect(["GUEST_TRAPPED", "OUT_OF_MEMORY"]).toContain(code);

  // What they had is there again for those that come later.
  const later = await attacker.invoke("bomb/run", null);
  expect(later.status).toBe(200);
});

/** Grows while it starts until it may not, waits until it is worth to ask again, and grows on. */
const GROW_AT_START = `
  (func $s (local $tries i32) (local $left i32)
    (loop $again
      (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (local.set $left (i32.const 20000000))
      (loop $compute
        (br_if $compute (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $tries) (i32.const 3)))))
  (start $s)`;

test("an instance that is being made has its tenant's part of the memory, and not the same part again", async () => {
  const tenantPages = 1024;
  await using host = await HostUnderTest.start({
    flags: [
      "--executors=1",
      `--instance-memory-bytes-max=${8 * tenantPages * 64 * 1024}`,
      `--instances-memory-bytes-max=${2 * tenantPages * 64 * 1024}`,
    ],
  });
  const attacker = await host.tenant("attacker");
  const upload = await attacker.upload(
    "grows",
    await coreGuest({
      fields: GROW_AT_START,
      handle: () => `
        (if (i32.gt_u (memory.size) (i32.const ${tenantPages})) (then unreachable))
        i32.const ${EMPTY_ANSWER}`,
    }),
  );
  expect(upload.status).toBe(201);
  expect((await attacker.invoke("grows/run", null)).status).toBe(200);
});
