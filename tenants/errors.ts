/** Why the registry refused. The host maps each kind onto one of its error codes. */
export type TenantErrorKind =
  | "tenant-not-found"
  | "tenant-exists"
  | "tenant-deleting"
  | "token-not-found"
  | "too-many-tokens"
  | "quota-too-high"
  | "record-invalid";

export class TenantError extends Error {
  override readonly name = "TenantError";
  readonly kind: TenantErrorKind;

  constructor(kind: TenantErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
