// The load of one run, for k6 0.57 and later. Nothing is generated: which scenarios run, how long and at what rate
// comes as options (k6 --config), what each of them sends comes from the plan file.
//
//   PEVA_PLAN     JSON array: [{method, url, body, params, expect, slow_ms}, ...], one request per function
//   PEVA_SUMMARY  where the summary is written
//   PEVA_GATE     address that says when to begin; without it the load begins at once
//   PEVA_REQUEST  index into the plan; each scenario sets its own
//   PEVA_SEGMENT_MS  length of a segment of the run; each has its own latencies
//   PEVA_RUN_MS, PEVA_PULSE_MS, PEVA_LATE_MS  length of the run, time between two pulses, and how late one may be
//
// Code at this level runs once per virtual user, of which there can be thousands: the plan is parsed once for all of
// them, and one counter with a tag costs half of what a counter per kind of failure does.
import exec from 'k6/execution';
import http from 'k6/http';
import { sleep } from 'k6';
import { SharedArray } from 'k6/data';
import { Counter, Trend } from 'k6/metrics';

const INVALID_URL = 1020;
const requests = new SharedArray('requests', () => JSON.parse(open(__ENV.PEVA_PLAN)));
const failures = new Counter('peva_failures');
const latency = new Trend('peva_latency', true); // of successful requests, by the segment in which they were sent
const slow = new Counter('peva_slow'); // successful requests above a latency
const stalls = new Trend('peva_stalls', true); // each time during which k6 stood still
const stalled = new Counter('peva_stalled_ms'); // their sum, which k6's REST API does not tell
const own = {}; // a SharedArray parses an element at each access: every virtual user keeps those that it sends

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 299 }));

// Runs after the virtual users are initialised, just before the scenarios start. Where several k6 share one run, each
// asks at its gate when to begin, and is answered when all of them are ready.
export function setup() {
  if (!__ENV.PEVA_GATE) return { load_started_ms: Date.now() };
  const ready_ms = Date.now();
  const params = { timeout: '120s', responseType: 'text', responseCallback: http.expectedStatuses(200) };
  const { status, body } = http.get(__ENV.PEVA_GATE, params);
  if (status !== 200) throw new Error('it was not told when to begin');
  sleep(Math.max(0, Number(body) - Date.now()) / 1000);
  return { ready_ms, load_started_ms: Date.now() };
}

export default function () {
  const index = __ENV.PEVA_REQUEST;
  const request = own[index] || (own[index] = prepared(requests[index]));
  const segment = Math.floor((Date.now() - exec.scenario.startTime) / __ENV.PEVA_SEGMENT_MS);
  const response = http.request(request.method, request.url, request.body, request.params);
  if (response.error_code === INVALID_URL) throw new Error(`${request.url}: ${response.error}`); // nothing was sent
  const kind = failureKind(response, request.expect);
  if (kind) failures.add(1, { kind });
  else succeeded(response.timings.duration, segment, request.slow_ms);
}

function succeeded(duration, segment, limits) {
  latency.add(duration, { segment });
  for (const above of limits) if (duration > above) slow.add(1, { above });
}

// Which answers k6 itself counts as expected, and whether it keeps their bodies.
function prepared({ expect = {}, slow_ms = [], ...request }) {
  const params = { ...request.params };
  if (expect.status) params.responseCallback = http.expectedStatuses(...expect.status);
  if (expect.body_contains || expect.body_not_contains) params.responseType = 'text';
  return { ...request, params, expect, slow_ms };
}

// Sends nothing and waits for no function: what makes a pulse late makes k6's requests late, too. One iteration is all
// pulses of the run, so that the outputs of k6 hold no samples of them but those of stalls.
export function pulse() {
  const endsAt = exec.scenario.startTime + Number(__ENV.PEVA_RUN_MS);
  for (let now = Date.now(); now < endsAt; ) {
    const dueAt = Math.min(now + Number(__ENV.PEVA_PULSE_MS), endsAt);
    sleep((dueAt - now) / 1000);
    now = Date.now();
    if (now - dueAt <= __ENV.PEVA_LATE_MS) continue;
    stalls.add(now - dueAt);
    stalled.add(now - dueAt);
  }
}

// An error code under 1400 says that no whole answer came, whatever the status line said.
function failureKind({ error_code: code, status, error, body }, expect) {
  if (code && (code < 1400 || code >= 1600)) return ownLimit(error) || transportFailure(code);
  if (expect.status ? expect.status.includes(status) : status >= 200 && status < 300) {
    return hasExpectedBody(body || '', expect) ? '' : 'unexpected';
  }
  if (status >= 200 && status < 300) return 'unexpected';
  if (status === 404 || status === 429) return `status_${status}`;
  if (status >= 300 && status < 600) return `status_${Math.floor(status / 100)}xx`;
  return 'other';
}

function hasExpectedBody(body, expect) {
  if (expect.body_contains && !body.includes(expect.body_contains)) return false;
  return !(expect.body_not_contains && body.includes(expect.body_not_contains));
}

// Limits of the machine that k6 runs on, which have no error codes of their own. The texts are the operating system's.
function ownLimit(error) {
  if (error.includes('too many open files')) return 'generator_files';
  if (error.includes('cannot assign requested address')) return 'generator_ports';
  return error.includes('no such host') ? 'connection_dns' : '';
}

function transportFailure(code) {
  if (code === 1050 || code === 1211) return 'timeout';
  if (code === 1212) return 'connection_refused';
  if (code === 1201 || code === 1220) return 'connection_reset';
  if (code >= 1100 && code < 1200) return 'connection_dns';
  if (code >= 1300 && code < 1400) return 'connection_tls';
  return code === 1000 || (code >= 1200 && code < 1300) ? 'connection_other' : 'other';
}

export function handleSummary(data) {
  return { [__ENV.PEVA_SUMMARY]: JSON.stringify(data) };
}
