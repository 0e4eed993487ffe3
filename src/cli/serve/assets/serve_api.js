// What the page asks the server, and what becomes of its errors.
const keyName = 'trivium-api-key';
const titles = {
  0: 'No answer', 400: 'Refused', 401: 'The server asks for an API key', 403: 'Not allowed', 404: 'Not found',
  413: 'Too long', 429: 'Busy', 500: 'The server failed', 503: 'Not available'};
const gone = 'the server cannot be reached; is “trivium serve” still running?';

// An error as one line for people; `status` is that of HTTP, 0 where there was no reply.
export class ApiError extends Error {
  constructor(status, message) {
    const title = titles[status] ?? 'Error';
    super(`${title}${status ? ` (${status})` : ''}: ${message}`);
    this.status = status;
  }
}

export const keepKey = (key) => sessionStorage.setItem(keyName, key);

function headers(body) {
  const all = {};
  const key = sessionStorage.getItem(keyName);
  if (key) all.Authorization = `Bearer ${key}`;
  if (body) all['Content-Type'] = 'application/json';
  return all;
}

async function errorOf(response) {
  let message = response.statusText || 'the reply cannot be read';
  try {
    message = (await response.json()).error.message;
  } catch {
    // A proxy's page, say: its status has to do.
  }
  return new ApiError(response.status, message);
}

// A request that was given up on by this page is no error of the server's.
function lost(error, message) {
  return error.name === 'AbortError' ? error : new ApiError(0, message);
}

async function send(path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method: body ? 'POST' : 'GET', headers: headers(body), signal,
      body: body ? JSON.stringify(body) : undefined,
      cache: 'no-store', credentials: 'omit', redirect: 'error'});
  } catch (error) {
    throw lost(error, gone);
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function ask(path, body, signal) {
  const response = await send(path, body, signal);
  try {
    return await response.json();
  } catch (error) {
    throw lost(error, 'the reply broke off');
  }
}

// The data of each server-sent event, as they come.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const parts = (waiting + value).split('\n\n');
    waiting = parts.pop();
    for (const part of parts) if (part.startsWith('data: ')) yield part.slice(6);
  }
}

// The parts of a streamed completion, one a token or so. `onBegin` is called when the stream begins.
export async function* stream(body, signal, onBegin) {
  const response = await send('/v1/completions', {...body, stream: true}, signal);
  onBegin();
  let isWhole = false;
  try {
    for await (const data of events(response)) {
      isWhole = data === '[DONE]';
      if (isWhole) break;
      const part = JSON.parse(data);
      if (part.error) {
        throw new ApiError(part.error.type === 'server_error' ? 500 : 503, part.error.message);
      }
      yield part;
    }
  } catch (error) {
    throw error instanceof ApiError ? error : lost(error, 'the server broke off within the answer');
  }
  if (!isWhole) throw new ApiError(0, 'the server broke off within the answer');
}
