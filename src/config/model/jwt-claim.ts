// The header name that stands for a claim of the request's JWT. Spec virtualservice.md §7; Istio: pkg/jwt/routing.go.

const JWT_CLAIMS = '@request.auth.claims';

/** The path of claims in `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`; `undefined` for a real header. */
export function jwtClaim(name: string): readonly string[] | undefined {
  if (!name.toLowerCase().startsWith(JWT_CLAIMS)) return undefined;
  const rest = name.slice(JWT_CLAIMS.length);
  if (rest.startsWith('.') && rest.length > 1) return rest.slice(1).split('.');
  if (rest.startsWith('[') && rest.endsWith(']') && rest.length > 2) return rest.slice(1, -1).split('][');
  return undefined;
}
