/**
 * WIT's names as JavaScript's: `deadline-ms` becomes `deadlineMs`. Two names of one type that would
 * become the same key (`a-1` and `a1`) keep their own form, so that no field ever hides another.
 */
export function memberNames(names: readonly string[]): readonly string[] {
  const keys = names.map(camelCase);
  const seen = new Set<string>();
  const taken = new Set<string>();
  for (const key of keys) (seen.has(key) ? taken : seen).add(key);
  return keys.map((key, index) => (taken.has(key) ? (names[index] ?? key) : key));
}

const KEBAB_NAME = /^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*$/;

/** As JavaScript's toolchains do it: acronyms (`HTTP-status`) are words like others. */
function camelCase(name: string): string {
  // The decoder refuses other names; here they could become `__proto__`.
  if (!KEBAB_NAME.test(name)) throw new RangeError("a member name is not in kebab case");
  return name
    .split("-")
    .map((word, index) => {
      const lower = word.toLowerCase();
      return index === 0 ? lower : lower.charAt(0).toUpperCase() + lower.slice(1);
    })
    .join("");
}
