// Calls of the desk's API with the session of this page.

export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

let csrf = "";

export function setToken(token) {
  csrf = token;
}

export async function call(method, path, body, options = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  const answer = await fetch(`/v1/desk${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    ...options,
  });
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // Not of the service itself, which always says what is wrong.
  }
  throw new Refusal(answer.status, problem.code ?? "", problem.detail ?? "The service failed.");
}

export async function ask(method, path, body, options) {
  const answer = await call(method, path, body, options);
  return answer.status === 204 ? null : answer.json();
}
