import type { Child } from "../child.ts";

/** A running server under measurement. All of them take a JSON string and answer JSON. */
export interface Subject extends AsyncDisposable {
  readonly name: string;
  /** Where the function is called. */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly child: Child;
}

/** One call, outside the measurement: shows that the subject does the work that is compared. */
export async function call(subject: Subject, input: unknown): Promise<unknown> {
  const response = await fetch(subject.url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(subject.authorization === undefined ? {} : { authorization: subject.authorization }),
    },
    body: JSON.stringify(input),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${subject.name} answered ${String(response.status)}: ${text}`);
  }
  return JSON.parse(text);
}
